"""A person's home, a keyring and a server, and whole `todo` processes in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from click_auth import Auth, OAuthProvider
from click_auth.testing import AuthorizationServer, FakeBrowser
from crash.filed_keyring import FOLDER
from hostile.locking_keyring import LOCK, LockingKeyring
from runner import CliRunner

TESTS = Path(__file__).parent.parent
CLI = [sys.executable, str(Path(__file__).with_name("cli.py"))]
SCREENS = ("BROWSER", "CI", "DISPLAY", "GITHUB_ACTIONS", "SSH_CONNECTION", "WAYLAND_DISPLAY")


class Ended(NamedTuple):
    """How a process ended, and what it said."""

    status: int
    out: str
    err: str


@dataclass
class World:
    """What there is before the first command; `home` is all that a command may write into."""

    server: AuthorizationServer
    folder: Path

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.keyring = self.folder / "keyring"
        self.config = self.home / "config"
        for each in (self.home, self.keyring):
            each.mkdir(0o700, exist_ok=True)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a `todo` that logs in through a browser that agrees."""
        inherited = {name: value for name, value in os.environ.items() if name not in SCREENS}
        paths = [str(TESTS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        return {
            **inherited,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "TODO_CONFIG_DIR": str(self.config),
            "HOSTILE_ISSUER": self.server.issuer,
            "HOSTILE_API": self.server.api_url,
            "PYTHON_KEYRING_BACKEND": f"{LockingKeyring.__module__}.{LockingKeyring.__qualname__}",
            FOLDER: str(self.keyring),
            "CLICK_AUTH_REFUSE_KEYRING": "0",
            "BROWSER": FakeBrowser.command(),
            "TERM": "dumb",
        }

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start `todo ARGUMENTS`, with no terminal."""
        return subprocess.Popen(
            [*CLI, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=self.home,
            env={**self.environ, **environ},
        )

    def run(self, *arguments: str, **environ: str) -> Ended:
        """Run `todo ARGUMENTS` to its end."""
        return ended(self.start(*arguments, **environ))

    def run_unprivileged(self, *arguments: str, **environ: str) -> Ended:
        """Run `todo ARGUMENTS` with no power over file modes, though we may be root."""
        return self.run(*arguments, HOSTILE_UNPRIVILEGED="1", **environ)

    def log_in(self, user: str = "ada", **environ: str) -> None:
        """Log in, as a whole process."""
        done = self.run("auth", "login", "--user", user, **environ)
        assert done.status == 0, done.err

    def invoke(self, *arguments: str, **settings: Any) -> Ended:
        """Run `todo ARGUMENTS` in this process, over the keyring that it has; faster."""
        auth = self.auth(**{"storage": "system", **settings})

        @click.group()
        def cli() -> None:
            """Keep track."""

        @cli.command()
        def me() -> None:
            """Ask the service who it is."""
            with auth.client() as api:
                click.echo(api.get("/me").status_code)

        cli.add_command(auth.group())
        with auth.override(environ={}, browser=FakeBrowser()):
            result = CliRunner().invoke(cli, arguments, prog_name="todo")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return Ended(result.exit_code, result.stdout, result.stderr)

    def lock_keyring(self) -> None:
        """Let every call of the keyring fail from now on."""
        (self.keyring / LOCK).touch()

    def unlock_keyring(self) -> None:
        """Let the keyring answer again."""
        (self.keyring / LOCK).unlink()

    def slots(self) -> dict[str, str]:
        """Return what the keyring holds."""
        return {each.name: each.read_text("utf-8") for each in self.keyring.glob("secret-*")}

    def record_bytes(self) -> bytes:
        """Return the record file as it is."""
        return (self.config / "auth.json").read_bytes()

    def record(self, key: str = "ada") -> dict[str, Any]:
        """Return one record."""
        return dict(json.loads(self.record_bytes())["accounts"][key])

    def files(self) -> Iterator[Path]:
        """Return every file that lies in the home."""
        return (each for each in self.home.rglob("*") if each.is_file())

    def auth(self, **settings: Any) -> Auth:
        """Return an `Auth` of this process, with its tokens in the record file of the same home."""
        facts = {"issuer": self.server.issuer, "client_id": "todo-cli", "http_timeout": 10.0}
        provider = OAuthProvider(
            **{**facts, **settings.pop("facts", {})},
            api_url=self.server.api_url,
            identify=lambda api: api.get("/me").raise_for_status().json(),
        )
        return Auth("todo", provider, **{"storage": "plaintext", "folder": self.config, **settings})


def ended(process: subprocess.Popen[str]) -> Ended:
    """Return how a process ended; one that does not end is killed."""
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ended(process.returncode, out, err)
