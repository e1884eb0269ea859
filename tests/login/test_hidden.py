"""B19: what a person types unseen, read whole and with the terminal given back as it was."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from click_auth.testing import AuthorizationServer
from login.terminal import Terminal
from login.waiting import BOUND_SECONDS, at_once

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")

ASKING = """
import sys
from click_auth.environment import Environment
from click_auth.errors import LoginFailed
from click_auth.login.ui import TerminalUI
try:
    answer = TerminalUI(Environment("todo")).ask("API key", hidden=True)
    print("got", len(answer), answer[:3] + answer[-3:], flush=True)
except LoginFailed as error:
    print("failed:", error.message, flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""
CLI = """
import os
from click_auth import ApiKeyProvider, Auth, OAuthProvider
given = {"api_url": os.environ["API"], "identify": lambda _: {"id": "x"}}
server = {"client_id": "todo-cli", "issuer": os.environ["ISSUER"]}
provider = ApiKeyProvider(**given) if os.environ.get("KEYS") else OAuthProvider(**server, **given)
auth = Auth("todo", provider, storage="plaintext")
auth.group()(prog_name="todo")
"""


def asking() -> Terminal:
    """Ask at a terminal; return it once what is typed is hidden."""
    person = Terminal([sys.executable, "-c", ASKING], dict(os.environ))
    hidden(person)
    return person


def hidden(person: Terminal, prompt: str = "API key:") -> None:
    """Wait until *prompt* is shown and the terminal shows nothing of what is typed."""
    person.read_until(prompt)
    deadline = time.monotonic() + BOUND_SECONDS
    while person.echoes:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_b19_a_long_hidden_answer_arrives_whole() -> None:
    """Line mode would cut it at 4,095 characters, on macOS at 1,023, in silence."""
    with asking() as person:
        person.type("abc" + "x" * 20_000 + "xyz\n")
        person.read_until("got 20006 abcxyz")
        assert person.end() == 0
        assert person.echoes
    assert "xxxx" not in person.shown


@pytest.mark.parametrize(
    "typed, says",
    [
        ("x" * 65_536 + "\n", "failed: API key: it must be one line, and not too long."),
        ("x" * 90_000 + "\n", "failed: API key: it must be one line, and not too long."),
        ("one\ntwo\n", "failed: API key: it must be one line, and not too long."),
        ("\x04", "failed: API key: none given."),
        ("\n\n\n", "failed: API key: none given."),
        ("\n \nthe-key\n", "got 7 the"),
        ("\x1b[200~the-key\x1b[201~\n", "got 7 the"),
        ("\x1b[A\x1b[O\x1b[Ithe-key\r\n", "got 7 the"),
        ("wrong\x15the-kex\x7fy\n", "got 7 the"),
        ("pässwörd€\n", "got 9 päs"),
    ],
)
def test_b19_what_is_typed_unseen(typed: str, says: str) -> None:
    """Too much and several lines are refused, never cut; an empty Enter is asked about again."""
    with asking() as person:
        parts = typed.splitlines(keepends=True) if typed.startswith("\n") else [typed]
        for number, part in enumerate(parts, 1):
            person.read_until("API key:\n" * number)
            hidden(person)
            person.type(part)
        person.read_until(says)
        assert person.end() == 0
        assert person.echoes


def test_b19_ctrl_c_at_a_hidden_question() -> None:
    """It ends at once, and the terminal is as it was."""
    with asking() as person:
        person.type("half")
        assert person.interrupt() < at_once()
        assert (person.process.returncode, person.echoes) == (130, True)


def test_b19_ctrl_z_and_fg_at_a_hidden_question(tmp_path: Path) -> None:
    """The shell hands the terminal back in line mode; the question hides again what is typed."""
    program = tmp_path / "asking.py"
    program.write_text(ASKING, encoding="utf-8")
    shell = f"set -m; {sys.executable} {program}; stty icanon echo; echo as it likes; fg"
    with Terminal(["bash", "-c", shell], dict(os.environ)) as person:
        hidden(person)
        person.type("\x1a")
        person.read_until("as it likes")
        deadline = time.monotonic() + BOUND_SECONDS
        while person.echoes:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        person.type("abc" + "x" * 6_000 + "xyz\n")
        person.read_until("got 6006 abcxyz")
        assert person.end() == 0
        assert person.echoes
    assert "xxxx" not in person.shown


@pytest.mark.parametrize("keys", ["1", ""])
def test_b19_a_long_token_is_stored_as_it_was_pasted(tmp_path: Path, keys: str) -> None:
    """`login --with-token` and an API key's login: 6,000 characters in, 6,000 out."""
    with AuthorizationServer() as server:
        environ = {
            **os.environ,
            "TODO_CONFIG_DIR": str(tmp_path),
            "ISSUER": server.issuer,
            "API": server.api_url,
            "KEYS": keys,
        }
        options = [] if keys else ["--with-token"]
        command = [sys.executable, "-c", CLI]
        with Terminal([*command, "login", *options], environ) as person:
            hidden(person, "API key:" if keys else "Token:")
            person.type("t" * 6_000 + "\n")
            assert person.end() == 0, person.shown
        with Terminal([*command, "token"], environ, pipe=True) as person:
            assert person.process.stdout is not None
            assert person.process.stdout.read() == b"t" * 6_000
            assert person.end() == 0


def test_l9_ctrl_c_says_that_nothing_was_changed(tmp_path: Path) -> None:
    """In one line, with the exit code of an interrupt."""
    environ = {**os.environ, "TODO_CONFIG_DIR": str(tmp_path), "ISSUER": "http://127.0.0.1:9"}
    environ |= {"API": "http://127.0.0.1:9", "KEYS": "1"}
    with Terminal([sys.executable, "-c", CLI, "login"], environ) as person:
        hidden(person)
        person.interrupt(signal.SIGINT)
        assert person.process.returncode == 130
        assert person.shown.splitlines()[-1] == "Login cancelled. Nothing was changed."


def test_l13_an_api_keys_login_promises_no_browser(tmp_path: Path) -> None:
    """Its help says what it does."""
    environ = {**os.environ, "ISSUER": "http://127.0.0.1:9", "API": "http://127.0.0.1:9"}
    for keys, says in (("1", "Log in."), ("", "Log in with your browser.")):
        program = [sys.executable, "-c", CLI, "login", "--help"]
        with Terminal(program, {**environ, "KEYS": keys}) as person:
            assert person.end() == 0
            assert f"  {says}\n" in person.shown
