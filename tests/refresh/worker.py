"""One process of a crowd: `worker.py MODE [ARGUMENT]`, told where things are by its environment."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

import click

from click_auth import Auth, OAuthProvider, refresh_access_token

auth = Auth(
    "todo",
    OAuthProvider(
        client_id="todo-cli",
        token_endpoint=os.environ["WORKER_ISSUER"] + "/token",
        authorization_endpoint=os.environ["WORKER_ISSUER"] + "/authorize",
        api_url=os.environ["WORKER_ISSUER"] + "/api",
        http_timeout=float(os.environ.get("WORKER_TIMEOUT", "30")),
    ),
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


def main(mode: str, *arguments: str) -> int:
    """Run one of the functions above and print what it returned, or the code of its error."""
    start_at = float(os.environ.get("WORKER_START", "0"))
    time.sleep(max(0.0, start_at - time.time()))
    try:
        print(json.dumps({"ok": globals()[mode](*arguments)}), flush=True)
    except click.ClickException as error:
        print(json.dumps({"error": getattr(error, "code", "click")}), flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
