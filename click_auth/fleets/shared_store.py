"""A store made of a place that many machines share.

Each record, with its tokens, is one text of the place; what belongs to no account (the default
one, registered clients, migrations) is one more. The machines' clocks may disagree: the moments
in a text are those of the place's clock.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from click_auth.environment import Environment
from click_auth.errors import StoreUnreachable
from click_auth.fleets.places import StoredRecord
from click_auth.locks.account_lock import LockBusy, lock_seconds
from click_auth.record import CUSTOM, ENCRYPTED, Record
from click_auth.stores.account_store import AccountStore, Superseded
from click_auth.stores.document import (
    UNREADABLE,
    DamagedRecords,
    Document,
    json_bytes,
    loads,
    newer_format,
)
from click_auth.stores.records import Records
from click_auth.stores.token_store import RecordedTokenStore
from click_auth.stores.vault import MemoryVault, Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from click_auth.fleets.places import RecordStore, SecretStore, StoreLock
    from click_auth.stores.cipher import KeyGiven

_INDEX = "*"
_VERSION = "1"
_SECONDS_ALIKE = 1.0
"""Clocks that differ by less are taken for one."""

_PATIENT_SECONDS = 10.0
_RETRY_SECONDS = 0.1
_MOMENTS = ("access_token_expires_at", "refresh_token_expires_at", "access_token_obtained_at")


T = TypeVar("T")


class SharedTokenStore(RecordedTokenStore):
    """One account on many machines: records in *records*, tokens sealed in them or in *secrets*.

    *key* is what `Auth(key=)` takes, and `<APP>_AUTH_KEY` beats it; it is needed where there are
    no *secrets*. *clock* tells POSIX seconds on this machine.
    """

    def __init__(
        self,
        records: RecordStore,
        secrets: SecretStore | None = None,
        *,
        app_name: str,
        key: KeyGiven | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        policy = ENCRYPTED if secrets is None else CUSTOM
        vault = MemoryVault() if secrets is None else SecretVault(secrets)
        shared, environment = SharedRecords(records, clock), Environment(app_name)
        super().__init__(SharedAccountStore(shared, lambda: vault, policy, clock, environment, key))


class SharedAccountStore(AccountStore):
    """Accounts of which every change is compared with what the other machines have done."""

    records: SharedRecords

    def patiently(self) -> AbstractContextManager[None]:
        """Return a block within which a write is tried again while the place is away."""
        return self.records.patiently()


class SharedRecords(Records):
    """The texts of a `RecordStore` as records: each change of one is compared and set."""

    def __init__(self, records: RecordStore, clock: Callable[[], float]) -> None:
        super().__init__()
        self._records = records
        self._clock = clock
        self._held: dict[str, StoreLock] = {}
        self._behind: float | None = None
        self._patient_until = 0.0

    def document(self, content: bytes | None = None) -> Document:
        """Return everything that is stored."""
        del content
        return self._document(self._stored())

    def find(self, key: str) -> Record | None:
        """Return the record of *key*. Raises `StorageUnavailable` when that one is damaged."""
        return self._undamaged(self._document(self._stored(key)), key)

    def stamp(self) -> None:
        """Return None: to ask the place at each request costs more than it is worth."""

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[StoreLock]:
        """Hold the lock of an account on all machines. Raises `LockBusy`."""
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context(self._records.lock(key, lock_seconds()))
            except TimeoutError:
                raise LockedElsewhere(key) from None
            self._held[key], self._behind = lock, None
            stack.callback(self._held.pop, key, None)
            yield lock

    def confirm(self, key: str) -> None:
        """Write what is stored once more, and renew the lock."""
        stored = self._stored(key)
        text = self._document(stored).records.texts.get(key)
        if text is not None:
            self._swap(key, stored, text)
        if key in self._held:
            self._held[key].check()

    @contextlib.contextmanager
    def transaction(self, *, repair: bool = False) -> Iterator[Document]:
        """Change the document that this yields; each of its parts is compared and set.

        Raises `Overtaken` where somebody else has changed a record that this changes too.
        """
        stored = self._stored()
        draft = self._document(stored, repair=repair)
        before, index = dict(draft.records.texts), _index_of(draft)
        yield draft
        after = draft.records.texts
        for key in [key for key in {**before, **after} if before.get(key) != after.get(key)]:
            self._swap(key, stored, after.get(key))
        now = _index_of(draft)
        changed = {name: now[name] for name in now if now[name] != index.get(name)}
        if changed:
            self._change_index(changed, repair=repair)

    @contextlib.contextmanager
    def patiently(self) -> Iterator[None]:
        """Try again within the block, for a while, where the place is away."""
        self._patient_until = time.monotonic() + _PATIENT_SECONDS
        try:
            yield
        finally:
            self._patient_until = 0.0

    def _stored(self, key: str | None = None) -> dict[str, StoredRecord]:
        if key is None:
            return dict(self._insist(self._records.all))
        found = self._insist(partial(self._records.get, key))
        return {} if found is None else {key: found}

    def _document(self, stored: Mapping[str, StoredRecord], *, repair: bool = False) -> Document:
        texts = {key: _text_of(key, each) for key, each in stored.items()}
        try:
            root = loads(texts.pop(_INDEX, b"{}"))
            document = Document(root.pop("default", None), texts, root)
        except (*UNREADABLE, AttributeError, TypeError):
            if not repair:
                raise DamagedRecords("The data shared by all accounts is damaged.") from None
            document = Document(None, texts)
        if self._seconds_behind():
            for key, record in list(document.records.items()):
                document.records[key] = _moved(record, -self._seconds_behind())
        return document

    def _seconds_behind(self) -> float:
        """Return how far this machine's clock is behind that of the place; looked at per lock."""
        if self._behind is None:
            behind = self._records.now() - self._clock()
            self._behind = behind if abs(behind) > _SECONDS_ALIKE else 0.0
        return self._behind

    def _swap(self, key: str, stored: Mapping[str, StoredRecord], text: bytes | None) -> None:
        """Put *text* in place of what is *stored* under *key*. Raises `Overtaken`."""
        expected, new, end = stored[key].generation if key in stored else 0, None, None
        if text is not None:
            draft = Document(None, {key: text})
            if (record := draft.records.get(key)) is not None:
                draft.records[key] = record = _moved(record, self._seconds_behind())
                end = _end_of(record)
            generation = max(expected + 1, int(self._records.now() * 1000))
            new = StoredRecord(generation, f"{_VERSION} {draft.records.texts[key].decode()}")
        lock, swap = self._held.get(key), self._records.swap
        if not self._insist(partial(swap, key, expected, new, expires_at=end, lock=lock)):
            raise Overtaken

    def _change_index(self, changed: Mapping[str, Any], *, repair: bool) -> None:
        """Put *changed* into what belongs to no account, whatever else others change there."""
        while True:
            stored = self._stored(_INDEX)
            index = {**_index_of(self._document(stored, repair=repair)), **changed}
            with contextlib.suppress(Overtaken):
                return self._swap(_INDEX, stored, json_bytes(index))

    def _insist(self, call: Callable[[], T]) -> T:
        """Return what *call* does; within `patiently` it is tried again while the place is away."""
        while time.monotonic() < self._patient_until:
            with contextlib.suppress(StoreUnreachable):
                return call()
            time.sleep(_RETRY_SECONDS)
        return call()


def _index_of(document: Document) -> dict[str, Any]:
    own = {"default": document.default, "removed": list(document.removed)}
    kept = {"migrations": {**document.migrations}, "clients": {**document.clients}}
    return {**document.unknown, **own, **kept}


def _text_of(key: str, stored: StoredRecord) -> bytes:
    version, _, text = stored.text.partition(" ")
    if version != _VERSION and version.isdecimal():
        raise newer_format(f"The record of {key}", version)
    return (text if version == _VERSION else stored.text).encode("utf-8", "replace")


def _moved(record: Record, seconds: float) -> Record:
    moments = {name: getattr(record, name) for name in _MOMENTS}
    known = {name: moment + seconds for name, moment in moments.items() if moment is not None}
    return replace(record, **known) if seconds else record


def _end_of(record: Record) -> float | None:
    """Return when nothing of *record* is of use any more, None where that is not known."""
    ends = (record.refresh_token_expires_at, record.access_token_expires_at)
    return None if ends[0] is None else max(end for end in ends if end is not None)


class Overtaken(StoreUnreachable, Superseded):
    """Another machine has changed the record meanwhile, or has taken the lock."""

    def __init__(self) -> None:
        super().__init__("Another process changed the credentials.", hints=[self.try_again])


class LockedElsewhere(LockBusy):
    """Another process, perhaps on another machine, still holds the lock."""

    def __init__(self, key: str) -> None:
        Exception.__init__(self, f"the lock of {key} is held by another process")
        self.holder: int | None = None


class SecretVault(Vault):
    """A `SecretStore` as a vault."""

    backend_name = "the store of secrets"

    def __init__(self, secrets: SecretStore) -> None:
        self._place = secrets

    def get(self, slot: str, origin: str | None = None) -> str | None:
        """Return the secret in *slot*, None where there is none."""
        del origin
        return self._place.get(slot)

    def set(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot* and return what it held before."""
        before = self._place.get(slot)
        if before != secret:
            self._place.put(slot, secret)
        return before

    def delete(self, slot: str) -> None:
        """Empty *slot*."""
        self._place.delete(slot)
