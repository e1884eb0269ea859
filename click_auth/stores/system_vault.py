"""The operating system's keyring as a vault: whole secrets, however little one slot holds.

A secret that is longer than a backend can hold is split. The pieces lie in `<slot>#1` and so on,
the head slot holds a manifest that names them. New pieces never overwrite those that the manifest
names, and the manifest is written last: a crash leaves the old secret readable, or the new one.
"""

from __future__ import annotations

import contextlib
import os
from binascii import crc32
from typing import TYPE_CHECKING, NamedTuple

from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.stores.keychain import CALL_SECONDS, Keychain, most_seconds
from click_auth.stores.keyring_errors import KeyringFault, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = "click-auth-pieces:"
_MOST_PIECES = 999
_BASIC_PLANE = "\uffff"
_CAREFUL_LIMIT = 1200  # characters; for a backend that chokes on longer secrets
_SPLITTABLE: tuple[Kind, ...] = ("truncating", "lying", "failing")


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Give the code of a failed write to whatever fails within the block, a read included."""
    try:
        yield
    except KeyringFault as trouble:
        trouble.code = STORE_WRITE_FAILED
        raise


class _Manifest(NamedTuple):
    """Which pieces make a secret, and what they add up to."""

    numbers: range
    checksum: int


class SystemVault:
    """The secrets of one application, each in a service of its own, `<app>/<slot>`.

    A call may take *seconds*, and longer where a person may be asked.
    """

    def __init__(self, app_name: str, seconds: float = CALL_SECONDS) -> None:
        self._keychain = Keychain(app_name, seconds)
        self._learned_limit: int | None = None

    @property
    def backend_name(self) -> str:
        """The backend's class, dotted; "unknown" until it was touched."""
        return self._keychain.backend.name

    @property
    def origin(self) -> str | None:
        """The backend's class, where keyring finds it by its name."""
        return self._keychain.backend.origin

    def get(self, slot: str, origin: str | None = None) -> str | None:
        """Return the secret in *slot*, None where there is none.

        *origin* is the backend it was written with; then no search for a backend is needed,
        unless the secret is not there: it may have moved.
        """
        self._keychain.remember(origin)
        _, secret = self._load(slot)
        if secret is None and self._keychain.search_anew():
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
            self._store(slot, secret, head)
        return before

    @_writing()
    def delete(self, slot: str) -> None:
        """Empty *slot* and whatever pieces it has. Harmless where it is empty."""
        head = self._keychain.read(slot)
        manifest = _manifest(head)
        if manifest is not None or self._limit is not None:  # then an interrupted write has some
            number, last = 1, manifest.numbers[-1] if manifest else 0
            while number <= last or self._keychain.read(f"{slot}#{number}") is not None:
                self._keychain.erase(f"{slot}#{number}")
                number += 1
        if head is not None:
            self._keychain.erase(slot)

    @_writing()
    def check(self) -> None:
        """Raise `StorageUnavailable` unless there is a backend that is a system keyring."""
        self._keychain.check()

    def probe(self) -> None:
        """Raise `StorageUnavailable` unless the keyring keeps what it is given. It may prompt."""
        slot = f"probe-{os.getpid()}"
        self.set(slot, "probe")
        with contextlib.suppress(StorageUnavailable):  # KeePassXC may lock it again at once
            self.delete(slot)

    @_writing()
    def confirm(self, slot: str, origin: str | None = None) -> None:
        """Write what *slot* holds once more; an empty slot is tried with another one.

        Of a secret in pieces the manifest is written: one write, where the next one switches.
        """
        self._keychain.remember(origin)
        head = self._keychain.read(slot)
        if head is None:
            self.probe()
        else:
            self._keychain.write(slot, head, head)

    @contextlib.contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Wait *seconds* for each call within the block, and not less than ever."""
        token = most_seconds.set(seconds)
        try:
            yield
        finally:
            most_seconds.reset(token)

    @property
    def _limit(self) -> int | None:
        return self._keychain.backend.limit or self._learned_limit

    def _load(self, slot: str) -> tuple[str | None, str | None]:
        """Return the text of the head slot, and the secret, put together where it is split."""
        head = self._keychain.read(slot)
        while True:
            manifest = _manifest(head)
            if manifest is None:
                return head, head
            pieces = [self._keychain.read(f"{slot}#{number}") for number in manifest.numbers]
            secret = "".join(filter(None, pieces))
            if _checksum(secret) == manifest.checksum:
                return head, secret
            again = self._keychain.read(slot)  # a writer may have switched to new pieces meanwhile
            if again == head:
                return head, None
            head = again

    def _store(self, slot: str, secret: str, head: str | None) -> None:
        try:
            self._write(slot, secret, head, self._limit)
        except KeyringFault as trouble:
            could_split = self._limit is None and len(secret) > _CAREFUL_LIMIT
            if not could_split or trouble.kind not in _SPLITTABLE:
                raise
            self._write(slot, secret, head, _CAREFUL_LIMIT)
            self._learned_limit = _CAREFUL_LIMIT

    def _write(self, slot: str, secret: str, head: str | None, limit: int | None) -> None:
        """Put *secret* into *slot*, whose head slot holds *head*; split it beyond *limit*."""
        old = _manifest(head)
        pieces = _pieces(secret, limit)
        if len(pieces) == 1 and not secret.startswith(_MARK):
            self._keychain.write(slot, secret, head)
        else:
            is_room_below = old is None or old.numbers.start > len(pieces)
            first = 1 if old is None or is_room_below else old.numbers.stop
            for number, piece in enumerate(pieces, start=first):
                self._keychain.write(f"{slot}#{number}", piece, None)
            manifest = f"{_MARK}{first}:{len(pieces)}:{_checksum(secret):08x}"
            self._keychain.write(slot, manifest, head)
        with contextlib.suppress(StorageUnavailable):  # the new secret is there; `delete` sweeps
            for number in old.numbers if old else ():
                self._keychain.erase(f"{slot}#{number}")


def _pieces(secret: str, limit: int | None) -> list[str]:
    if limit is None or not secret:
        return [secret]
    step = limit if max(secret) <= _BASIC_PLANE else limit // 2
    return [secret[begin : begin + step] for begin in range(0, len(secret), step)]


def _manifest(head: str | None) -> _Manifest | None:
    if head is None or not head.startswith(_MARK):
        return None
    try:
        first, amount, checksum = head[len(_MARK) :].split(":")
        numbers = range(int(first), int(first) + int(amount))
        manifest = _Manifest(numbers, int(checksum, 16))
    except ValueError:
        return None
    is_sane = numbers.start >= 1 and 1 <= numbers.stop - numbers.start <= _MOST_PIECES
    return manifest if is_sane else None


def _checksum(secret: str) -> int:
    return crc32(secret.encode("utf-8", "surrogatepass"))
