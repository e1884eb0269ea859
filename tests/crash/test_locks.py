"""Many contenders for the lock of the dead, and for one where the file system has no locks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.contest import contest
from crash.figures import Kills, Print
from crash.place import SECONDS_TO_RECOVER, TESTS, CrashPlace
from crash.rounds import short_and_long, spread

CONTENDERS = 8
NO_LOCKS = {"CRASH_NO_LOCKS": "1"}


@pytest.fixture
def lockless_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that refuses every lock."""
    source, mountpoint = tmp_path / "source", tmp_path / "mounted"
    source.mkdir()
    mountpoint.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "crash.lockless", str(source), str(mountpoint)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    while not os.path.ismount(mountpoint):
        if server.poll() is not None:
            pytest.skip(f"no FUSE here: {server.communicate()[1].strip().splitlines()[-1]}")
        time.sleep(0.02)
    yield mountpoint
    server.terminate()
    server.communicate(timeout=30)


def compete(folder: Path, journal: Path, rounds: int, **environ: str) -> str:
    """Let everybody want a dead lock, over and over; return the figures."""
    began = time.monotonic()
    with contest(CONTENDERS, journal, **environ) as contenders:
        for number in range(rounds):
            path = folder / f"{number % 3}.lock"
            contenders.leave_dead(path)
            contenders.everybody_holds(path)
            assert not path.exists()
    holds = contenders.holds()
    assert holds == rounds * CONTENDERS
    return f"{holds} holds in {rounds} rounds, one at a time, {time.monotonic() - began:.1f} s"


@pytest.mark.parametrize("rounds", short_and_long(40, 1000))
def test_lk_03_contenders_for_a_dead_lock(tmp_path: Path, rounds: int, figure: Print) -> None:
    """Eight processes take over the lock of a killed one: never two at once."""
    figure(compete(tmp_path, tmp_path / "journal", rounds))


@pytest.mark.parametrize("rounds", short_and_long(20, 500))
def test_contenders_where_locks_are_refused(tmp_path: Path, rounds: int, figure: Print) -> None:
    """The same where every lock fails with ENOLCK: the file itself is the lock."""
    figure(compete(tmp_path, tmp_path / "journal", rounds, **NO_LOCKS))


@pytest.mark.parametrize("rounds", short_and_long(10, 200))
def test_contenders_on_a_lockless_file_system(
    lockless_folder: Path, tmp_path: Path, rounds: int, figure: Print
) -> None:
    """The same on a real file system that refuses locks."""
    figure(compete(lockless_folder, tmp_path / "journal", rounds))


def test_crowd_on_a_lockless_file_system(place: CrashPlace, lockless_folder: Path) -> None:
    """Six processes with an expired token, and no locks: one request, six successes."""
    place.folder = lockless_folder / "todo"
    place.log_in()
    place.server.faults.delay_answer["token"] = 0.5
    results = place.crowd(6, "token")
    tokens = {result.get("ok") for result in results}
    assert (len(tokens), None in tokens, place.server.refresh_count) == (1, False, 1)
    assert place.leftovers() == []


@pytest.mark.parametrize("most", short_and_long(3, 999))
def test_lk_01_killed_at_a_write_where_locks_are_refused(
    place: CrashPlace, most: int, figure: Print
) -> None:
    """Dying at any write without the kernel's locks delays the next process by seconds only."""
    place.log_in()
    kills, slowest = Kills(), 0.0
    writes = place.writes("refresh", "1", **NO_LOCKS)
    for at in spread(len(writes), most):
        victim = place.killed_at(at, "refresh", "1", **NO_LOCKS)
        sent = place.stored_refresh_token()
        began = time.monotonic()
        found = place.run("refresh", "1", **NO_LOCKS).get("error", "ok")
        slowest = max(slowest, time.monotonic() - began)
        kills.count(victim, found)
        if found != "ok":
            assert (found, place.was_rotated(sent)) == ("AUTH_REFRESH_EXPIRED", True)
            place.log_in()
        assert place.leftovers() == []
    assert slowest < SECONDS_TO_RECOVER
    figure(f"{len(writes)} writes; {kills}; the slowest next command took {slowest:.1f} s")
