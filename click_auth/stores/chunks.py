"""Secrets longer than a backend can hold, split over several slots.

The pieces lie in `<slot>#1` and so on, the head slot holds a manifest that names them. New
pieces never overwrite those that the manifest names, and the manifest is written last: a crash
leaves the old secret readable, or the new one.
"""

from __future__ import annotations

import contextlib
from binascii import crc32
from typing import NamedTuple, Protocol

from click_auth.errors import StorageUnavailable

_MARK = "click-auth-pieces:"
_MOST_PIECES = 999
_BASIC_PLANE = "\uffff"


class Slots(Protocol):
    """Slots of one backend, each as large as the backend allows."""

    def read(self, slot: str) -> str | None:
        """Return what the slot holds."""

    def write(self, slot: str, text: str, before: str | None) -> None:
        """Put *text* in place of *before* and make sure that it is there."""

    def erase(self, slot: str) -> None:
        """Empty the slot."""


class Loaded(NamedTuple):
    """What a slot holds: the text of its head, and the secret that it stands for."""

    head: str | None
    secret: str | None


class _Manifest(NamedTuple):
    first: int
    amount: int
    checksum: int

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.amount)


def load(slots: Slots, slot: str) -> Loaded:
    """Return the secret in *slot*, put together where it is split."""
    head = slots.read(slot)
    while True:
        manifest = _manifest(head)
        if manifest is None:
            return Loaded(head, head)
        pieces = [slots.read(f"{slot}#{number}") for number in manifest.numbers]
        secret = "".join(filter(None, pieces))
        if _checksum(secret) == manifest.checksum:
            return Loaded(head, secret)
        again = slots.read(slot)  # a writer may have switched to new pieces meanwhile
        if again == head:
            return Loaded(head, None)
        head = again


def store(slots: Slots, slot: str, secret: str, *, head: str | None, limit: int | None) -> None:
    """Put *secret* into *slot*, whose head slot holds *head*; split it beyond *limit*."""
    old = _manifest(head)
    pieces = _pieces(secret, limit)
    if len(pieces) == 1 and not secret.startswith(_MARK):
        slots.write(slot, secret, head)
    else:
        is_room_below = old is None or old.first > len(pieces)
        first = 1 if old is None or is_room_below else old.numbers.stop
        for number, piece in enumerate(pieces, start=first):
            slots.write(f"{slot}#{number}", piece, None)
        slots.write(slot, f"{_MARK}{first}:{len(pieces)}:{_checksum(secret):08x}", head)
    with contextlib.suppress(StorageUnavailable):  # the new secret is in place; `drop` sweeps
        for number in old.numbers if old else ():
            slots.erase(f"{slot}#{number}")


def drop(slots: Slots, slot: str, *, head: str | None, may_be_split: bool) -> None:
    """Empty *slot*, whose head slot holds *head*, and whatever pieces it has.

    Where it *may_be_split*, those of an interrupted write are looked for.
    """
    manifest = _manifest(head)
    if manifest is not None or may_be_split:
        number, last = 1, manifest.numbers[-1] if manifest else 0
        while number <= last or slots.read(f"{slot}#{number}") is not None:
            slots.erase(f"{slot}#{number}")
            number += 1
    if head is not None:
        slots.erase(slot)


def _pieces(secret: str, limit: int | None) -> list[str]:
    if limit is None or not secret:
        return [secret]
    step = limit if max(secret) <= _BASIC_PLANE else limit // 2
    return [secret[begin : begin + step] for begin in range(0, len(secret), step)]


def _manifest(head: str | None) -> _Manifest | None:
    if head is None or not head.startswith(_MARK):
        return None
    try:
        first, count, checksum = head[len(_MARK) :].split(":")
        manifest = _Manifest(int(first), int(count), int(checksum, 16))
    except ValueError:
        return None
    is_sane = manifest.first >= 1 and 1 <= manifest.amount <= _MOST_PIECES
    return manifest if is_sane else None


def _checksum(secret: str) -> int:
    return crc32(secret.encode("utf-8", "surrogatepass"))
