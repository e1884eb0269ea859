"""Four workers on two "machines" share one account: `python examples/fleet.py`.

It starts a Redis (`redis-server` has to be installed) and the authorization server that click-auth
ships, logs in once, and lets four processes, two on each machine, use tokens that live two seconds.
Then it draws who refreshed when: for each expiry one worker asked the server, the others adopted.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from click_auth import Auth, OAuthProvider
from click_auth.redis import RedisTokenStore
from click_auth.testing import AuthorizationServer, logged_in

WORKERS = (("a", 1), ("a", 2), ("b", 1), ("b", 2))
SECONDS = 12.0
COLUMNS = 60


def make_auth() -> Auth:
    """Return an `Auth` whose account lives in Redis: all that a worker needs."""
    server = os.environ["DEMO_SERVER"]
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint=f"{server}/authorize",
        token_endpoint=f"{server}/token",
        api_url=f"{server}/api",
    )
    store = RedisTokenStore(os.environ["DEMO_REDIS"], app_name="todo", key=bytes(32), lease=2.0)
    return Auth("todo", provider, store=store)


def work(began: float) -> None:
    """Use tokens until the time is over; print when each was first seen."""
    auth, seen = make_auth(), set[str]()
    while time.time() - began < SECONDS:
        token = auth.access_token()
        if token not in seen:
            seen.add(token)
            print(f"{time.time() - began:.3f} {token}", flush=True)
        time.sleep(0.05)


def start(machine: str, began: float) -> subprocess.Popen[str]:
    """Start a worker on a machine: a folder of its own is all that makes one here."""
    words = [sys.executable, __file__, str(began)]
    variables = {**os.environ, "TODO_CONFIG_DIR": f"{os.environ['DEMO_FOLDER']}/machine-{machine}"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=variables)


def draw(outputs: list[str]) -> str:
    """Return the picture: `#` where a worker refreshed, `.` where it adopted."""
    moments = [
        {token: float(moment) for moment, token in map(str.split, output.splitlines())}
        for output in outputs
    ]
    first = {
        token: min(seen[token] for seen in moments if token in seen)
        for token in {token for seen in moments for token in seen}
    }
    lines = []
    for (machine, number), seen in zip(WORKERS, moments, strict=True):
        row = [" "] * COLUMNS
        for token, moment in seen.items():
            column = min(int(moment / SECONDS * COLUMNS), COLUMNS - 1)
            row[column] = "#" if moment == first[token] else "."
        lines.append(f"machine {machine}, worker {number} |{''.join(row)}|")
    return "\n".join([*lines, f"{'':20}0 s{f'{SECONDS:g} s':>{COLUMNS - 3}}"])


def run_fleet(folder: Path, redis_port: int) -> None:
    """Log in once, let the workers work, and show what they did."""
    with AuthorizationServer() as server:
        server.access_token_lifetime = 2.0
        os.environ.update(
            DEMO_SERVER=server.url,
            DEMO_REDIS=f"redis://127.0.0.1:{redis_port}/0",
            DEMO_FOLDER=str(folder),
            TODO_CONFIG_DIR=str(folder / "login"),
        )
        logged_in(make_auth(), server=server, expires_in=2.0)
        began = time.time() + 2.0
        workers = [start(machine, began) for machine, _ in WORKERS]
        print(draw([worker.communicate()[0] for worker in workers]))
        requests = len(server.posts("token", grant_type="refresh_token"))
        print(f"{requests} refreshes, {server.reuse_count} of them with a spent token")


def main() -> None:
    """Start what is needed, and end it."""
    if len(sys.argv) > 1:
        work(float(sys.argv[1]))
        return
    program = shutil.which("redis-server") or sys.exit("This needs redis-server.")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        words = [program, "--port", str(port), "--save", "", "--dir", folder]
        redis = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            run_fleet(Path(folder), port)
        finally:
            redis.kill()
            redis.wait()


if __name__ == "__main__":
    main()
