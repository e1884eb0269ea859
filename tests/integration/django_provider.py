"""django-oauth-toolkit as a child process, and what its operator can ask it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from integration.machine import HERE
from integration.processes import child
from integration.provider import INSPECTOR, RunningProvider
from integration.walk import PAGE_SECONDS

TOKEN = "POST /o/token/"


class DjangoProvider(RunningProvider):
    """django-oauth-toolkit, whose endpoints have other names."""

    def is_active(self, token: str) -> bool:
        """Return whether the server still honours an access token (RFC 7662)."""
        url, data = f"{self.issuer}/introspect/", {"token": token}
        answer = httpx.post(url, auth=INSPECTOR, data=data, timeout=PAGE_SECONDS)
        return bool(answer.raise_for_status().json()["active"])

    def expire(self) -> None:
        """Let every access token have expired, however long it was to live."""
        with contextlib.closing(sqlite3.connect(self.log.parent / "db.sqlite3")) as database:
            database.execute("UPDATE oauth2_provider_accesstoken SET expires = '2000-01-01'")
            database.commit()

    def refresh(self, token: str, client_id: str = "todo-cli") -> httpx.Response:
        """Try to use a refresh token as its client would."""
        fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id}
        return httpx.post(f"{self.issuer}/token/", data=fields, timeout=PAGE_SECONDS)


@contextlib.contextmanager
def django_provider(folder: Path, **settings: str) -> Iterator[DjangoProvider]:
    """Run the server; *settings* are environment variables that django_server.py knows."""
    log = folder / "django.log"
    tests = HERE.parent
    with child(
        [sys.executable, str(HERE / "django_server.py")],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tests),
            "FOLDER": str(folder),
            **settings,
        },
        log=log,
        ready=lambda: '{"ready"' in log.read_text(encoding="utf-8"),
    ):
        lines = log.read_text(encoding="utf-8").splitlines()
        ready = next(line for line in lines if line.startswith('{"ready"'))
        yield DjangoProvider(json.loads(ready)["ready"], log)
