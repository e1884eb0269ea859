"""What one account on many machines costs, beside the same account in a record file."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from click_auth.testing import AuthorizationServer, logged_in
from fleet.machines import KEY
from fleet.redis_server import RedisServer
from fleet_program import made
from measure import HEADER, Program, Row, Sample

HERE = Path(__file__).parent
WORKER = HERE.parent / "tests" / "fleet" / "worker.py"
LEASE = 2.0


def rows(environment: dict[str, str], folder: Path) -> list[Row]:
    """Return the table's rows."""

    def program(where: str, what: str) -> Program:
        command = [sys.executable, str(HERE / "fleet_program.py"), where, what]
        return Program(command, environment, folder, reports=what == "refresh")

    def wall(sample: Sample) -> float:
        return sample.wall

    return [
        Row(name, "record file", program("redis", what), program("file", what), goal, wall)
        for name, what, goal in (
            ("a refresh that nobody else wants", "refresh", 1.15),
            ("a fresh token, process and all", "token", 1.5),
        )
    ]


def waits(environment: dict[str, str], server: AuthorizationServer) -> str:
    """Return how long eight contenders wait, and how long others do after a SIGKILL."""
    words = [sys.executable, str(WORKER)]
    server.access_token_lifetime = 2.0
    logged_in(made("redis"), server=server, expires_in=-5.0)
    crowd = [
        subprocess.Popen([*words, "waits", "6"], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    longest = [json.loads(each.communicate()[0])["ok"]["longest"] for each in crowd]
    server.access_token_lifetime = 3600.0
    killed: list[subprocess.Popen[str]] = []

    def kill(_request: object) -> None:
        server.faults.hooks.pop("token")
        killed[0].send_signal(signal.SIGKILL)

    time.sleep(2)
    server.faults.hooks["token"] = kill
    killed.append(subprocess.Popen([*words, "refresh"], env=environment))
    killed[0].wait()
    began = time.monotonic()
    subprocess.run([*words, "token"], env=environment, stdout=subprocess.DEVNULL, check=False)
    after = time.monotonic() - began
    return (
        f"8 contenders: median {statistics.median(longest):.2f} s (goal 0.3 s); after a SIGKILL "
        f"{after:.2f} s, its process included (lease {LEASE:g} s)"
    )


def measure_fleet(folder: Path, rounds: int) -> None:
    """Print what it costs."""
    redis = RedisServer(folder / "redis").start()
    try:
        with AuthorizationServer() as server:
            environment = {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                "TODO_CONFIG_DIR": str(folder / "todo"),
                "TODO_AUTH_KEY": KEY,
                "FLEET_REDIS": redis.url,
                "FLEET_ISSUER": server.url,
                "FLEET_LEASE": str(LEASE),
            }
            os.environ.update(environment)
            for where in ("redis", "file"):
                logged_in(made(where), server=server)
            print(HEADER)
            for row in rows(environment, folder):
                print(row.measure(rounds).line(), flush=True)
            print(waits(environment, server))
    finally:
        redis.kill()
