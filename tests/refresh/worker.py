"""One process of a crowd: `worker.py MODE [ARGUMENT]`, told where things are by its environment."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from click_auth import (
    Auth,
    LegacyCredential,
    OAuthProvider,
    TokenBundle,
    migrate_legacy_auth,
    refresh_access_token,
)
from click_auth.testing import FakeBrowser


def provider(issuer: str) -> OAuthProvider:
    """Return the provider at *issuer*, discovered where WORKER_DISCOVERS says so."""
    endpoints: dict[str, Any] = {
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
    }
    return OAuthProvider(
        client_id="todo-cli",
        api_url=f"{issuer}/api",
        identify=lambda service: service.get("/me").raise_for_status().json(),
        http_timeout=float(os.environ.get("WORKER_TIMEOUT", "30")),
        **({"issuer": issuer} if "WORKER_DISCOVERS" in os.environ else endpoints),
    )


auth = Auth(
    "todo",
    provider(os.environ["WORKER_ISSUER"]),
    storage=os.environ.get("WORKER_STORAGE", "plaintext"),
)


def token() -> str:
    """Return a fresh token."""
    return auth.access_token()


def unlocked() -> str:
    """Return a fresh token, got without any lock."""
    return refresh_access_token(auth, lock=lambda _key: contextlib.nullcontext()).access_token


def through(count: str) -> list[str]:
    """Use tokens one after the other until *count* different ones were seen."""
    seen: list[str] = []
    while len(seen) < int(count):
        current = auth.access_token()
        if current not in seen:
            seen.append(current)
        time.sleep(0.01)
    return seen


def refresh(times: str) -> str:
    """Rotate *times* times, and return the last token."""
    last = ""
    for _ in range(int(times)):
        last = auth.refresh().access_token
    return last


def login(user: str) -> str:
    """Log in through a browser that agrees to everything, and return the account's key."""
    with auth.override(browser=FakeBrowser()):
        return auth.login(user=user, timeout=60.0).account.key


def logout() -> list[str]:
    """Log the default account out, and return the keys that were removed."""
    return list(auth.logout().removed)


def api(times: str) -> list[str]:
    """Ask the service who we are, each time as a new command would, and return its answers."""
    answers = []
    for _ in range(int(times)):
        with auth.override() as anew, anew.client() as client:
            answers.append(client.get("/me").raise_for_status().json()["id"])
    return answers


def jumping(seconds: str) -> list[str]:
    """Ask the service who we are while the clock jumps by so many seconds, and back."""
    import time_machine

    answers = []
    with auth.client() as client:
        for shift in (0.0, float(seconds), 0.0):
            with time_machine.travel(time.time() + shift, tick=True):
                answers += [client.get("/me").raise_for_status().json()["id"] for _ in range(3)]
    return answers


def tokens(times: str) -> list[str]:
    """Return the token that each of several new commands gets."""
    found = []
    for _ in range(int(times)):
        with auth.override() as anew:
            found.append(anew.access_token())
    return found


def read(times: str) -> int:
    """Read all accounts and the first one's token, again and again; return how often."""
    for _ in range(int(times)):
        with auth.override() as anew:
            first = anew.accounts()[0]
            record = anew.context.store.record_of(first.account.key)
            assert record is not None
            anew.context.store.access_token(record)
    return int(times)


def migrate(path: str) -> str:
    """Take the bundle in a JSON file over, and return how that went."""
    old = Path(path)

    def read() -> TokenBundle | None:
        return TokenBundle(**json.loads(old.read_text("utf-8"))) if old.exists() else None

    legacy = LegacyCredential("old-file", read, lambda: old.unlink(missing_ok=True))
    result = migrate_legacy_auth(auth, legacy)
    return result.state if result.reason is None else f"{result.state}: {result.reason}"


def main(mode: str, *arguments: str) -> int:
    """Run one of the functions above and print what it returned, or the code of its error."""
    start_at = float(os.environ.get("WORKER_START", "0"))
    time.sleep(max(0.0, start_at - time.time()))
    try:
        click.echo(json.dumps({"ok": globals()[mode](*arguments)}))
    except click.ClickException as error:
        click.echo(json.dumps({"error": getattr(error, "code", "click")}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
