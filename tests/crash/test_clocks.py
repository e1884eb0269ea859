"""A wall clock that is hours or a year wrong, always or all of a sudden."""

from __future__ import annotations

import pytest

from crash.figures import Print
from crash.place import CrashPlace

HOUR, YEAR = 3600, 365 * 86400
SHIFTS = {
    "two hours ahead": 2 * HOUR,
    "two hours back": -2 * HOUR,
    "a year ahead": YEAR,
    "a year back": -YEAR,
}


def short_if(*chosen: str) -> list[object]:
    """Return all shifts, those that are not *chosen* for the long form only."""
    marks = {shift: () if shift in chosen else (pytest.mark.long,) for shift in SHIFTS}
    return [pytest.param(shift, id=shift, marks=mark) for shift, mark in marks.items()]


def shifted(seconds: int) -> dict[str, str]:
    """Return what makes a process live at another time."""
    return {"CRASH_CLOCK": str(seconds)} if seconds else {}


def after_a_401(place: CrashPlace, seconds: int) -> int:
    """Let the server refuse the token; return how many requests it took to go on."""
    place.server.expire_access_tokens()
    before = place.server.refresh_count
    assert place.run("api", "3", **shifted(seconds)) == {"ok": ["ada"] * 3}
    return place.server.refresh_count - before


@pytest.mark.parametrize("shift", short_if("two hours back", "a year ahead"))
def test_rf_15_clock_that_is_steady(place: CrashPlace, shift: str, figure: Print) -> None:
    """A clock that is always wrong costs nothing: no refresh before its time, one after a 401."""
    seconds = SHIFTS[shift]
    assert place.run("login", "ada", **shifted(seconds)) == {"ok": "ada"}
    assert len(set(place.run("tokens", "5", **shifted(seconds))["ok"])) == 1
    assert place.server.refresh_count == 0
    assert after_a_401(place, seconds) == 1
    assert place.server.family_alive("ada")
    figure(f"{shift}: 0 requests while the token was good, 1 after a 401")


@pytest.mark.parametrize("shift", short_if("two hours ahead", "a year back"))
def test_rf_15_clock_that_jumps(place: CrashPlace, shift: str, figure: Print) -> None:
    """A clock that jumps between the login and a command, and back, costs one refresh at most."""
    seconds = SHIFTS[shift]
    assert place.run("login", "ada") == {"ok": "ada"}
    for moment in (seconds, 0):
        assert len(set(place.run("tokens", "5", **shifted(moment))["ok"])) == 1
    jumped = place.server.refresh_count
    assert jumped <= 1
    healed = after_a_401(place, seconds)
    assert healed <= 2
    assert place.server.family_alive("ada")
    figure(f"{shift}: {jumped} requests for the jump there and back, {healed} after a 401")


@pytest.mark.parametrize("shift", short_if("a year ahead"))
def test_clock_that_jumps_within_a_process(place: CrashPlace, shift: str, figure: Print) -> None:
    """A client that is used while the clock jumps there and back goes on, with one refresh more."""
    assert place.run("login", "ada") == {"ok": "ada"}
    assert place.run("jumping", str(SHIFTS[shift])) == {"ok": ["ada"] * 9}
    assert place.server.refresh_count <= 1
    figure(f"{shift}, and back: {place.server.refresh_count} requests")
