"""Rounds of one kill each, at every write or at random moments."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from crash.place import CrashPlace

STORAGES = ("plaintext", "system")


def short_and_long(short: int, long: int) -> list[object]:
    """Return the two forms of a test that does something *short* or *long* times at most."""
    marks = (pytest.mark.long, pytest.mark.timeout(1800))
    return [pytest.param(short, id="short"), pytest.param(long, id="long", marks=marks)]


def spread(count: int, most: int) -> list[int]:
    """Return the numbers from 1 to *count*, or *most* of them, evenly spread."""
    chosen = min(count, most)
    return [1 + number * count // chosen for number in range(chosen)]


def random_moments(place: CrashPlace, rounds: int, mode: str, *arguments: str) -> Iterator[float]:
    """Return moments, in seconds, at which a process of that mode may be at work."""
    runs = []
    for _ in range(3):
        began = time.monotonic()
        place.run(mode, *arguments)
        runs.append(time.monotonic() - began)
    return (random.uniform(0.2, 1.0) * min(runs) for _ in range(rounds))
