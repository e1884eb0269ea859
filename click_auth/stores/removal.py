"""Secrets that are to go: deleted at once where it works, remembered in `removed` where not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from click_auth.account import refresh_slot_name, slot_name
from click_auth.errors import StorageUnavailable
from click_auth.record import PLAINTEXT
from click_auth.stores.records import DamagedRecords, owns

if TYPE_CHECKING:
    from click_auth.stores.account_store import AccountStore


def forget(store: AccountStore, key: str) -> str | None:
    """Remove an account and its secrets; return what could not be removed, as a sentence."""
    try:
        is_in_slots = _take_out(store, key)
    except DamagedRecords as damage:
        return _forgotten_by_name(store, key, damage)
    if is_in_slots:
        try:
            empty(store, key)
        except StorageUnavailable as trouble:
            return (
                f"The tokens of {key} are still in the keyring: {trouble.message} "
                "The next command that writes removes them."
            )
    sweep(store, store.records.document().removed)
    return None


def _forgotten_by_name(store: AccountStore, key: str, damage: DamagedRecords) -> str:
    """Empty the slots of *key*, which no record can be asked about, and say what is left."""
    try:
        for slot in (refresh_slot_name(key), slot_name(key)):
            store.vault.delete(slot)
    except StorageUnavailable as trouble:
        return f"{damage.message} The tokens of {key} are still in the keyring: {trouble.message}"
    return f"{damage.message} No token of {key} is left in the keyring; the file may hold some."


def empty(store: AccountStore, key: str) -> None:
    """Delete what the slots of *key* hold that no record owns, and strike it off `removed`.

    Call it under the account's lock. Raises `StorageUnavailable`; the key then stays.
    """
    for slot in (refresh_slot_name(key), slot_name(key)):
        if not owns(store.records.find(key), slot):
            store.vault.delete(slot)
    with store.records.transaction() as draft:
        draft.unmark_removed(key)


def sweep(store: AccountStore, keys: list[str]) -> None:
    """Empty the slots of *keys* as far as that works now. Takes their locks; never raises."""
    if not keys:
        return
    from click_auth.locks.account_lock import LockBusy, lock_timeout  # noqa: PLC0415 - for a write

    with contextlib.suppress(StorageUnavailable), lock_timeout(0):
        for key in keys:
            with contextlib.suppress(LockBusy), store.lock(key):
                empty(store, key)


def _take_out(store: AccountStore, key: str) -> bool:
    """Take the record of *key* out, good or bad; return whether its slots are to be emptied."""
    store.records.drop_reserve(key)
    with store.records.transaction() as draft:
        record = draft.records.get(key)
        is_bad = draft.records.reason(key) is not None
        draft.records.discard(key)
        if is_bad or (record is not None and record.storage != PLAINTEXT):
            draft.mark_removed(key)
        if draft.default == key:
            only = next(iter(draft.records.values())) if len(draft.records) == 1 else None
            # Another instance's account never steps in by itself.
            draft.default = None if only is None or only.account.instance else only.key
        return key in draft.removed
