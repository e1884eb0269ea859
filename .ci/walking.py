"""One story of the library, walked in this process, and what it enters, reads and locks.

`python walking.py STORY FOLDER`: `token`, `401`, `login` or `logout`. An authorization server of
`click_auth.testing` runs in a process of its own. Prints one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.testing import CliRunner

import click_auth
from click_auth import Auth, OAuthProvider

if TYPE_CHECKING:
    from collections.abc import Callable

STORY, FOLDER = sys.argv[1:]
PACKAGE = Path(click_auth.__file__).resolve().parent
UNLOCK = 8  # of flock and lockf alike

SERVE = """
import sys
from click_auth.testing import AuthorizationServer, FakeBrowser
with AuthorizationServer() as server:
    print(server.issuer, server.api_url, FakeBrowser.command(), sep="\\n", flush=True)
    for line in sys.stdin:
        server.expire_access_tokens()
        print("expired", flush=True)
"""

entered: set[str] = set()
reads: list[int] = []
locks: list[int] = []
is_walking = False


def note_call(frame: Any, event: str, _argument: object) -> None:
    """Remember the module of ours in which a function begins."""
    if not is_walking or event != "call" or frame.f_code.co_name == "<module>":
        return
    path = Path(frame.f_code.co_filename)
    if path.is_relative_to(PACKAGE) and not path.is_relative_to(PACKAGE / "testing"):
        entered.add(path.relative_to(PACKAGE).with_suffix("").as_posix())


def note_touch(event: str, arguments: tuple[Any, ...]) -> None:
    """Remember a read of the record file, and a lock taken."""
    if not is_walking:
        return
    if event == "open" and isinstance(arguments[0], str):
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if Path(arguments[0]).name == "auth.json" and not flags & (os.O_WRONLY | os.O_RDWR):
            reads.append(flags)
    elif event in ("fcntl.flock", "fcntl.lockf") and not arguments[1] & UNLOCK:
        locks.append(arguments[1])


def walk(step: Callable[[], object]) -> None:
    """Take *step* and remember what it does."""
    global is_walking  # noqa: PLW0603 - hooks have nowhere else to look
    is_walking = True
    sys.setprofile(note_call)
    threading.setprofile(note_call)
    try:
        step()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        is_walking = False


class Todo:
    """A CLI with an `auth` group, its tokens in a plain file of *FOLDER*."""

    def __init__(self, issuer: str, api_url: str) -> None:
        self.auth = Auth(
            "todo",
            OAuthProvider(
                client_id="todo-cli",
                issuer=issuer,
                api_url=api_url,
                scopes=("tasks:read", "offline_access"),
                identify=lambda api: api.get("/me").raise_for_status().json(),
            ),
            storage="plaintext",
            folder=FOLDER,
        )
        self.cli = click.Group("todo", commands=[self.auth.group()])

    def run(self, command: str) -> None:
        """Run `todo auth COMMAND`, and require that it goes well."""
        result = CliRunner().invoke(self.cli, ["auth", command], catch_exceptions=False)
        if result.exit_code:
            raise SystemExit(f"{command}: {result.output}")


def walk_login(todo: Callable[[], Todo]) -> None:
    """Walk a first login; what is read counts at the second, beside a record that is there."""
    first, second = todo(), todo()
    walk(lambda: first.run("login"))
    modules = set(entered)
    del reads[:], locks[:]
    walk(lambda: second.run("login"))
    entered.intersection_update(modules)


def walk_401(todo: Callable[[], Todo], expire: Callable[[], None]) -> None:
    """Walk one request whose token the API does not take any more."""
    todo().run("login")
    with todo().auth.client() as api:
        api.get("/me").raise_for_status()
        expire()
        walk(lambda: api.get("/me").raise_for_status())


def walk_command(todo: Callable[[], Todo], command: str) -> None:
    """Walk one command of somebody who has just logged in."""
    todo().run("login")
    other = todo()
    walk(lambda: other.run(command))


def main() -> None:
    """Walk the story that was asked for."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with contextlib.closing(server.stdin), server:  # type: ignore[type-var]
        issuer, api_url, browser = (server.stdout.readline().strip() for _ in range(3))  # type: ignore[union-attr]
        os.environ.update({"BROWSER": browser, "DISPLAY": ":99"})

        def expire() -> None:
            print("expire", file=server.stdin, flush=True)
            server.stdout.readline()  # type: ignore[union-attr]

        sys.addaudithook(note_touch)
        if STORY == "login":
            walk_login(lambda: Todo(issuer, api_url))
        elif STORY == "401":
            walk_401(lambda: Todo(issuer, api_url), expire)
        else:
            walk_command(lambda: Todo(issuer, api_url), STORY)
        server.stdin.close()  # type: ignore[union-attr]
    print(json.dumps({"modules": sorted(entered), "reads": len(reads), "locks": len(locks)}))


if __name__ == "__main__":
    main()
