"""A person who is logged in at a server of ours, with a real keyring, and their record file."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from click_auth import Account
from click_auth.stores.records import RecordFile
from click_auth.testing import AuthorizationServer
from integration.secret_service import secret_service
from integration.todo import Todo
from measure import Around, Program

HERE = Path(__file__).parent
PROGRAM = HERE / "todo.py"
SLOT = "user-ada"
REFRESH_SLOT = f"{SLOT}/refresh"
MANY_ACCOUNTS = 10_000


@dataclass(frozen=True)
class World:
    """A person who is logged in: their environment, and where their CLI keeps its records."""

    todo: Todo
    records: Path

    def program(
        self,
        script: Path | str,
        *arguments: str,
        reports: bool = False,
        around: Around = nullcontext,
    ) -> Program:
        """Return a Python program to be measured in this world."""
        path = script if isinstance(script, Path) else HERE / "baselines" / script
        command = [sys.executable, str(path), *arguments]
        return Program(command, self.todo.environment, self.todo.folder, reports, around)

    def auth(self, *arguments: str, around: Around = nullcontext) -> Program:
        """Return an auth command of ours."""
        return self.program(PROGRAM, "auth", *arguments, around=around)


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
                "REFRESH_SLOT": REFRESH_SLOT,
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


def crowd(world: World, accounts: int = MANY_ACCOUNTS) -> None:
    """Leave the default account and so many others in the record file, as logins would."""
    with RecordFile(world.records.parent).transaction() as draft:
        record = draft.records[SLOT.removeprefix("user-")]
        for key in [key for key in draft.records if key != record.key]:
            draft.records.discard(key)
        for number in range(accounts - 1):
            other = Account(f"{record.key}-{number}", f"{record.key}-{number}@todo.example")
            draft.records[other.key] = replace(record, account=other)


def expire(world: World) -> None:
    """Let the token's time be over."""
    with RecordFile(world.records.parent).transaction() as draft:
        for key, record in draft.records.items():
            draft.records[key] = replace(record, access_token_expires_at=1.0)
