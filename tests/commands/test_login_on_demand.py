"""`auth.required(login=True)`: the login inside the command that needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from click_auth import ApiKeyProvider, Auth, NotLoggedIn
from click_auth.locks.account_lock import account_lock
from click_auth.login.flow import log_in_on_demand
from click_auth.testing import AuthorizationServer, FakeBrowser

pty = pytest.importorskip("pty", reason="pseudo-terminals")
termios = pytest.importorskip("termios", reason="pseudo-terminals")
PROGRAM = Path(__file__).with_name("required_program.py")


class Person:
    """Somebody at a terminal, who answers what is asked there."""

    def __init__(self, environ: dict[str, str], *words: str) -> None:
        self.screen, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *words],
            env=environ,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        """Type ahead."""
        os.write(self.screen, text.encode())

    def end(self) -> tuple[int, str, str]:
        """Return exit code, stdout and what the terminal has shown."""
        shown = b""
        while True:
            try:
                piece = os.read(self.screen, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            shown += piece
        out, _ = self.process.communicate(timeout=60)
        os.close(self.screen)
        return self.process.returncode, out, shown.decode()


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a person with a browser."""
    with AuthorizationServer() as server:
        yield {
            **os.environ,
            "ISSUER": server.issuer,
            "API": server.api_url,
            "FOLDER": str(tmp_path / "todo"),
            "BROWSER": FakeBrowser.command(),
            "DISPLAY": ":99",
            "TERM": "dumb",
        }


def test_a_person_is_asked_once_and_the_command_goes_on(environ: dict[str, str]) -> None:
    """Yes is one key; the next command asks nothing."""
    person = Person(environ, "tasks")
    person.type("\n")
    code, out, shown = person.end()
    assert (code, out) == (0, "tasks of ada\n"), shown
    assert shown.count("Log in now?") == 1
    code, out, shown = Person(environ, "tasks").end()
    assert (code, out, shown) == (0, "tasks of ada\n", "")


@pytest.mark.parametrize("answer", ["n\n", "no\n", "what?\n", "\x04"])
def test_no_is_exit_4(environ: dict[str, str], answer: str) -> None:
    """With the line to type for later; the end of the input is a no, too."""
    person = Person(environ, "tasks")
    person.type(answer)
    code, out, shown = person.end()
    assert (code, out) == (4, "")
    assert "todo auth login" in shown


def test_nobody_is_asked_without_a_terminal(environ: dict[str, str]) -> None:
    """Exit 4 at once."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "tasks"],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "Log in now?" not in done.stderr


def test_eight_processes_open_one_browser_window(environ: dict[str, str]) -> None:
    """One asks and logs in; the others wait for it and go on as that account."""
    people = [Person(environ, "tasks") for _ in range(8)]
    for person in people:
        person.type("y\n")
    ended = [person.end() for person in people]
    assert [(code, out) for code, out, _ in ended] == [(0, "tasks of ada\n")] * 8, ended
    screens = "".join(shown for *_, shown in ended)
    assert screens.count("Logging in to") == 1
    assert screens.count("Log in now?") == 1


def test_lb_21_a_terminated_login_gives_the_terminal_back(environ: dict[str, str]) -> None:
    """SIGTERM is exit code 143 inside a command of the application's, too."""
    person = Person({**environ, "BROWSER": "true"}, "tasks")
    person.type("\n")
    shown = b""
    while b"Ctrl-C to cancel" not in shown:
        shown += os.read(person.screen, 4096)
    assert not termios.tcgetattr(person.screen)[3] & termios.ECHO
    person.process.terminate()
    assert person.process.wait(60) == 143
    assert termios.tcgetattr(person.screen)[3] & termios.ECHO
    person.end()


def test_nobody_waits_for_ever_for_another_process(tmp_path: Path) -> None:
    """Its person has left the question unanswered: here the error says that a login is needed."""
    auth = Auth("todo", ApiKeyProvider(api_url="https://api.example"), folder=tmp_path)

    def check() -> None:
        raise NotLoggedIn("Not logged in.")

    with account_lock(tmp_path, "login-on-demand"), pytest.raises(NotLoggedIn):
        log_in_on_demand(auth.context, check, login=check, seconds=0.1)
