"""How credentials are written and removed: each change in an order that survives a crash.

A write goes to the refresh slot, the access slot, the record. A crash between any two of them
leaves a state from which the next call works. A login that fails takes back what it wrote. A
refresh does not: its grant has moved on, and only the new tokens still work. A removal takes the
record first. Secrets that are to go are deleted at once where that works, and else noted in
`removed`.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth.account import refresh_slot_name, slot_name
from click_auth.console import console
from click_auth.errors import StorageUnavailable
from click_auth.interrupts import prompt_timeout
from click_auth.locks.account_lock import LockBusy, lock_timeout
from click_auth.record import CUSTOM, ENCRYPTED, PLAINTEXT, SYSTEM, Record, TokenBundle, owns
from click_auth.stores.document import DamagedRecords
from click_auth.stores.placement import Storage, drop_reserve, find_reserved

if TYPE_CHECKING:
    from collections.abc import Sequence


class Write:
    """One write of a credential into a store, under its storage policy.

    Until the record is committed all that was written can be taken back.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._written: list[tuple[str, str, str | None]] = []  # slot, secret, what was there
        self._fault: StorageUnavailable | None = None  # why the tokens are not in the vault

    def place(self, record: Record, bundle: TokenBundle, old: Record | None) -> Record:
        """Put the tokens in their place: of a login, or of the refresh of *old*.

        Return the record, which says where that is.
        """
        record = record.dated(bundle, self._storage.clock())
        policy = self._storage.policy_of(old)
        is_sealed = policy == ENCRYPTED
        if self._storage.uses_vault(old):
            is_in_file = old is not None and old.holds_tokens
            try:
                # No wait for a person where the file will do, as it has done before.
                is_brief = is_in_file and policy == "fallback"
                with prompt_timeout(0) if is_brief else contextlib.nullcontext():
                    return self._put_in_vault(record, bundle, old)
            except StorageUnavailable as error:
                if policy != "fallback" or self._may_come_yet(record.key, old, error):
                    raise
                self._fault = error
            if old is None or is_in_file:
                self.take_back(restoring=True)
                self._written.clear()
            was_plain = old is not None and old.storage == PLAINTEXT
            is_sealed = not was_plain and self._storage.cipher is not None
        return self._storage.record_with(record, bundle, is_sealed=is_sealed)

    def _may_come_yet(self, key: str, old: Record | None, fault: StorageUnavailable) -> bool:
        """Whether a login was only late: that moves no account of the keyring into the file."""
        if old is not None or not fault.is_late:
            return False
        with contextlib.suppress(StorageUnavailable):
            before = self._storage.records.find(key)
            return before is not None and not before.holds_tokens
        return False

    def _put_in_vault(self, record: Record, bundle: TokenBundle, old: Record | None) -> Record:
        vault = self._storage.vault
        # What a refresh replaces is spent: neither is it read before, nor put back.
        put = vault.set if old is None or old.holds_tokens else vault.replace
        slots = (refresh_slot_name(record.key), slot_name(record.key))
        for slot, name in zip(slots, ("refresh_token", "access_token"), strict=True):
            if getattr(bundle, name) is not None:
                try:
                    before = put(slot, getattr(bundle, name))
                except StorageUnavailable as error:
                    raise error.with_traceback(None) from None  # its frames hold the secret
                self._written.append((slot, getattr(bundle, name), before))
        return replace(
            record,
            storage=CUSTOM if self._storage.policy == CUSTOM else SYSTEM,
            backend=vault.origin,
            fallback_token=None,
            fallback_refresh_token=None,
        )

    def take_back(self, *, restoring: bool) -> None:
        """Take out of the slots what is ours yet; put back what they held. Never raises.

        Without *restoring* nothing is put back: a logout or a login has overtaken the write.
        """
        vault = self._storage.vault
        for slot, secret, before in reversed(self._written):
            with contextlib.suppress(StorageUnavailable):
                if vault.get(slot) != secret:
                    continue
                if restoring and before is not None:
                    vault.set(slot, before)
                else:
                    vault.delete(slot)

    @property
    def is_late(self) -> bool:
        """Whether a call that was still running when its time was up may yet fill a slot."""
        return self._fault is not None and self._fault.is_late

    def settle(self, record: Record, old: Record | None, pending: Sequence[str]) -> None:
        """Say what must be said, and delete what must not stay, now that the record stands."""
        if self._fault is None:
            with contextlib.suppress(StorageUnavailable):
                if record.key in pending:
                    self.empty(record.key)
        elif record.storage == PLAINTEXT and (
            old is None or old.storage != PLAINTEXT or old.has_refresh_token is None
        ):
            # Of an account that was taken over from an older credential this is the first write.
            console.current().warn(
                f"{self._fault.message} The tokens of {record.account.name} are stored "
                f"unencrypted in {self._storage.records.path}."
            )
        self.sweep([key for key in pending if key != record.key])

    def take_out(self, key: str) -> Removal:
        """Remove the record of an account; its secrets are there until the removal is finished."""
        return Removal(self._storage, key)

    def delete_secrets(self, key: str, owner: Record | None) -> None:
        """Delete what the slots of *key* hold that is not of the record *owner*."""
        for slot in (refresh_slot_name(key), slot_name(key)):
            if not owns(owner, slot):
                self._storage.vault.delete(slot)

    def empty(self, key: str) -> None:
        """Delete what the slots of *key* hold that no record owns, and strike it off `removed`.

        Call it under the account's lock. Raises `StorageUnavailable`; the key then stays.
        """
        self.delete_secrets(key, self._storage.records.find(key))
        with self._storage.records.transaction() as draft:
            draft.unmark_removed(key)

    def sweep(self, keys: Sequence[str] | None = None) -> None:
        """Empty the slots of *keys*, by default of all that are due, as far as that works now.

        Takes their locks. Never raises.
        """
        records = self._storage.records
        with contextlib.suppress(StorageUnavailable), lock_timeout(0):
            for key in records.document().removed if keys is None else keys:
                with contextlib.suppress(LockBusy), records.lock(key):
                    self.empty(key)


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
        kept = None
        with contextlib.suppress(StorageUnavailable):
            kept = find_reserved(storage.records, key)
        try:
            with storage.records.transaction() as draft:
                self.record = draft.take_out(key)
        except DamagedRecords as damage:
            self._damage = damage
            return
        if kept is not None and kept[0].is_same_credential(self.record):
            self.record = kept[1]
        drop_reserve(storage.records, key)
        self._pending = draft.removed

    def finish(self) -> str | None:
        """Delete its secrets; return what could not be deleted, as a sentence."""
        key, damage, write = self._key, self._damage, Write(self._storage)
        try:
            if damage is not None:  # no record can be asked what the slots hold
                write.delete_secrets(key, None)
                left = f"No token of {key} is left in the keyring; the file may contain some."
                return f"{damage.message} {left}"
            if key in self._pending:
                write.empty(key)
        except StorageUnavailable as fault:
            left = f"The tokens of {key} are still in the keyring: {fault.message}"
            if damage is not None:
                return f"{damage.message} {left}"
            return f"{left} The next login, logout or refresh removes them."
        write.sweep([each for each in self._pending if each != key])
        return None
