"""Measure what click-auth costs: `nox -s bench`.

`nox -s bench -- peers` measures others beside it, `-- growth` how the cost grows with the work.
`-- fleet` what Redis costs beside a record file, `-- frameworks` what a Typer application costs
with our commands and without.
`--rounds N` (default 15) sets how often each pair runs. benchmarks/README.md explains the method.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from click_auth.testing import AuthorizationServer
from expiries import ending_twice, one_at_the_start, posts, refused_twice
from frameworks.hosts import TEST_TOOLS, VERSIONS, environment
from growth import crowds, curves, draw
from measure import HEADER, Around, Program, Row, Sample
from moments import report_logins, report_loop, report_waiters
from peers import peers
from world import HERE, PROGRAM, SLOT, World, crowd, logged_in_world


def cpu(sample: Sample) -> float:
    """Return what most rows are about."""
    return sample.cpu


def memory(sample: Sample) -> float:
    """Return what the memory row is about."""
    return sample.memory


def rows(world: World, crowded: World) -> list[Row]:
    """Return the table's rows."""
    token, plain = world.auth("token"), world.program("plain_cli.py", "--help")
    by_hand, reader = world.program("token_by_hand.py"), world.program("read_json.py")
    floor = world.program("token_floor.py")
    tasks, tasks_by_hand = world.program(PROGRAM, "tasks"), world.program("tasks_by_hand.py")
    return [
        Row(
            "`todo --help`",
            "without click-auth",
            world.program(PROGRAM, "--help"),
            plain,
            1.05,
            cpu,
        ),
        Row("`auth token`", "click + keyring by hand", token, by_hand, 0.40, cpu),
        Row("`auth token`", "click + jeepney by hand", token, floor, 1.15, cpu),
        Row("`auth token`", "five imports", token, world.program("token_eager.py"), 0.20, cpu),
        Row("`auth token`, memory", "click + keyring by hand", token, by_hand, 0.70, memory),
        Row("`tasks`", "click + keyring + httpx by hand", tasks, tasks_by_hand, 0.75, cpu),
        Row(
            "`status --offline`",
            "click + JSON",
            world.auth("status", "--offline"),
            reader,
            1.25,
            cpu,
        ),
        Row("`account list`", "click + JSON", world.auth("account", "list"), reader, 1.25, cpu),
        Row(
            "`auth token`, 10,000 accounts", "one account", crowded.auth("token"), token, 1.20, cpu
        ),
    ]


def request_rows(world: World, server: AuthorizationServer) -> list[Row]:
    """Return the table's rows about a thousand requests in one process."""
    fixed = "a fixed header"
    ends, refused = partial(ending_twice, world, server), partial(refused_twice, world, server)
    sync = many_requests(world, "sync", "ours"), many_requests(world, "sync", "fixed")
    plain = many_requests(world, "async", "fixed")
    cold = many_requests(world, "cold", "ours"), many_requests(world, "cold", "fixed")
    return [
        Row("1,000 requests, one keyring read", fixed, *sync, 1.05, cpu),
        Row("the same, async", fixed, many_requests(world, "async", "ours"), plain, 1.10, cpu),
        Row("50 tasks at once on a new client, 20 requests each", fixed, *cold, 1.10, cpu),
        Row(
            "and the token ends twice, 2 POSTs",
            fixed,
            many_requests(world, "async", "ours", ends),
            plain,
            1.10,
            cpu,
        ),
        Row(
            "and the API refuses it twice, 2 POSTs",
            fixed,
            many_requests(world, "async", "ours", refused),
            plain,
            1.10,
            cpu,
        ),
    ]


def many_requests(world: World, way: str, whose: str, around: Around = nullcontext) -> Program:
    """Return one side of a row about a thousand requests."""
    script = HERE / "many_requests.py"
    return world.program(script, way, whose, reports=True, around=around)


def refresh_rows(world: World, server: AuthorizationServer) -> list[Row]:
    """Return the table's rows about a refresh that nobody else wants: each run is one POST."""
    by_hand = world.program("refresh_by_hand.py", around=partial(posts, server, 1))
    refresh = world.auth("refresh", around=partial(posts, server, 1))
    expired = world.auth("token", around=partial(one_at_the_start, world, server))
    return [
        Row("`auth refresh`", "httpx + keyring by hand", refresh, by_hand, 0.85, cpu),
        Row("`auth token`, expired", "httpx + keyring by hand", expired, by_hand, 0.85, cpu),
    ]


def print_table(table: Sequence[Row], rounds: int) -> None:
    """Measure and print, row by row."""
    print(HEADER, flush=True)
    for row in table:
        print(row.measure(rounds).line(), flush=True)


def measure_library(folder: Path, rounds: int) -> None:
    """Print what the library costs."""
    (folder / "one").mkdir()
    (folder / "many").mkdir()
    with (
        AuthorizationServer() as server,
        logged_in_world(folder / "one", server) as world,
        logged_in_world(folder / "many", server) as crowded,
    ):
        crowd(crowded)
        table = rows(world, crowded) + request_rows(world, server) + refresh_rows(world, server)
        print_table(table, rounds)
        report_loop(
            many_requests(world, "watched", "ours", partial(ending_twice, world, server)),
            many_requests(world, "watched", "fixed"),
            rounds,
        )
        report_waiters(folder, rounds)
        report_logins(world.todo, rounds)


def measure_peers(folder: Path, rounds: int) -> None:
    """Print what `auth token` costs beside other programs that print a stored token."""
    with AuthorizationServer() as server, logged_in_world(folder, server) as world:
        ours = world.auth("token")
        table = [
            Row("`auth token`", peer.name, ours, peer.program, peer.goal, cpu)
            for peer in peers(world.todo.environment, folder, SLOT)
        ]
        print_table(table, rounds)


def measure_growth(folder: Path, rounds: int) -> None:
    """Print, and draw, how the cost of `auth token` grows with the work; then how a crowd fares."""
    (folder / "one").mkdir()
    with AuthorizationServer() as server, logged_in_world(folder / "one", server) as world:
        found = curves(world, rounds)
        crowds(world, server, max(rounds // 3, 1))
    draw(found, HERE / "growth.svg")


def measure_frameworks(folder: Path, rounds: int) -> None:
    """Print what a Typer application costs with our commands, beside the same without."""
    table = []
    for name, goal in (("typer-0.25", 1.10), ("typer-newest", 1.20)):
        python = environment(name, *VERSIONS[name], *TEST_TOOLS)
        for words in (("add", "Rest"), ("--help",)):
            ours, theirs = (
                Program([str(python), str(HERE / script), *words], {"HOME": str(folder)}, folder)
                for script in ("typer_app.py", "baselines/plain_typer.py")
            )
            table.append(Row(f"`todo {words[0]}`, {name}", "without us", ours, theirs, goal, cpu))
    print_table(table, rounds)


def measure_fleets(folder: Path, rounds: int) -> None:
    """Print what Redis costs beside a record file."""
    from fleets import measure_fleet  # redis-py is installed for this one

    measure_fleet(folder, rounds)


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["library", "peers", "growth", "frameworks", "fleet"],
        default="library",
    )
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    # Bytecode of the scripts' own folder is written once, in the first run, which does not count.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    measure = {
        "library": measure_library,
        "peers": measure_peers,
        "growth": measure_growth,
        "frameworks": measure_frameworks,
        "fleet": measure_fleets,
    }[arguments.what]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measure(Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
