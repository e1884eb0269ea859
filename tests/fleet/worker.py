"""One process of a fleet: `worker.py MODE [ARGUMENT]`, told where things are by its environment."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import Any

import click

from click_auth import Auth, OAuthProvider
from click_auth.redis import RedisTokenStore

SHIFT = float(os.environ.get("FLEET_CLOCK", "0"))


def made() -> Auth:
    """Return an `Auth` whose account lives in Redis."""
    issuer = os.environ["FLEET_ISSUER"]
    lease = float(os.environ["FLEET_LEASE"])
    store = RedisTokenStore(os.environ["FLEET_REDIS"], app_name="todo", key=None, lease=lease)
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/token",
        revocation_endpoint=f"{issuer}/revoke",
        api_url=f"{issuer}/api",
        http_timeout=float(os.environ.get("FLEET_TIMEOUT", "30")),
    )
    return Auth("todo", provider, store=store)


def token(auth: Auth) -> str:
    """Return a fresh token."""
    return auth.access_token()


def refresh(auth: Auth) -> str:
    """Rotate, and return the new token."""
    return auth.refresh().access_token


def through(auth: Auth, count: str) -> list[str]:
    """Use tokens one after the other until *count* different ones were seen."""
    seen: list[str] = []
    while len(seen) < int(count):
        current = auth.access_token()
        if current not in seen:
            seen.append(current)
        time.sleep(0.01)
    return seen


def waits(auth: Auth, seconds: str) -> dict[str, Any]:
    """Use tokens for a while; return what came of it and the longest wait for one."""
    with contextlib.suppress(click.ClickException):
        auth.access_token()  # what has to be imported for a refresh is here now
    end, found, longest = time.monotonic() + float(seconds), {"ok": 0}, 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            auth.access_token()
        except click.ClickException as error:
            name = getattr(error, "code", "click")
            found[name] = found.get(name, 0) + 1
        else:
            found["ok"] += 1
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.01)
    return {**found, "longest": longest}


def asks(auth: Auth, seconds: str) -> int:
    """Ask the service who we are for a while, with one client; return how often it said so."""
    end, count = time.monotonic() + float(seconds), 0
    with auth.client() as client:
        while time.monotonic() < end:
            client.get("/me").raise_for_status()
            count += 1
            time.sleep(0.05)
    return count


def main(mode: str, *arguments: str) -> int:
    """Run one of the functions above and print what it returned, or the code of its error."""
    if SHIFT:
        import time_machine

        time_machine.travel(time.time() + SHIFT, tick=True).start()
    try:
        click.echo(json.dumps({"ok": globals()[mode](made(), *arguments)}))
    except click.ClickException as error:
        found = {"error": getattr(error, "code", "click"), "message": error.message}
        click.echo(json.dumps(found))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
