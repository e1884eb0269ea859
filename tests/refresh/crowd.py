"""Real processes that all want the same account's token at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click_auth import Auth, OAuthProvider
from click_auth.testing import Answer, AuthorizationServer, Request, endpoints, logged_in

WORKER = Path(__file__).with_name("worker.py")


@dataclass
class Place:
    """A folder with one account, ada, whose tokens are good at the server."""

    server: AuthorizationServer
    folder: Path
    storage: str = "plaintext"

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "TODO_CONFIG_DIR": str(self.folder),
            "WORKER_ISSUER": self.server.url,
            "WORKER_STORAGE": self.storage,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def auth(self, **changes: Any) -> Auth:
        """Return an `Auth` of this process on the same folder."""
        provider = OAuthProvider(
            client_id="todo-cli",
            authorization_endpoint=self.server.url + "/authorize",
            token_endpoint=self.server.url + "/token",
            revocation_endpoint=self.server.url + "/revoke",
            api_url=self.server.api_url,
        )
        settings = {"storage": self.storage, "folder": self.folder, **changes}
        return Auth("todo", provider, **settings)

    def asked(self) -> threading.Event:
        """Return an event that is set when the token endpoint is next asked."""
        event = threading.Event()
        self.server.faults.hooks["token"] = lambda _request: event.set()
        return event

    def log_in(self, expires_in: float | None = -5.0, user: str = "ada") -> Auth:
        """Store a grant without a browser; expired unless told otherwise."""
        auth = self.auth()
        logged_in(auth, user, server=self.server, expires_in=expires_in)
        return auth

    def start(self, mode: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start one process."""
        return subprocess.Popen(
            [sys.executable, str(WORKER), mode, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environ, **environ},
        )

    def crowd(self, size: int, mode: str, *arguments: str, **environ: str) -> list[dict[str, Any]]:
        """Run *size* processes that begin at one moment, and return what each printed."""
        environ = {"WORKER_START": str(time.time() + 0.15 * size), **environ}
        started = [self.start(mode, *arguments, **environ) for _ in range(size)]
        return [outcome(process) for process in started]

    def record(self, key: str = "ada") -> dict[str, Any]:
        """Return the record as it is in the file."""
        text = (self.folder / "auth.json").read_text("utf-8")
        return dict(json.loads(text)["accounts"][key])


@contextmanager
def unanswered(server: AuthorizationServer) -> Iterator[threading.Event]:
    """Keep the answer to the next request for tokens back until the block ends.

    The event says that the server has done what it was asked.
    """
    done, let_go = threading.Event(), threading.Event()

    def think(request: Request) -> Answer:
        server.faults.hooks.pop("token", None)
        answer = endpoints.answer(server, request)
        done.set()
        let_go.wait(60)
        return answer

    server.faults.hooks["token"] = think
    try:
        yield done
    finally:
        let_go.set()


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a worker printed; its stderr where it printed nothing."""
    stdout, stderr = process.communicate(timeout=110)
    assert "Traceback" not in stderr, stderr
    return dict(json.loads(stdout)) if stdout.strip() else {"died": process.returncode}
