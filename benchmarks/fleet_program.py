"""`fleet_program.py redis|file token|refresh`: a token or some refreshes, from either store."""

from __future__ import annotations

import json
import os
import sys
import time

from click_auth import Auth, OAuthProvider

REFRESHES = 20


def made(where: str) -> Auth:
    """Return an `Auth` on Redis, or on a record file in plain text."""
    issuer = os.environ["FLEET_ISSUER"]
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/token",
        api_url=f"{issuer}/api",
    )
    if where == "file":
        return Auth("todo", provider, storage="plaintext")
    from click_auth.redis import RedisTokenStore

    return Auth(
        "todo",
        provider,
        store=RedisTokenStore(os.environ["FLEET_REDIS"], app_name="todo", key=None),
    )


def main(where: str, what: str) -> None:
    """Print a token, or what some refreshes cost once everything is imported."""
    auth = made(where)
    if what == "token":
        print(auth.access_token())
        return
    auth.refresh()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(REFRESHES):
        auth.refresh()
    cost = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({name: seconds * 1000 / REFRESHES for name, seconds in cost.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
