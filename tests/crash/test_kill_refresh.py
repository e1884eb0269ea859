"""A refresh that is killed, wherever it is: the session lives, or the server had moved on."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest

from crash.figures import Kills, Print
from crash.place import CrashPlace, Victim
from crash.rounds import STORAGES, random_moments, short_and_long, spread


def after_a_crash(place: CrashPlace, victim: Victim, kills: Kills) -> None:
    """Check what stands after *victim*, and count it."""
    place.check_nothing_torn()
    kills.count(victim, place.next_command(place.stored_refresh_token()))
    assert place.leftovers() == []


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("most", short_and_long(5, 999))
def test_fs_13_rf_04_killed_at_a_write(
    place: CrashPlace, storage: str, most: int, figure: Print
) -> None:
    """A refresh that dies at any of its writes costs the session only in the window."""
    place.storage, kills = storage, Kills()
    place.log_in()
    writes = place.writes("refresh", "1")
    for at in spread(len(writes), most):
        victim = place.killed_at(at, "refresh", "1")
        assert victim.killed
        after_a_crash(place, victim, kills)
    figure(f"{len(writes)} writes; {kills}")


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("rounds", short_and_long(2, 40))
def test_lk_01_killed_at_a_random_moment(
    place: CrashPlace, storage: str, rounds: int, figure: Print
) -> None:
    """The same at any moment of a whole process."""
    place.storage, kills = storage, Kills()
    place.log_in()
    for moment in random_moments(place, rounds, "refresh", "1"):
        after_a_crash(place, place.killed_after(moment, "refresh", "1"), kills)
    figure(kills)


@pytest.mark.parametrize("rounds", short_and_long(3, 40))
def test_killed_around_the_answer(place: CrashPlace, rounds: int, figure: Print) -> None:
    """The same in the few milliseconds between the request and the end of the write."""
    place.storage, kills = "system", Kills()
    place.log_in()
    for number in range(rounds):
        asked = place.asked()
        process = place.start("refresh", "1", **place.counting)
        assert asked.wait(60)
        time.sleep(number * 0.04 / rounds)
        process.kill()
        after_a_crash(place, place.ended(process), kills)
    figure(kills)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("rounds", short_and_long(3, 40))
def test_lk_12_interrupted_around_the_answer(
    place: CrashPlace, number: signal.Signals, rounds: int, figure: Print
) -> None:
    """A signal that a process may handle never costs the session: it waits for the write."""
    place.storage = "system"
    place.log_in()
    codes: Counter[int] = Counter()
    for each in range(rounds):
        asked = place.asked()
        process = place.start("refresh", "1")
        assert asked.wait(60)
        time.sleep(each * 0.04 / rounds)
        process.send_signal(number)
        process.communicate(timeout=60)
        codes[process.returncode] += 1
        assert place.next_command(sent=None) == "ok"
        assert place.leftovers() == []
    assert place.server.reuse_count == 0
    figure(f"{rounds} of {rounds} sessions live; exit codes {dict(codes)}")
