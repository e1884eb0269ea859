"""The record file: `auth.json`, read without a lock and changed in transactions."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from click_auth import voice
from click_auth.errors import (
    STORE_READ_FAILED,
    STORE_WRITE_FAILED,
    StorageUnavailable,
    Unreachable,
)
from click_auth.stores.document import Damaged, Document, TooNew, parse
from click_auth.stores.files import read_private, reason_of, unwritable
from click_auth.stores.layout import find_record, find_resembling
from click_auth.stores.records import DamagedRecords, Records
from click_auth.stores.writing import (
    check_room,
    make_private_folder,
    replace_private,
    sweep_leftovers,
    write_new,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from click_auth.records import Record

FILE_NAME = "auth.json"
LOCK_SECONDS = 10.0

_ROOM_TO_GROW = 16 * 1024  # bytes


class RecordFile(Records):
    """The records of one application, in `auth.json` in *folder*.

    Every method raises `StorageUnavailable` naming the file when it cannot be read or written,
    is damaged, or was written by a later version; none of them changes such a file, except a
    transaction with *repair*.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / FILE_NAME

    def find(self, key: str | None) -> Record | None:
        """Return one record: that of *key*, else the default account's, else the only one."""
        content = read_private(self.path)
        if content is None:
            return None
        return find_record(content, key) or self._chosen(self._parsed(content), key)

    def glance(self, key: str) -> Record | None:
        """Return the record of *key* if it can be found without parsing the others."""
        return find_record(read_private(self.path) or b"", key)

    def resembling(self, ref: str) -> Sequence[Record]:
        """Return all records that *ref* may mean, if they are few and can be told by their text."""
        return find_resembling(read_private(self.path) or b"", ref) or ()

    def document(self) -> Document:
        """Return everything in the file. Changes to it go nowhere."""
        return self._parsed(read_private(self.path) or b"")

    @contextlib.contextmanager
    def transaction(self, *, repair: bool = False) -> Iterator[Document]:
        """Change the document that this yields; it is written when the block ends normally.

        Blocks while another process writes. With *repair* a damaged file does not raise: it is
        kept aside, loudly, once the new one is to be written.
        """
        make_private_folder(self.folder)
        with self._lock():
            sweep_leftovers(self.path)
            content = read_private(self.path) or b""
            draft, is_damaged = self._draft(content, repair=repair)
            before = draft.facts()
            yield draft
            if draft.records.changed or draft.facts() != before:
                aside = self._kept_aside(content) if is_damaged else None
                replace_private(self.path, draft.to_bytes())
                if aside is not None:
                    _announce(self.path, aside)

    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when the next login could not be written."""
        make_private_folder(self.folder)
        with contextlib.suppress(DamagedRecords):  # a login repairs it
            self.document()
        check_room(self.path, self._size() + _ROOM_TO_GROW)

    def stamp(self) -> object:
        """Return what differs once the file was written, None where there is none."""
        try:
            facts = self.path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def damage(self, key: str, reason: str) -> StorageUnavailable:
        """Return the error of a record that cannot be used."""
        return StorageUnavailable(
            f"The record of {key} in {self.path} is damaged: {reason}.",
            code=STORE_READ_FAILED,
            hints=["Log in to that account again to replace it."],
        )

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _parsed(self, content: bytes) -> Document:
        try:
            return parse(content)
        except Damaged as finding:
            raise DamagedRecords(
                f"{self.path} is damaged: {finding}.",
                code=STORE_READ_FAILED,
                hints=["It is left as it is. The next login keeps it aside and starts anew."],
            ) from None
        except TooNew as finding:
            raise StorageUnavailable(
                f"{self.path} was written by a newer version of this program (format {finding}).",
                code=STORE_READ_FAILED,
                hints=["Upgrade this program to use it; it is left as it is."],
            ) from None

    def _draft(self, content: bytes, *, repair: bool) -> tuple[Document, bool]:
        try:
            return self._parsed(content), False
        except DamagedRecords:
            if not repair:
                raise
        return Document(), True

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        from click_auth.lock import LockBusy, exclusive  # noqa: PLC0415 - portalocker, for a write

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self.folder / f"{FILE_NAME}.lock", LOCK_SECONDS))
            except LockBusy as busy:
                message = f"{self.path} is being written by another process: {busy}."
                raise StorageUnavailable(message, code=STORE_WRITE_FAILED) from None
            except Unreachable as error:
                raise StorageUnavailable(error.message, code=STORE_WRITE_FAILED) from None
            yield

    def _kept_aside(self, content: bytes) -> Path:
        from datetime import datetime, timezone  # noqa: PLC0415 - for a damaged file only

        moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{FILE_NAME}.broken-{moment}")
        try:
            write_new(aside, content)
        except OSError as error:
            raise unwritable(aside, reason_of(error)) from None
        return aside


def _announce(path: Path, aside: Path) -> None:
    voice.current().warn(
        f"{path} was damaged and was kept as {aside}. Accounts that it held have to log in again."
    )
