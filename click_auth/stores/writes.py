"""How a credential is written: refresh slot, access slot, record, in this order.

A crash between any two of them leaves a state from which the next call works. A login that fails
takes back what it wrote. A refresh does not: its grant has moved on, and only the new tokens
still work.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth.account import refresh_slot_name, slot_name
from click_auth.console import console
from click_auth.errors import StorageUnavailable
from click_auth.interrupts import prompt_timeout
from click_auth.record import (
    CUSTOM,
    ENCRYPTED,
    PLAINTEXT,
    SYSTEM,
    Bound,
    Record,
    is_same_credential,
)
from click_auth.stores import removal
from click_auth.tokens import to_posix

if TYPE_CHECKING:
    from click_auth.account import Account
    from click_auth.stores.document import Document
    from click_auth.stores.records import Reserve, Storage
    from click_auth.tokens import TokenBundle


class Superseded(Exception):
    """The record is no longer the one that was read; nothing was changed."""


class Write:
    """One write of a credential into a store, under its storage policy.

    Until the record is committed all that was written can be taken back.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._written: list[tuple[str, str, str | None]] = []  # slot, secret, what was there

    def log_in(
        self, account: Account, bundle: TokenBundle, binding: Bound, *, is_default: bool
    ) -> Record:
        """Store a new grant and return its record. What it replaces stands until it is stored."""
        issuer, client_id, resource = binding
        new = Record(account, issuer=issuer, client_id=client_id, resource=resource)
        try:
            record, trouble = self._place(self._dated(new, bundle), bundle, None)
            with self._storage.records.transaction(repair=True) as draft:
                before = draft.records.get(new.key)
                if before is not None:
                    generation = before.generation + 1
                    record = replace(record, generation=generation, unknown=before.unknown)
                _commit(draft, record, before, trouble)
                if is_default:
                    draft.default = record.key
        except BaseException:
            self._take_back(restoring=True)
            raise
        self._storage.records.drop_reserve(record.key)
        if not record.holds_tokens and bundle.refresh_token is None:
            with contextlib.suppress(StorageUnavailable):  # a later logout deletes it
                self._storage.vault.delete(refresh_slot_name(record.key))
        self._settle(record, before, trouble, draft.removed)
        return record

    def rotate(self, expected: Record, bundle: TokenBundle, reserve: Reserve) -> Record:
        """Store what a refresh yielded in place of *expected*, and return the new record.

        Raises `Superseded` when the stored record is not *expected* any more. What cannot be
        stored is kept in *reserve*.
        """
        if self._storage.policy_of(expected) not in (
            PLAINTEXT,
            ENCRYPTED,
        ):  # better no slot is written than taken back
            with contextlib.suppress(StorageUnavailable):  # unreadable: they may be written yet
                _refuse_superseded(self._storage.records.find(expected.key), expected)
        new = replace(expected, generation=expected.generation + 1)
        if bundle.scopes is None:
            bundle = replace(bundle, scopes=expected.scopes)
        record = None
        try:
            record, trouble = self._place(self._dated(new, bundle), bundle, expected)
            with self._storage.records.transaction() as draft:
                old = draft.records.get(expected.key)
                _refuse_superseded(old, expected)
                _commit(draft, record, old, trouble)
        except Superseded:
            self._take_back(restoring=False)
            raise
        except BaseException:
            if record is not None:
                reserve.keep(expected, record)
            if expected.holds_tokens and not reserve.is_used:
                self._take_back(restoring=True)
            raise
        self._settle(record, old, trouble, draft.removed)
        return record

    def adopt(self, expected: Record, record: Record) -> None:
        """Put *record* in place of *expected*, unless something newer is there, and let it go."""
        with self._storage.records.transaction() as draft:
            old = draft.records.get(record.key)
            if is_same_credential(old, expected):
                _commit(draft, record, old, None)
        self._storage.records.drop_reserve(record.key)

    def _dated(self, new: Record, bundle: TokenBundle) -> Record:
        return replace(
            new,
            access_token_expires_at=to_posix(bundle.expires_at),
            refresh_token_expires_at=to_posix(bundle.refresh_expires_at),
            access_token_obtained_at=self._storage.clock(),
            has_refresh_token=bundle.refresh_token is not None,
            rejected_generation=None,
            scopes=bundle.scopes,
        )

    def _place(
        self, record: Record, bundle: TokenBundle, old: Record | None
    ) -> tuple[Record, StorageUnavailable | None]:
        """Put the tokens in their place: of a login, or of the refresh of *old*.

        Return the record that says where, and the trouble with a better place.
        """
        trouble, policy = None, self._storage.policy_of(old)
        if policy not in (PLAINTEXT, ENCRYPTED):
            try:
                with self._patience(old, policy):
                    return self._in_vault(record, bundle, old), None
            except StorageUnavailable as error:
                if policy != "fallback" or self._may_come_yet(record.key, old, error):
                    raise
                trouble = error
            if old is None or old.holds_tokens:
                self._take_back(restoring=True)
                self._written.clear()
        was_plain = old is not None and old.storage == PLAINTEXT
        prefers_sealed = policy == "fallback" and not was_plain and self._storage.cipher is not None
        is_sealed = policy == ENCRYPTED or prefers_sealed
        return self._storage.record_with(record, bundle, is_sealed=is_sealed), trouble

    def _patience(self, old: Record | None, policy: str) -> contextlib.AbstractContextManager[None]:
        """Wait for no person where the file will do, as it has done before."""
        if old is None or not old.holds_tokens or policy != "fallback":
            return contextlib.nullcontext()
        return prompt_timeout(0)

    def _may_come_yet(self, key: str, old: Record | None, trouble: StorageUnavailable) -> bool:
        """Whether a login was only late: that moves no account of the keyring into the file."""
        if old is not None or not trouble.is_late:
            return False
        with contextlib.suppress(StorageUnavailable):
            before = self._storage.records.find(key)
            return before is not None and not before.holds_tokens
        return False

    def _in_vault(self, record: Record, bundle: TokenBundle, old: Record | None) -> Record:
        # What a refresh replaces is spent: neither is it read before, nor put back.
        is_spent = old is not None and not old.holds_tokens
        slots = (refresh_slot_name(record.key), slot_name(record.key))
        for slot, name in zip(slots, ("refresh_token", "access_token"), strict=True):
            if getattr(bundle, name) is not None:
                self._put(slot, bundle, name, is_spent=is_spent)
        return replace(
            record,
            storage=CUSTOM if self._storage.policy == CUSTOM else SYSTEM,
            backend=self._storage.vault.origin,
            fallback_token=None,
            fallback_refresh_token=None,
        )

    def _put(self, slot: str, bundle: TokenBundle, name: str, *, is_spent: bool) -> None:
        vault = self._storage.vault
        try:
            before = (vault.replace if is_spent else vault.set)(slot, getattr(bundle, name))
        except StorageUnavailable as error:
            raise error.with_traceback(None) from None  # its frames hold the secret
        self._written.append((slot, getattr(bundle, name), before))

    def _take_back(self, *, restoring: bool) -> None:
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

    def _settle(
        self,
        record: Record,
        old: Record | None,
        trouble: StorageUnavailable | None,
        pending: list[str],
    ) -> None:
        """Say what must be said, and delete what must not stay, now that the record stands."""
        if trouble is None:
            with contextlib.suppress(StorageUnavailable):
                if record.key in pending:
                    removal.empty(self._storage, record.key)
        elif record.storage == PLAINTEXT and (
            old is None or old.storage != PLAINTEXT or old.has_refresh_token is None
        ):
            # Of an account that was taken over from an older credential this is the first write.
            console.current().warn(
                f"{trouble.message} The tokens of {record.account.name} are stored unencrypted in "
                f"{self._storage.records.path}."
            )
        others = [key for key in pending if key != record.key]
        if others:
            removal.sweep(self._storage, others)


def _commit(
    draft: Document, record: Record, old: Record | None, trouble: StorageUnavailable | None
) -> None:
    """Put *record* into *draft* in place of *old*, and note whether its slots are to be emptied."""
    key = record.key
    is_bad = draft.records.reason(key) is not None
    was_in_slots = is_bad or (old is not None and not old.holds_tokens)
    # A call that was still running when its time was up may yet fill a slot.
    may_be_in_slots = was_in_slots or (trouble is not None and trouble.is_late)
    draft.records[key] = record
    if not record.holds_tokens:
        draft.unmark_removed(key)
    elif may_be_in_slots:
        draft.mark_removed(key)


def _refuse_superseded(current: Record | None, expected: Record) -> None:
    if not is_same_credential(current, expected):
        raise Superseded
