"""A person at a terminal: runs the CLI in real processes, and follows the URL that it opens."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from integration.machine import HERE
from integration.processes import wait_until

# The longest that one command may take here, in seconds.
COMMAND_SECONDS = 60.0
SLOT_READS = 3
READ_SLOT = "import keyring, sys; print(keyring.get_password(*sys.argv[1:]) or '', end='')"
# Stands for the person's browser: leaves the URL where the test finds it, whole from the first.
OPENER = """\
#!/bin/sh
printf %s "$1" > "{page}.part" && mv "{page}.part" "{page}"
"""


@dataclass
class Login:
    """A login that waits for its person, who is asked to visit `url`."""

    process: subprocess.Popen[str]
    url: str

    def finish(self) -> tuple[int, str, str]:
        """Return the exit code, stdout and stderr, once the process ends."""
        stdout, stderr = self.process.communicate(timeout=COMMAND_SECONDS)
        return self.process.returncode, stdout, stderr


@dataclass(frozen=True)
class Todo:
    """The CLI as one person runs it, in `environment`; `folder` is theirs."""

    environment: Mapping[str, str]
    folder: Path
    program: Path = HERE / "cli.py"

    def having(self, **environment: str) -> Todo:
        """Return the same person with more in their environment."""
        return replace(self, environment={**self.environment, **environment})

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command to its end and return how it ended."""
        return subprocess.run(
            [sys.executable, str(self.program), *arguments],
            env=dict(self.environment),
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        """Return what a command that must succeed prints with --json."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer

    def log_in(self, agree: Callable[[str], object], *arguments: str) -> tuple[dict[str, Any], str]:
        """Log in as one who follows the URL with *agree*; return what --json gives, and stderr."""
        with self.login("--json", *arguments) as login:
            agree(login.url)
            code, stdout, stderr = login.finish()
        assert code == 0, stderr
        return json.loads(stdout), stderr

    def expire(self) -> None:
        """Let every access token have expired, as far as this person's machine can know.

        However long it was to live: a short life may end again while a busy machine uses it.
        """
        path = Path(self.environment["XDG_CONFIG_HOME"]) / "todo" / "auth.json"
        records = json.loads(path.read_text(encoding="utf-8"))
        for record in records["accounts"].values():
            record["access_token_expires_at"] = record["access_token_obtained_at"]
        path.write_text(json.dumps(records), encoding="utf-8")

    def slot(self, name: str) -> str:
        """Return what the keyring holds in a slot, read by keyring itself in another process.

        Its library gives the bus one second to say hello: on a busy machine it is asked again.
        """
        reader = [sys.executable, "-c", READ_SLOT, f"todo/{name}", name]
        for _ in range(SLOT_READS):
            done = subprocess.run(
                reader, env=dict(self.environment), capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                break
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def login(self, *arguments: str) -> Iterator[Login]:
        """Start a login; enters when it has opened the browser, and leaves no process behind."""
        page = self.folder / "page"
        page.unlink(missing_ok=True)
        opener = self.folder / "opener"
        opener.write_text(OPENER.format(page=page), encoding="utf-8")
        opener.chmod(0o755)
        command = [sys.executable, str(self.program), "auth", "login", *arguments]
        with subprocess.Popen(
            command,
            env={**self.environment, "BROWSER": str(opener)},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                wait_until(lambda: page.exists() or process.poll() is not None, "the browser")
                if not page.exists():
                    raise RuntimeError(f"no browser was opened: {process.communicate()}")
                yield Login(process, page.read_text(encoding="utf-8"))
            finally:
                process.kill()
