"""A folder, a keyring and a server, and everything that may be said of them after a crash."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from click_auth import Auth, NotLoggedIn
from click_auth.testing import logged_in
from crash import filed_keyring
from refresh.crowd import Place, outcome

TESTS = Path(__file__).parent.parent
TEMPORARY = re.compile(r"\d+-\d+")
SECONDS_TO_RECOVER = 30.0  # of a busy machine; nobody's patience, which is a minute and more


@dataclass
class Victim:
    """One process that was started to die, what it printed, and the last write that it began."""

    code: int
    printed: dict[str, Any]
    where: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass
class CrashPlace(Place):
    """The folder of one test's records; `legacy` is where an older program kept a credential."""

    keyring: Path = field(kw_only=True)
    legacy: Path = field(kw_only=True)
    log: Path = field(kw_only=True)

    def log_in(self, expires_in: float | None = -5.0, user: str = "ada") -> Auth:
        """Store a grant as a login does: the locks have their folder, so writes can be counted."""
        auth = super().log_in(expires_in, user)
        with auth.store.lock(user):
            return auth

    @property
    def keyring_variables(self) -> dict[str, str]:
        """The environment in which keyring is a folder."""
        backend = filed_keyring.FiledKeyring
        return {
            "PYTHON_KEYRING_BACKEND": f"{backend.__module__}.{backend.__qualname__}",
            filed_keyring.FOLDER: str(self.keyring),
            "CLICK_AUTH_REFUSE_KEYRING": "0",
        }

    @property
    def environ(self) -> dict[str, str]:
        paths = [str(TESTS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        folders = map(str, (self.folder, self.keyring, self.legacy.parent))
        return {
            **super().environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "CRASH_FOLDERS": os.pathsep.join(folders),
            **self.keyring_variables,
        }

    @property
    def counting(self) -> dict[str, str]:
        """What makes a process write into a new log what it is about to write."""
        self.log.unlink(missing_ok=True)
        return {"CRASH_LOG": str(self.log)}

    def start(self, mode: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start one process that something may befall."""
        return subprocess.Popen(
            [sys.executable, "-m", "crash.worker", mode, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environ, **environ},
        )

    def run(self, mode: str, *arguments: str, **environ: str) -> dict[str, Any]:
        """Run one process and return what it printed."""
        return outcome(self.start(mode, *arguments, **environ))

    def killed_at(self, at: int | None, mode: str, *arguments: str, **environ: str) -> Victim:
        """Run a process that dies at its write number *at*, or lives where there is none."""
        order = {} if at is None else {"CRASH_AT": str(at)}
        return self.ended(self.start(mode, *arguments, **self.counting, **order, **environ))

    def killed_after(self, seconds: float, mode: str, *arguments: str, **environ: str) -> Victim:
        """Run a process that is killed after so many seconds, unless it is done by then."""
        process = self.start(mode, *arguments, **self.counting, **environ)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        return self.ended(process)

    def writes(self, mode: str, *arguments: str, **environ: str) -> list[str]:
        """Run a process to its end, and return the writes that it made."""
        victim = self.killed_at(None, mode, *arguments, **environ)
        assert victim.code == 0, victim
        return self.log.read_text("utf-8").splitlines()

    def ended(self, process: subprocess.Popen[str]) -> Victim:
        stdout, stderr = process.communicate(timeout=110)
        assert "Traceback" not in stderr, stderr
        printed = json.loads(stdout) if stdout.strip() else {}
        assert process.returncode in (0, -signal.SIGKILL), (process.returncode, stderr)
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        where = TEMPORARY.sub("*", lines[-1]) if lines else "nothing"
        return Victim(process.returncode, printed, where)

    def wipe(self) -> None:
        """Make it as it is where nobody has ever logged in."""
        for folder in (self.folder, self.keyring):
            shutil.rmtree(folder, ignore_errors=True)
        self.keyring.mkdir(0o700)

    # What stands afterwards

    def stored_refresh_token(self) -> str | None:
        """Return the refresh token that the next command would send."""
        record = self.record()
        if record["storage"] == "plaintext":
            return str(record["fallback_refresh_token"])
        slots = filed_keyring.secrets(self.keyring)
        return next((secret for name, secret in slots.items() if "refresh" in name), None)

    def was_rotated(self, token: str | None) -> bool:
        """Whether the server has given a successor for *token*."""
        posts = self.server.posts("token", grant_type="refresh_token")
        return any(each.status == 200 and each.form["refresh_token"] == token for each in posts)

    def check_nothing_torn(self) -> None:
        """The record file is whole, every file is private."""
        path = self.folder / "auth.json"
        if path.exists():
            json.loads(path.read_text("utf-8"))
            assert not self.auth().context.store.records.document().records.bad
        for each in self._files():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each

    def next_command(self, sent: str | None) -> str:
        """Renew the token as the next command would, and return "ok" or the code of its error.

        It may say that the session has ended only where the server has rotated *sent*, the
        refresh token that lay here after the crash; then log in again.
        """
        began = time.monotonic()
        try:
            token = self.auth().refresh().access_token
        except NotLoggedIn as error:
            if error.code != "AUTH_REFRESH_EXPIRED" or not self.was_rotated(sent):
                pytest.fail(f"a session was lost outside of the window: {error.code}")
            logged_in(self.auth(), server=self.server)
            return error.code
        assert time.monotonic() - began < SECONDS_TO_RECOVER
        assert self.auth().access_token() == token
        return "ok"

    def leftovers(self) -> list[str]:
        """Return what is there beside the record file and the cache's documents."""
        known = {self.folder / "auth.json", *(self.folder / "cache").glob("*.json")}
        return [str(each.relative_to(self.folder)) for each in self._files() if each not in known]

    def _files(self) -> Iterator[Path]:
        return (path for path in self.folder.rglob("*") if path.is_file())
