"""What is a moment and no cost: how long a login takes, a lock stays free, an event loop waits."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from click_auth.locks.account_lock import exclusive
from integration.todo import Todo
from measure import Program
from world import HERE, log_in

LOGIN_GOAL_SECONDS = 1.0
WAITER_GOAL_MS = 20.0
LOOP_GOAL_MS = 5.0
RELEASES_PER_ROUND = 10


def report_logins(todo: Todo, rounds: int) -> None:
    """Print how long a login takes once the person has agreed."""
    seconds = [log_in(todo) for _ in range(rounds)]
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    verdict = "met" if middle < LOGIN_GOAL_SECONDS else "**missed**"
    print(
        f"\nA login, from the redirect to the end of the process: {middle:.2f} s "
        f"[{low:.2f}-{high:.2f}], to be under {LOGIN_GOAL_SECONDS} s: {verdict}.",
        flush=True,
    )


def report_waiters(folder: Path, rounds: int) -> None:
    """Print how long a lock that another process waits for stays free after its release."""
    latencies = waits(folder / "waited-for.lock", rounds * RELEASES_PER_ROUND)
    verdict = "met" if statistics.median(latencies) < WAITER_GOAL_MS else "**missed**"
    print(
        f"\nA waiter has the lock after its release, {len(latencies)} times: "
        f"{tenths(latencies)} ms, the median to be under {WAITER_GOAL_MS:.0f} ms: {verdict}.",
        flush=True,
    )


def waits(path: Path, count: int) -> list[float]:
    """Return the milliseconds between the moment that we let go and the one that another had it."""
    command = [sys.executable, str(HERE / "waiter.py"), str(path)]
    latencies = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as waiter:
        assert waiter.stdin is not None
        assert waiter.stdout is not None
        for _ in range(count):
            with exclusive(path, 0.0):
                waiter.stdin.write("\n")
                waiter.stdin.flush()
                assert waiter.stdout.readline() == "waiting\n"
                # No multiple of anything: a release falls anywhere between two looks.
                time.sleep(random.uniform(0.03, 0.06))
                released = time.monotonic()
            latencies.append((float(waiter.stdout.readline()) - released) * 1000)
    return latencies


def report_loop(ours: Program, fixed: Program, rounds: int) -> None:
    """Print how long the event loop of a thousand requests was held, by us and altogether."""
    pairs = [[json.loads(each.run()["stdout"]) for each in (ours, fixed)] for _ in range(rounds)]
    held = [mine["held"] for mine, _ in pairs]
    verdict = "met" if statistics.median(held) <= LOOP_GOAL_MS else "**missed**"
    print(
        f"\nThe event loop of the async requests, the longest of each run: held by our code for "
        f"{tenths(held)} ms ({tenths([mine['computed'] for mine, _ in pairs])} ms of it CPU), "
        f"to be at most {LOOP_GOAL_MS:.0f} ms: {verdict}; a tick late by anything at all for "
        f"{tenths([mine['late'] for mine, _ in pairs])} ms, with a fixed header for "
        f"{tenths([theirs['late'] for _, theirs in pairs])} ms.",
        flush=True,
    )


def tenths(values: Sequence[float]) -> str:
    """Return the median and, in brackets, the least and the greatest, to a tenth."""
    return f"{statistics.median(values):.1f} [{min(values):.1f}-{max(values):.1f}]"
