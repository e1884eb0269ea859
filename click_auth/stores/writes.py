"""How a credential is written: refresh slot, access slot, record, in this order.

A crash between any two of them leaves a state from which the next call works. A login that fails
takes back what it wrote. A refresh does not: its grant has moved on, and only the new tokens
still work.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth import voice
from click_auth.errors import StorageUnavailable
from click_auth.identity import Identity
from click_auth.keys import refresh_slot_name
from click_auth.records import PLAINTEXT, Record
from click_auth.stores.base import Superseded
from click_auth.stores.placement import restore, withdraw
from click_auth.stores.records import is_same_credential
from click_auth.tokens import to_posix

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.providers.base import Binding
    from click_auth.stores.document import Document
    from click_auth.stores.placement import Placed, Placement, Written
    from click_auth.stores.records import Records
    from click_auth.stores.removal import Removals
    from click_auth.stores.vault import Vault
    from click_auth.tokens import TokenBundle


class Writes:
    """The writes of credentials over one set of records and its vault."""

    def __init__(
        self,
        records: Records,
        vault: Vault,
        placement: Placement,
        removals: Removals,
        clock: Callable[[], float],
    ) -> None:
        self._records = records
        self._vault = vault
        self._placement = placement
        self._removals = removals
        self._clock = clock

    def log_in(
        self, identity: Identity, bundle: TokenBundle, binding: Binding, *, promote_default: bool
    ) -> Record:
        """Store a new grant and return its record. What it replaces stands until it is stored."""
        new = Record(
            identity,
            issuer=binding.issuer,
            client_id=binding.client_id,
            instance=identity.instance,
        )
        journal: list[Written] = []
        try:
            placed = self._placement.place(self._dated(new, bundle), bundle, None, journal)
            with self._records.transaction(repair=True) as draft:
                record = _succeeding(draft.records.get(new.key), placed.record)
                old = _committed(draft, placed, record)
                pending = tuple(draft.removed)
                if promote_default:
                    draft.default = record.key
        except BaseException:
            restore(self._vault, journal)
            raise
        if record.storage != PLAINTEXT and bundle.refresh_token is None:
            with contextlib.suppress(StorageUnavailable):  # a later logout deletes it
                self._vault.delete(refresh_slot_name(record.key))
        self._settle(record, old, placed, pending)
        return record

    def rotate(self, expected: Record, bundle: TokenBundle, label: str | None) -> Record:
        """Store what a refresh yielded in place of *expected*, and return the new record.

        Raises `Superseded` when the stored record is not *expected* any more.
        """
        _refuse_superseded(self._records.find(expected.key), expected)
        new = replace(_relabelled(expected, label), generation=expected.generation + 1)
        new = self._dated(new, bundle, expected)
        journal: list[Written] = []
        try:
            placed = self._placement.place(new, bundle, expected, journal)
            with self._records.transaction() as draft:
                _refuse_superseded(draft.records.get(expected.key), expected)
                old = _committed(draft, placed, placed.record)
                pending = tuple(draft.removed)
        except Superseded:
            self._withdraw(journal, expected.key)
            raise
        except BaseException:
            if expected.storage == PLAINTEXT:
                restore(self._vault, journal)
            raise
        self._settle(placed.record, old, placed, pending)
        return placed.record

    def reject(self, record: Record) -> None:
        """Remember that the server called the grant of *record* dead, if it still is stored."""
        with self._records.transaction() as draft:
            current = draft.records.get(record.key)
            if current is not None and is_same_credential(current, record):
                dead = replace(current, rejected_generation=current.generation)
                draft.records[record.key] = dead

    def _dated(self, new: Record, bundle: TokenBundle, old: Record | None = None) -> Record:
        refresh_expiry, scopes = to_posix(bundle.refresh_expires_at), bundle.scopes
        if old is not None:
            scopes = old.scopes if scopes is None else scopes
        return replace(
            new,
            access_token_expires_at=to_posix(bundle.expires_at),
            refresh_token_expires_at=refresh_expiry,
            access_token_obtained_at=self._clock(),
            has_refresh_token=bundle.refresh_token is not None,
            rejected_generation=None,
            scopes=scopes,
        )

    def _withdraw(self, journal: list[Written], key: str) -> None:
        with contextlib.suppress(StorageUnavailable):
            withdraw(self._vault, journal, self._records.find(key))

    def _settle(
        self, record: Record, old: Record | None, placed: Placed, pending: tuple[str, ...]
    ) -> None:
        """Say what must be said, and delete what must not stay, now that the record stands."""
        is_downgrade = old is None or old.storage != PLAINTEXT
        if placed.vault_failed is not None and is_downgrade:
            voice.current().warn(
                f"The tokens of {record.account.name} are stored in plain text in "
                f"{self._records.path}, not in the keyring: {placed.vault_failed}"
            )
        if placed.vault_failed is None:
            with contextlib.suppress(StorageUnavailable):
                if record.key in pending:
                    self._removals.empty(record.key)
        self._removals.sweep(key for key in pending if key != record.key)


def _succeeding(old: Record | None, new: Record) -> Record:
    if old is None:
        return new
    return replace(new, generation=old.generation + 1, unknown=old.unknown)


def _committed(draft: Document, placed: Placed, record: Record) -> Record | None:
    """Put *record* into *draft*, note whether its slots are to be emptied, and return the old."""
    key = record.key
    old, is_bad = draft.records.get(key), draft.records.reason(key) is not None
    was_in_slots = is_bad or (old is not None and old.storage != PLAINTEXT)
    draft.records[key] = record
    if record.storage != PLAINTEXT:
        draft.unmark_removed(key)
    elif was_in_slots or placed.stale:
        draft.mark_removed(key)
    return old


def _refuse_superseded(current: Record | None, expected: Record) -> None:
    if not is_same_credential(current, expected):
        raise Superseded


def _relabelled(record: Record, label: str | None) -> Record:
    if label is None:
        return record
    old = record.account
    return replace(record, account=Identity(old.id, label, old.instance, old.extra))
