"""Measure what click-auth costs: `nox -s bench`.

`nox -s bench -- peers` measures others beside it, `-- growth` how the cost grows with the work.
`--rounds N` (default 15) sets how often each pair runs. benchmarks/README.md explains the method.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from click_auth.testing import AuthorizationServer
from growth import crowds, curves, draw
from integration.todo import Todo
from measure import HEADER, Row, Sample
from peers import peers
from world import HERE, PROGRAM, SLOT, World, crowd, log_in, logged_in_world

LOGIN_GOAL_SECONDS = 1.0


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
    tasks, tasks_by_hand = world.program(PROGRAM, "tasks"), world.program("tasks_by_hand.py")
    requests = [
        world.program(HERE / "many_requests.py", way, whose, reports=True)
        for way in ("sync", "async")
        for whose in ("ours", "fixed")
    ]
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
        Row("1,000 requests", "a fixed header", *requests[:2], 1.05, cpu),
        Row("1,000 requests, async", "a fixed header", *requests[2:], 1.10, cpu),
    ]


def report_logins(todo: Todo, rounds: int) -> None:
    """Print how long a login takes once the person has agreed."""
    seconds = [log_in(todo) for _ in range(rounds)]
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    verdict = "met" if middle < LOGIN_GOAL_SECONDS else "**missed**"
    print(
        f"\nA login, from the redirect to the end of the process: {middle:.2f} s "
        f"[{low:.2f}-{high:.2f}], to be under {LOGIN_GOAL_SECONDS} s: {verdict}."
    )


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
        print_table(rows(world, crowded), rounds)
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


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["library", "peers", "growth"], default="library"
    )
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    # Bytecode of the scripts' own folder is written once, in the first run, which does not count.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    measure = {"library": measure_library, "peers": measure_peers, "growth": measure_growth}[
        arguments.what
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measure(Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
