"""Where records are kept, whatever the place: the protocol of `RecordFile` and `MemoryRecords`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from click_auth.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from click_auth.records import Record
    from click_auth.stores.document import Document


class DamagedRecords(StorageUnavailable):
    """The place does not hold what records are: a login may keep it aside and start anew."""


class Records(ABC):
    """Records of accounts, read one at a time or whole, and changed in transactions."""

    @property
    def path(self) -> Path | None:
        """The file that holds them, None where they live in memory."""
        return None

    @abstractmethod
    def find(self, key: str | None) -> Record | None:
        """Return one record: that of *key*, else the default account's, else the only one.

        Raises `StorageUnavailable` when that very record is damaged.
        """

    def glance(self, key: str) -> Record | None:
        """Return the record of *key* where that is cheap; None says nothing."""
        return self.find(key)

    def resembling(self, ref: str) -> Sequence[Record]:
        """Return all that *ref* may mean, and others, where that is cheap; none says nothing."""
        del ref
        return ()

    @abstractmethod
    def document(self) -> Document:
        """Return everything. Changes to it go nowhere."""

    @abstractmethod
    def transaction(self, *, repair: bool = False) -> AbstractContextManager[Document]:
        """Return a context whose document is kept when its block ends normally."""

    @abstractmethod
    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when a transaction would fail."""

    @abstractmethod
    def stamp(self) -> object:
        """Return something cheap that differs once somebody has written."""

    @abstractmethod
    def damage(self, key: str, reason: str) -> StorageUnavailable:
        """Return the error of a record that cannot be used."""

    def insert_if_absent(
        self,
        record: Record,
        *,
        promote_default: bool = False,
        migration: tuple[str, str] | None = None,
    ) -> bool:
        """Insert *record* unless its account has one, be it damaged; return whether it did.

        With *promote_default* it becomes the default account where there is none. *migration* is
        the name and the new state of a marker, written along with it.
        """
        with self.transaction() as draft:
            key = record.key
            if key in draft.records or draft.records.reason(key) is not None:
                return False
            draft.records[key] = record
            if promote_default and draft.default is None:
                draft.default = key
            if migration is not None:
                draft.migrations.update([migration])
            return True

    def compare_and_set(self, expected: Record, new: Record) -> bool:
        """Put *new* in place of *expected* if that is still there; return whether it was."""
        with self.transaction() as draft:
            if not is_same_credential(draft.records.get(expected.key), expected):
                return False
            draft.records[expected.key] = new
            return True

    def _chosen(self, document: Document, key: str | None) -> Record | None:
        if key is None:
            key = document.default or _only(document)
        if key is None:
            return None
        reason = document.records.reason(key)
        if reason is not None:
            raise self.damage(key, reason)
        return document.records.get(key)


def _only(document: Document) -> str | None:
    keys = list(document.records) or list(document.bad)
    return keys[0] if len(keys) == 1 else None


def is_same_credential(current: Record | None, expected: Record) -> bool:
    """Return whether *current* is the write of the credential that *expected* was read from.

    The generation starts again after a logout, so the moment of the write counts as well.
    """
    return current is not None and (
        (current.generation, current.access_token_obtained_at)
        == (expected.generation, expected.access_token_obtained_at)
    )
