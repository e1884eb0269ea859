"""Secrets that are to go: deleted at once where it works, remembered in `removed` where not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from click_auth.errors import StorageUnavailable, Unreachable
from click_auth.keys import refresh_slot_name, slot_name
from click_auth.records import PLAINTEXT
from click_auth.stores.records import DamagedRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from click_auth.stores.document import Document
    from click_auth.stores.records import Records
    from click_auth.stores.vault import Vault


class Removals:
    """The accounts whose secrets are to go, over one record file and its vault."""

    def __init__(
        self,
        records: Records,
        vault: Vault,
        lock: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._records = records
        self._vault = vault
        self._lock = lock

    def forget(self, key: str) -> str | None:
        """Remove an account and its secrets; return what could not be removed, as a sentence."""
        try:
            is_in_slots = self._take_out(key)
        except DamagedRecords as damage:
            return self._forgotten_by_name(key, damage)
        if is_in_slots:
            try:
                self.empty(key)
            except StorageUnavailable as trouble:
                return (
                    f"The tokens of {key} are still in the keyring: {trouble.message} "
                    "The next command that writes removes them."
                )
        self.sweep(self._records.document().removed)
        return None

    def _forgotten_by_name(self, key: str, damage: DamagedRecords) -> str:
        """Empty the slots of *key*, which no record can be asked about, and say what is left."""
        try:
            for slot in (refresh_slot_name(key), slot_name(key)):
                self._vault.delete(slot)
        except StorageUnavailable as trouble:
            return (
                f"{damage.message} The tokens of {key} are still in the keyring: {trouble.message}"
            )
        return f"{damage.message} No token of {key} is left in the keyring; the file may hold some."

    def empty(self, key: str) -> None:
        """Delete what the slots of *key* hold that no record owns, and strike it off `removed`.

        Call it under the account's lock. Raises `StorageUnavailable`; the key then stays.
        """
        if not self._is_owned(key):
            self._vault.delete(refresh_slot_name(key))
        if not self._is_owned(key):
            self._vault.delete(slot_name(key))
        with self._records.transaction() as draft:
            draft.unmark_removed(key)

    def sweep(self, keys: Iterable[str]) -> None:
        """Empty the slots of *keys* as far as that works now. Takes their locks; never raises."""
        waiting = tuple(keys)
        if not waiting:
            return
        from click_auth.lock import LockBusy, patience  # noqa: PLC0415 - for a write

        with contextlib.suppress(StorageUnavailable), patience(0):
            for key in waiting:
                with contextlib.suppress(LockBusy, Unreachable), self._lock(key):
                    self.empty(key)

    def _take_out(self, key: str) -> bool:
        """Take the record of *key* out, good or bad; return whether its slots are to be emptied."""
        with self._records.transaction() as draft:
            record = draft.records.get(key)
            is_bad = draft.records.reason(key) is not None
            draft.records.discard(key)
            if is_bad or (record is not None and record.storage != PLAINTEXT):
                draft.mark_removed(key)
            if draft.default == key:
                draft.default = _remaining(draft)
            return key in draft.removed

    def _is_owned(self, key: str) -> bool:
        record = self._records.find(key)
        return record is not None and record.storage != PLAINTEXT


def _remaining(draft: Document) -> str | None:
    keys = list(draft.records)
    return keys[0] if len(keys) == 1 else None
