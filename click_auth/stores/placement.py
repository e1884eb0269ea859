"""Where new tokens go, by policy: an object for each, so that nobody asks which one it is.

A placement puts tokens in their place and returns the record that says where. The record is
committed by the caller, afterwards: until then everything can be taken back.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from click_auth.errors import StorageUnavailable
from click_auth.keys import refresh_slot_name, slot_name
from click_auth.records import PLAINTEXT, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click_auth.records import Record
    from click_auth.stores.vault import Vault
    from click_auth.tokens import TokenBundle


@dataclass(frozen=True)
class Written:
    """One slot that was written, and what it held before."""

    slot: str
    secret: str = field(repr=False)
    before: str | None = field(repr=False)


@dataclass(frozen=True)
class Placed:
    """Tokens in their place.

    `vault_failed` says why they are not in the vault though they were meant to be, `stale` that it
    may hold them none the less, because a call was still running when its time was up.
    """

    record: Record
    vault_failed: str | None = None
    stale: bool = False


class Placement(Protocol):
    """One storage policy."""

    policy: str

    def check(self, *, for_login: bool) -> None:
        """Raise `StorageUnavailable` where tokens certainly cannot be placed."""

    def place(
        self, record: Record, bundle: TokenBundle, old: Record | None, journal: list[Written]
    ) -> Placed:
        """Put the tokens of *bundle* in their place: of a login, or of the refresh of *old*.

        Each slot that was written is appended to *journal*. Raises `StorageUnavailable`.
        """


class SystemPlacement:
    """Into the vault, or not at all. *storage* is what records say of tokens that lie there."""

    def __init__(self, vault: Vault, storage: str = SYSTEM) -> None:
        self.policy = storage
        self._vault = vault
        self._storage = storage

    def check(self, *, for_login: bool) -> None:
        """Raise unless the vault is there and, before a login, keeps what it is given."""
        if for_login:
            self._vault.probe()
        else:
            self._vault.check()

    def place(
        self, record: Record, bundle: TokenBundle, old: Record | None, journal: list[Written]
    ) -> Placed:
        """Write the refresh slot, then the access slot."""
        del old
        slots = (refresh_slot_name(record.key), slot_name(record.key))
        for slot, secret in zip(slots, (bundle.refresh_token, bundle.access_token), strict=True):
            if secret is not None:
                journal.append(Written(slot, secret, self._vault.set(slot, secret)))
        cleared = replace(record, fallback_token=None, fallback_refresh_token=None)
        return Placed(replace(cleared, storage=self._storage, backend=self._vault.origin))


class PlaintextPlacement:
    """Into the record file, on request."""

    policy = "plaintext"

    def check(self, *, for_login: bool) -> None:
        """Nothing but the record file is needed."""

    def place(
        self, record: Record, bundle: TokenBundle, old: Record | None, journal: list[Written]
    ) -> Placed:
        """Put both tokens into the record."""
        del old, journal
        filled = replace(
            record,
            storage=PLAINTEXT,
            backend=None,
            fallback_token=bundle.access_token,
            fallback_refresh_token=bundle.refresh_token,
        )
        return Placed(filled)


class FallbackPlacement:
    """Into the vault; where that fails, into the record file."""

    policy = "fallback"

    def __init__(
        self, vault: Vault, system: SystemPlacement, plaintext: PlaintextPlacement
    ) -> None:
        self._vault = vault
        self._system = system
        self._plaintext = plaintext

    def check(self, *, for_login: bool) -> None:
        """One of the two will do."""

    def place(
        self, record: Record, bundle: TokenBundle, old: Record | None, journal: list[Written]
    ) -> Placed:
        """Put both tokens into the vault, else both into the record."""
        try:
            return self._system.place(record, bundle, old, journal)
        except StorageUnavailable as trouble:
            if old is None or old.storage == PLAINTEXT:
                restore(self._vault, journal)
                journal.clear()
            placed = self._plaintext.place(record, bundle, old, journal)
            is_running = getattr(trouble, "kind", None) == "hanging"
            return replace(placed, vault_failed=trouble.message, stale=is_running)


def restore(vault: Vault, written: Iterable[Written]) -> None:
    """Put back what slots held, where they still hold what we wrote. Never raises."""
    for each in reversed(list(written)):
        _take_back(vault, each, each.before)


def withdraw(vault: Vault, written: Iterable[Written], current: Record | None) -> None:
    """Take back what a refresh wrote that a logout or a login has overtaken. Never raises.

    *current* is the record that stands now. Where it owns a slot, the slot gets back what it held,
    which is the newer login's token; else it is emptied.
    """
    for each in reversed(list(written)):
        _take_back(vault, each, each.before if _owns(current, each.slot) else None)


def _owns(record: Record | None, slot: str) -> bool:
    if record is None or record.storage == PLAINTEXT:
        return False
    return record.has_refresh_token is not False or slot != refresh_slot_name(record.key)


def _take_back(vault: Vault, written: Written, before: str | None) -> None:
    with contextlib.suppress(StorageUnavailable):
        if vault.get(written.slot) != written.secret:
            return
        if before is None:
            vault.delete(written.slot)
        else:
            vault.set(written.slot, before)
