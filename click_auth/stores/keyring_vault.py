"""The operating system's keyring as a vault: whole secrets, however little one slot holds.

A secret that is longer than a backend can hold is split. The pieces lie in `<slot>#1` and so on,
the head slot holds a manifest that names them. New pieces never overwrite those that the manifest
names, and the manifest is written last: a crash leaves the old secret readable, or the new one.
"""

from __future__ import annotations

import contextlib
import os
from binascii import crc32
from functools import partial
from typing import TYPE_CHECKING

from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.stores.keyring_backends import KeyringFault
from click_auth.stores.keyring_client import KeyringClient
from click_auth.stores.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Put = Callable[[str, str], None]

_MARK = "click-auth-pieces:"
_MOST_PIECES = 999
_BASIC_PLANE = "\uffff"
_MOST_CHARACTERS = 1200  # of a piece: Windows takes 2,560 bytes of UTF-16 with what it adds
_SPLITTABLE = ("truncating", "lying", "failing")


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Give the code of a failed write to whatever fails within the block, a read included."""
    try:
        yield
    except KeyringFault as fault:
        fault.code = STORE_WRITE_FAILED
        raise


class KeyringVault(Vault):
    """The secrets of one application, each in a service of its own, `<app>/<slot>`.

    A call may take *seconds*, by default three, and longer where a person may be asked.
    """

    def __init__(self, app_name: str, seconds: float | None = None) -> None:
        self._client = KeyringClient(app_name, seconds)
        self._has_split = False  # somebody, for a reason

    @property
    def backend_name(self) -> str:
        """The backend's class, dotted; "unknown" until it was touched."""
        return self._client.backend.name

    @property
    def origin(self) -> str | None:
        """The backend's class, where keyring finds it by its name."""
        return self._client.backend.origin

    def get(self, slot: str, origin: str | None = None) -> str | None:
        """Return the secret in *slot*, None where there is none.

        *origin* is the backend it was written with; then no search for a backend is needed,
        unless the secret is not there: it may have moved.
        """
        self._client.remember(origin)
        _, secret = self._load(slot)
        if secret is None and self._client.search_anew():
            _, secret = self._load(slot)
        return secret

    @_writing()
    def set(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot*, read it back, and return what the slot held before.

        A secret that is there already is not written again: on macOS a write takes back what
        the person has allowed.
        """
        head, before = self._load(slot)
        if before != secret:
            self._store(slot, secret, head, partial(self._client.write, before=head))
        return before

    @_writing()
    def replace(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot* and read it back, without a look at what it held before."""
        head = self._client.read(slot) if self._is_small else None
        self._store(slot, secret, head, self._client.overwrite)
        return None

    @_writing()
    def delete(self, slot: str) -> None:
        """Empty *slot* and whatever pieces it has. Harmless where it is empty."""
        head = self._client.read(slot)
        numbers, _ = _parse_manifest(head)
        if numbers or self._is_small:  # then an interrupted write has left some
            number = 1
            while number < numbers.stop or self._client.read(f"{slot}#{number}") is not None:
                self._client.erase(f"{slot}#{number}")
                number += 1
        if head is not None:
            self._client.erase(slot)

    @_writing()
    def check(self) -> None:
        """Raise `StorageUnavailable` unless there is a backend that is a system keyring."""
        self._client.check()

    def probe(self) -> None:
        """Raise `StorageUnavailable` unless the keyring keeps what it is given. It may prompt."""
        slot = f"probe-{os.getpid()}"
        self.set(slot, "probe")
        with contextlib.suppress(StorageUnavailable):  # KeePassXC may lock it again at once
            self.delete(slot)

    @_writing()
    def confirm(self, slot: str, origin: str | None = None, secret: str | None = None) -> None:
        """Write what *slot* holds once more; an empty slot is tried with another one.

        Of a secret in pieces the manifest is written: one write, where the next one switches.
        """
        self._client.remember(origin)
        is_whole = secret is not None and not self._is_small
        head = secret if is_whole else self._client.read(slot)
        if head is None:
            self.probe()
        else:
            self._client.set(slot, head)

    @property
    def _is_small(self) -> bool:
        return self._client.backend.is_small or self._has_split

    def _load(self, slot: str) -> tuple[str | None, str | None]:
        """Return the text of the head slot, and the secret, put together where it is split."""
        head, before = self._client.read(slot), None
        while head != before:
            numbers, checksum = _parse_manifest(head)
            if not numbers:
                return head, head
            self._has_split = True
            pieces = [self._client.read(f"{slot}#{number}") for number in numbers]
            secret = "".join(filter(None, pieces))
            if _checksum(secret) == checksum:
                return head, secret
            # A writer may have switched to new pieces meanwhile.
            head, before = self._client.read(slot), head
        return head, None

    def _store(self, slot: str, secret: str, head: str | None, put: _Put) -> None:
        """Put *secret* into *slot*, whose head slot holds *head*; *put* writes the new head."""
        old, _ = _parse_manifest(head)
        try:
            put(slot, self._lay_out(slot, secret, old, is_small=self._is_small))
        except KeyringFault as fault:
            is_long = len(secret) > _MOST_CHARACTERS
            if self._is_small or not is_long or fault.kind not in _SPLITTABLE:
                raise
            old, _ = _parse_manifest(head or self._client.read(slot))  # `replace` has not looked
            put(slot, self._lay_out(slot, secret, old, is_small=True))
            self._has_split = True
        with contextlib.suppress(StorageUnavailable):  # the new secret is there; `delete` sweeps
            for number in old:
                self._client.erase(f"{slot}#{number}")

    def _lay_out(self, slot: str, secret: str, old: range, *, is_small: bool) -> str:
        """Write the pieces of *secret* if it needs any; return what its head slot is to hold."""
        pieces = _pieces(secret) if is_small else [secret]
        if len(pieces) == 1 and not secret.startswith(_MARK):
            return secret
        first = old.stop if old and old.start <= len(pieces) else 1  # none that is in use
        for number, piece in enumerate(pieces, start=first):
            self._client.write(f"{slot}#{number}", piece, None)
        return f"{_MARK}{first}:{len(pieces)}:{_checksum(secret):08x}"


def _pieces(secret: str) -> list[str]:
    is_basic = all(character <= _BASIC_PLANE for character in secret)
    step = _MOST_CHARACTERS if is_basic else _MOST_CHARACTERS // 2
    return [secret[begin : begin + step] for begin in range(0, len(secret), step)] or [secret]


def _parse_manifest(head: str | None) -> tuple[range, int]:
    """Return the numbers of a secret's pieces, none where it is whole, and their checksum."""
    if head is not None and head.startswith(_MARK):
        with contextlib.suppress(ValueError):
            first, amount, checksum = head[len(_MARK) :].split(":")
            numbers = range(int(first), int(first) + int(amount))
            if numbers and numbers.start >= 1 and len(numbers) <= _MOST_PIECES:
                return numbers, int(checksum, 16)
    return range(0), 0


def _checksum(secret: str) -> int:
    return crc32(secret.encode("utf-8", "surrogatepass"))
