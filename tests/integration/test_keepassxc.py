"""KeePassXC asks before a client touches an entry, and waits: B1, B2 and D12 of issue 18."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from click_auth.testing import AuthorizationServer, FakeBrowser
from integration.keepassxc import Person, keepassxc

CLI = [sys.executable, str(Path(__file__).with_name("cli.py"))]
SLOW_SECONDS = 10.0  # of a person who was fetching coffee
LONGEST_SECONDS = 180.0


class Told:
    """How a command ended whose standard error is a terminal, or is not."""

    def __init__(
        self, person: Person, server: AuthorizationServer, *words: str, terminal: bool, **more: str
    ) -> None:
        environment = {
            **person.environment,
            "ISSUER": server.issuer,
            "BROWSER": FakeBrowser.command(),
            "TODO_AUTH_STORAGE": "system",
            **more,
        }
        master, slave = os.openpty() if terminal else os.pipe()
        done = subprocess.run(
            [*CLI, "auth", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=slave,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        self.status, self.out = done.returncode, done.stdout.decode()
        os.set_blocking(master, False)
        self.err = ""
        with contextlib.suppress(BlockingIOError):  # it said nothing
            self.err = os.read(master, 1 << 16).decode()
        os.close(slave)
        os.close(master)


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server that rotates refresh tokens and ends a session whose spent one comes back."""
    with AuthorizationServer() as running:
        yield running


def test_b1_a_refresh_waits_for_whoever_answers_late(
    server: AuthorizationServer, tmp_path: Path
) -> None:
    """Each window is answered after ten seconds: the pair is stored, and the next one is, too."""
    with keepassxc(tmp_path / "session") as person:
        login = Told(person, server, "login", terminal=False)
        assert login.status == 0, login.err
        with person.allowing(SLOW_SECONDS) as answered:
            refresh = Told(person, server, "refresh", terminal=True)
        assert (refresh.status, "could not" in refresh.err) == (0, False), refresh.err
        assert "Waiting for the keyring" in refresh.err
        assert answered
        assert min(answered) >= SLOW_SECONDS
        with person.allowing(0.0):
            assert Told(person, server, "refresh", terminal=True).status == 0
    assert (server.refresh_count, server.reuse_count) == (2, 0)


@pytest.mark.parametrize("storage", ["system", "fallback"])
def test_b1_a_refresh_that_nobody_answers_costs_nothing(
    server: AuthorizationServer, tmp_path: Path, storage: str
) -> None:
    """No request, no token in a file, exit status 6; the session lives and the token serves."""
    settings = {"TODO_AUTH_STORAGE": storage, "TODO_KEYRING_TIMEOUT": "1"}
    with keepassxc(tmp_path / "session") as person:
        assert Told(person, server, "login", terminal=False, **settings).status == 0
        refresh = Told(person, server, "refresh", terminal=False, **settings)
        assert (refresh.status, "didn't respond in time" in refresh.err) == (6, True), refresh.err
        assert server.refresh_count == 0
        token = Told(person, server, "token", "--min-ttl", "90d", terminal=False, **settings)
        assert (token.status, server.refresh_count) == (0, 0), token.err
        records = Path(person.environment["XDG_CONFIG_HOME"]) / "todo" / "auth.json"
        assert token.out.strip() not in records.read_text("utf-8")
        with person.allowing(0.0):
            assert Told(person, server, "refresh", terminal=True, **settings).status == 0
    assert (server.refresh_count, server.reuse_count) == (1, 0)


def test_b2_a_read_waits_for_whoever_is_at_the_terminal(
    server: AuthorizationServer, tmp_path: Path
) -> None:
    """With "Confirm when passwords are retrieved", and an answer after five seconds: a token."""
    with keepassxc(tmp_path / "session", confirm=True) as person:
        with person.allowing(0.0):
            login = Told(person, server, "login", terminal=True)
        assert login.status == 0, login.err
        with person.allowing(SLOW_SECONDS / 2) as answered:
            token = Told(person, server, "token", terminal=True)
        assert (token.status, bool(token.out), len(answered)) == (0, True, 1), token.err
        assert "Waiting for the keyring" in token.err
