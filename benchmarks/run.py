"""Measure what click-auth costs: `nox -s bench`, or `nox -s bench -- peers` for others beside it.

`--rounds N` (default 15) sets how often each pair runs. benchmarks/README.md explains the method.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from click_auth.testing import AuthorizationServer
from integration.secret_service import secret_service
from integration.todo import Todo
from measure import HEADER, Program, Row, Sample
from peers import peers

HERE = Path(__file__).parent
PROGRAM = HERE / "todo.py"
SLOT = "user-ada"
LOGIN_GOAL_SECONDS = 1.0
MANY_ACCOUNTS = 10_000


@dataclass(frozen=True)
class World:
    """A person who is logged in: their environment, and where their CLI keeps its records."""

    todo: Todo
    records: Path

    def program(self, script: Path | str, *arguments: str, reports: bool = False) -> Program:
        """Return a Python program to be measured in this world."""
        path = script if isinstance(script, Path) else HERE / "baselines" / script
        command = [sys.executable, str(path), *arguments]
        return Program(command, self.todo.environment, self.todo.folder, reports=reports)

    def auth(self, *arguments: str) -> Program:
        """Return an auth command of ours."""
        return self.program(PROGRAM, "auth", *arguments)


@contextlib.contextmanager
def logged_in_world(folder: Path, server: AuthorizationServer) -> Iterator[World]:
    """Give a person with an unlocked keyring who has just logged in."""
    with secret_service(folder) as environment:
        records = Path(environment["XDG_CONFIG_HOME"]) / "todo" / "auth.json"
        todo = Todo(
            {
                **environment,
                "ISSUER": server.issuer,
                "API_URL": server.api_url,
                "RECORDS": str(records),
                "SLOT": SLOT,
            },
            folder,
            PROGRAM,
        )
        log_in(todo)
        yield World(todo, records)


def log_in(todo: Todo) -> float:
    """Log in and return the seconds from the browser's redirect to the end of the process."""
    with todo.login() as login:
        approved = httpx.get(login.url)
        started = time.perf_counter()
        httpx.get(approved.headers["location"])
        code, _, stderr = login.finish()
        seconds = time.perf_counter() - started
    if code:
        raise RuntimeError(f"the login failed: {stderr}")
    return seconds


def crowd(world: World) -> None:
    """Put thousands of other accounts into the record file."""
    content = json.loads(world.records.read_text(encoding="utf-8"))
    key = content["default"]
    record = content["accounts"][key]
    for number in range(MANY_ACCOUNTS - 1):
        other = f"{key}-{number}"
        account = {**record["account"], "id": other, "key": other, "label": other}
        content["accounts"][other] = {**record, "account": account}
    world.records.write_text(json.dumps(content), encoding="utf-8")


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


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["library", "peers"], default="library")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    # Bytecode of the scripts' own folder is written once, in the first run, which does not count.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    measure = {"library": measure_library, "peers": measure_peers}[arguments.what]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measure(Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
