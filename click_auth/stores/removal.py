"""Secrets that are to go: deleted at once where it works, remembered in `removed` where not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from click_auth.account import refresh_slot_name, slot_name
from click_auth.errors import StorageUnavailable
from click_auth.locks.account_lock import LockBusy, lock_timeout
from click_auth.record import is_same_credential, owns
from click_auth.stores.document import DamagedRecords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click_auth.record import Record
    from click_auth.stores.records import Storage


class Removal:
    """An account that is taken out, good or bad: `finish` deletes its secrets.

    `record` is what it was, with what a refresh could not store; None where nothing is known.
    """

    def __init__(self, storage: Storage, key: str) -> None:
        self.record: Record | None = None
        self._storage = storage
        self._key = key
        self._damage: DamagedRecords | None = None
        self._pending: Sequence[str] = ()
        try:
            self._take_out()
        except DamagedRecords as damage:
            self._damage = damage

    def _take_out(self) -> None:
        records, key = self._storage.records, self._key
        kept = None
        with contextlib.suppress(StorageUnavailable):
            kept = records.reserved(key)
        with records.transaction() as draft:
            self.record = record = draft.records.get(key)
            is_bad = draft.records.reason(key) is not None
            draft.records.discard(key)
            if is_bad or (record is not None and not record.holds_tokens):
                draft.mark_removed(key)
            if draft.default == key:
                only = next(iter(draft.records.values())) if len(draft.records) == 1 else None
                # Another instance's account never steps in by itself.
                draft.default = None if only is None or only.account.instance else only.key
        if kept is not None and is_same_credential(record, kept[0]):
            self.record = kept[1]
        records.drop_reserve(key)
        self._pending = draft.removed

    def finish(self) -> str | None:
        """Delete its secrets; return what could not be deleted, as a sentence."""
        if self._damage is not None:
            return self._finish_by_name(self._damage)
        if self._key in self._pending:
            try:
                empty(self._storage, self._key)
            except StorageUnavailable as trouble:
                return (
                    f"The tokens of {self._key} are still in the keyring: {trouble.message} "
                    "The next login, logout or refresh removes them."
                )
        sweep(self._storage, [key for key in self._pending if key != self._key])
        return None

    def _finish_by_name(self, damage: DamagedRecords) -> str:
        """Empty the slots, which no record can be asked about, and say what is left."""
        key = self._key
        try:
            _delete(self._storage, key, None)
        except StorageUnavailable as trouble:
            left = f"The tokens of {key} are still in the keyring: {trouble.message}"
        else:
            left = f"No token of {key} is left in the keyring; the file may contain some."
        return f"{damage.message} {left}"


def _delete(storage: Storage, key: str, owner: Record | None) -> None:
    for slot in (refresh_slot_name(key), slot_name(key)):
        if not owns(owner, slot):
            storage.vault.delete(slot)


def empty(storage: Storage, key: str) -> None:
    """Delete what the slots of *key* hold that no record owns, and strike it off `removed`.

    Call it under the account's lock. Raises `StorageUnavailable`; the key then stays.
    """
    _delete(storage, key, storage.records.find(key))
    with storage.records.transaction() as draft:
        draft.unmark_removed(key)


def sweep(storage: Storage, keys: Sequence[str]) -> None:
    """Empty the slots of *keys* as far as that works now. Takes their locks; never raises."""
    with contextlib.suppress(StorageUnavailable), lock_timeout(0):
        for key in keys:
            with contextlib.suppress(LockBusy), storage.records.lock(key):
                empty(storage, key)
