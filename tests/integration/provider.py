"""oidc-provider as a child process, and what its operator can ask it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from integration.machine import HERE, node_modules
from integration.processes import child
from integration.walk import PAGE_SECONDS

INSPECTOR = ("inspector", "inspector-secret")


@dataclass(frozen=True)
class RunningProvider:
    """An authorization server at `issuer`, which writes what it does to `log`."""

    issuer: str
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """Return what happened so far, oldest first."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def answers(self, request: str) -> list[int]:
        """Return the status of each answer to *request*, such as "POST /token"."""
        return [event["status"] for event in self.events() if event.get("request") == request]

    def is_active(self, token: str) -> bool:
        """Return whether the server still honours *token* (RFC 7662)."""
        answer = httpx.post(
            f"{self.issuer}/token/introspection",
            auth=INSPECTOR,
            data={"token": token},
            timeout=PAGE_SECONDS,
        )
        return bool(answer.raise_for_status().json()["active"])

    def revoke(self, token: str, client_id: str = "todo-cli") -> None:
        """End a grant behind the application's back."""
        fields = {"token": token, "client_id": client_id}
        url = f"{self.issuer}/token/revocation"
        httpx.post(url, data=fields, timeout=PAGE_SECONDS).raise_for_status()

    def refresh(self, token: str, client_id: str = "todo-cli") -> httpx.Response:
        """Try to use a refresh token as its client would."""
        fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id}
        return httpx.post(f"{self.issuer}/token", data=fields, timeout=PAGE_SECONDS)


@contextlib.contextmanager
def oidc_provider(folder: Path, **settings: str) -> Iterator[RunningProvider]:
    """Run the provider; *settings* are environment variables that oidc_provider.mjs knows."""
    modules = node_modules(HERE, Path(os.environ["CLICK_AUTH_NODE"]))
    # Node looks for packages beside the script.
    script = modules.parent / "oidc_provider.mjs"
    script.write_bytes((HERE / "oidc_provider.mjs").read_bytes())
    log = folder / "oidc-provider.log"
    with child(
        [str(modules / ".bin" / "node"), str(script)],
        env={"PATH": os.environ["PATH"], **settings},
        log=log,
        ready=lambda: '{"ready"' in log.read_text(encoding="utf-8"),
    ):
        ready = next(line for line in log.read_text().splitlines() if line.startswith("{"))
        yield RunningProvider(json.loads(ready)["ready"], log)
