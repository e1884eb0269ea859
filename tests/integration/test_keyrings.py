"""What a person meets whose keyring is absent, locked or silent: real services, real failures."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

from integration.provider import RunningProvider
from integration.secret_service import (
    keyring_daemon,
    locked_keyring,
    lonely_bus,
    stopped_daemon,
)
from integration.todo import Todo
from integration.walk import walk

# The library gives a keyring 3 s, and a command may ask it twice; D-Bus itself would give it 25.
BOUNDED_SECONDS = 20.0


def test_without_a_keyring_the_tokens_lie_in_a_private_file_and_the_warning_names_it(
    provider: RunningProvider, tmp_path: Path
) -> None:
    """The default policy falls back, says so, and everything after works."""
    with lonely_bus(tmp_path / "session") as environment:
        todo = Todo({**environment, "ISSUER": provider.issuer}, tmp_path)
        answer, said = todo.log_in(walk)
        records = Path(environment["XDG_CONFIG_HOME"]) / "todo" / "auth.json"

        assert answer["stored_in"] == "plaintext"
        assert str(records) in said
        assert stat.S_IMODE(records.stat().st_mode) == 0o600
        assert todo.run("me").stdout == "ada\n"
        assert todo.json("auth", "status")["source"] == "plaintext"
        assert todo.json("auth", "logout")["revoked"] is True


def test_the_system_policy_fails_before_a_browser_opens(
    provider: RunningProvider, tmp_path: Path
) -> None:
    """No keyring and --storage system: exit code 6, and the server was never asked for a login."""
    with lonely_bus(tmp_path / "session") as environment:
        todo = Todo({**environment, "ISSUER": provider.issuer}, tmp_path)
        done = todo.run("auth", "login", "--storage", "system")

    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    assert provider.answers("GET /auth") == []


def test_a_locked_keyring_is_not_taken_for_a_logout(
    todo: Todo, provider: RunningProvider, tmp_path: Path
) -> None:
    """Log in, lock the keyring, and every command says `locked`; unlock it, and all is well."""
    todo.log_in(walk)
    config = {"XDG_CONFIG_HOME": todo.environment["XDG_CONFIG_HOME"]}
    with locked_keyring(tmp_path / "locked") as environment:
        shut_out = todo.having(**environment | config)
        status = shut_out.run("auth", "status", "--json")
        token = shut_out.run("auth", "token")

    assert (status.returncode, json.loads(status.stdout)["state"]) == (6, "locked")
    assert (token.returncode, token.stdout) == (6, "")
    assert provider.answers("POST /token") == [200]
    assert todo.run("auth", "token").returncode == 0


def test_a_keyring_that_never_answers_costs_a_bounded_time(
    todo: Todo, provider: RunningProvider, tmp_path: Path
) -> None:
    """A stopped daemon: the command ends by itself, with exit code 6 and nothing on stdout."""
    todo.log_in(walk)
    config = {"XDG_CONFIG_HOME": todo.environment["XDG_CONFIG_HOME"]}
    with stopped_daemon(tmp_path / "silent") as environment:
        started = time.monotonic()
        token = todo.having(**environment | config).run("auth", "token")
        took = time.monotonic() - started

    assert (token.returncode, token.stdout) == (6, "")
    assert took < BOUNDED_SECONDS


def test_tokens_outlive_the_daemon(todo: Todo, provider: RunningProvider, tmp_path: Path) -> None:
    """What was stored is there for a daemon that starts later, as after a reboot."""
    with lonely_bus(tmp_path / "reboot") as environment:
        person = Todo({**environment, "ISSUER": provider.issuer}, tmp_path)
        with keyring_daemon(environment, tmp_path / "first.log"):
            person.log_in(walk)
        with keyring_daemon(environment, tmp_path / "second.log"):
            assert person.run("me").stdout == "ada\n"
