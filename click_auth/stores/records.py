"""Records of accounts, read one at a time or whole, and changed in transactions."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from click_auth.account import refresh_slot_name
from click_auth.errors import StorageUnavailable
from click_auth.record import PLAINTEXT
from click_auth.stores.layout import find_record, framed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click_auth.record import Record
    from click_auth.stores.document import Document


_NEXT_LOGIN = "It is left as it is. The next login keeps it aside and starts anew."


class DamagedRecords(StorageUnavailable):
    """The place does not hold what records are: a login may keep it aside and start anew."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hints=[_NEXT_LOGIN])


class Reserve:
    """Room for one record, held while a grant is spent; this one has none.

    `is_used` says whether a record lies there that could not be put where it belongs.
    """

    is_used = False

    def keep(self, expected: Record, record: Record) -> None:
        """Keep *record*, which was to replace *expected*, if there is room. Never raises."""


class Records(ABC):
    """The records of one application, wherever their text lies.

    Every method raises `StorageUnavailable` naming the place when it cannot be read or written,
    is damaged, or was written by a later version; none of them changes such a place, except a
    transaction with *repair*.
    """

    path: Path | None = None
    """The file that holds them, None where they live in memory."""

    @abstractmethod
    def content(self) -> bytes:
        """Return the text of the records."""

    @abstractmethod
    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Put *content* in place of what is there, which is not to be lost if it is damaged."""

    @abstractmethod
    def alone(self) -> contextlib.AbstractContextManager[object]:
        """Return a block within which nobody else writes. Blocks while somebody does."""

    @abstractmethod
    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when a transaction would fail."""

    @contextlib.contextmanager
    def reserve(self, key: str) -> Iterator[Reserve]:
        """Hold room for the record of *key*. Raises `StorageUnavailable` as `check_writable`."""
        del key
        self.check_writable()
        yield Reserve()

    def reserved(self, key: str) -> tuple[Record, Record] | None:
        """Return what a `Reserve` keeps of *key*: the record to be replaced, and the new one."""
        del key
        return None

    def drop_reserve(self, key: str) -> None:  # noqa: B027 - memory has none
        """Remove what a `Reserve` keeps of *key*. Never raises."""

    @abstractmethod
    def stamp(self) -> object:
        """Return something cheap that differs once somebody has written."""

    def find(self, key: str | None) -> Record | None:
        """Return one record: that of *key*, else the default account's, else the only one.

        Raises `StorageUnavailable` when that very record is damaged.
        """
        content = self.content()
        found = find_record(content, key)
        if found is not None:
            return found
        document = self._parsed(content)
        key = key or document.default or _only(document)
        if key is None:
            return None
        if (reason := document.records.reason(key)) is not None:
            raise self.damage(key, reason)
        return document.records.get(key)

    def default(self) -> str | None:
        """Return the key of the default account, which need not be there."""
        content = self.content()
        frame = framed(content)
        return self._parsed(content).default if frame is None else frame.default

    def removed(self) -> list[str]:
        """Return the keys of accounts whose secrets are still to be deleted."""
        content = self.content()
        frame = framed(content)
        is_empty = frame is not None and "removed" not in frame.rest
        return [] if is_empty else self._parsed(content).removed

    def glance(self, key: str) -> Record | None:
        """Return the record of *key* if it can be found without parsing the others."""
        return find_record(self.content(), key)

    def document(self) -> Document:
        """Return everything. Changes to it go nowhere."""
        return self._parsed(self.content())

    @contextlib.contextmanager
    def transaction(self, *, repair: bool = False) -> Iterator[Document]:
        """Change the document that this yields; it is kept when the block ends normally.

        With *repair* a damaged place does not raise: it is kept aside, loudly, once the new
        document is to be written.
        """
        with self.alone():
            is_damaged = False
            try:
                draft = self.document()
            except DamagedRecords:
                if not repair:
                    raise
                draft, is_damaged = self._parsed(b""), True
            before = draft.facts()
            yield draft
            if draft.records.changed or draft.facts() != before:
                try:
                    self.replace(draft.to_bytes(), is_damaged=is_damaged)
                except StorageUnavailable as error:
                    raise error.with_traceback(None) from None  # its frames hold the whole text

    def insert_if_absent(self, record: Record, migration: tuple[str, str] | None = None) -> bool:
        """Insert *record* unless its account has one, be it damaged; return whether it did.

        It becomes the default account where there is none. *migration* is the name and the new
        state of a marker, written along with it.
        """
        with self.transaction() as draft:
            key = record.key
            if key in draft.records or draft.records.reason(key) is not None:
                return False
            draft.records[key] = record
            if draft.default is None:
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

    def damage(self, key: str, reason: str) -> StorageUnavailable:
        """Return the error of a record that cannot be used."""
        return StorageUnavailable(
            f"The record of {key} in {self.path or 'memory'} is damaged: {reason}.",
            hints=["Log in to that account again to replace it."],
        )

    def _parsed(self, content: bytes) -> Document:
        from click_auth.stores.document import Damaged, TooNew, parse  # noqa: PLC0415 - in doubt

        try:
            return parse(content)
        except Damaged as finding:
            raise DamagedRecords(f"{self.path} is damaged: {finding}.") from None
        except TooNew as finding:
            raise StorageUnavailable(
                f"{self.path} was written by a newer version of this program (format {finding}).",
                hints=["Upgrade this program to use it; it is left as it is."],
            ) from None


def _only(document: Document) -> str | None:
    keys = list(document.records) or list(document.records.bad)
    return keys[0] if len(keys) == 1 else None


def is_same_credential(current: Record | None, expected: Record) -> bool:
    """Return whether *current* is the write of the credential that *expected* was read from.

    The generation starts again after a logout, so the moment of the write counts as well.
    """
    return current is not None and (
        (current.generation, current.access_token_obtained_at)
        == (expected.generation, expected.access_token_obtained_at)
    )


def owns(record: Record | None, slot: str) -> bool:
    """Return whether *slot*, one of those of its account, holds a secret of *record*."""
    if record is None or record.storage == PLAINTEXT:
        return False
    return record.has_refresh_token is not False or slot != refresh_slot_name(record.key)
