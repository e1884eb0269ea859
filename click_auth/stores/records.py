"""Records of accounts, read one at a time or whole, and changed whole: in memory, or `auth.json`.

The record file is read without a lock and replaced whole under one.
"""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING

from click_auth import files, stores
from click_auth.account import select_account
from click_auth.console import console
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.files import TooLarge, read_private, writing
from click_auth.stores.document import DamagedRecords, Document, find_record, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click_auth.record import Record

FILE_NAME = "auth.json"
LOCK_SECONDS = 10.0
REPLACE_IT = "Log in to that account again to replace it."
ROOM_TO_GROW = 16 * 1024
"""Bytes that a record takes at most, its tokens included."""

NEVER_LOST = SimpleNamespace(check=lambda: None)
"""What a lock yields that nobody outside of this process can take away."""


class Records:
    """The records of one application and the locks of its accounts; this one keeps them in memory.

    Every method raises `StorageUnavailable` naming the place when it cannot be read or written,
    is damaged, or was written by a later version; none of them changes such a place, except a
    transaction with *repair*.
    """

    path: Path | None = None
    """The file that holds them, None where they live elsewhere."""

    place: str = "memory"
    """What errors call the place."""

    def __init__(self) -> None:
        self._content, self._stamp = b"", object()
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def content(self) -> bytes:
        """Return the text of the records."""
        return self._content

    def glance(self) -> bytes:
        """Return the same, from memory where nobody has written since; for what only tells."""
        return self.content()

    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Put *content* in place of what is there, which is not to be lost if it is damaged."""
        del is_damaged
        self._content, self._stamp = content, object()

    def alone(self) -> contextlib.AbstractContextManager[object]:
        """Return a block within which nobody else writes. Blocks while somebody does."""
        return self._lock

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[object]:
        """Hold the lock under which the credential of one account is changed."""
        with self._locks.setdefault(key, threading.Lock()):
            yield NEVER_LOST

    def stamp(self) -> object:
        """Return something cheap that differs once somebody has written."""
        return self._stamp

    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when a transaction would fail."""

    def confirm(self, key: str) -> None:
        """Raise unless a change of the record of *key*, under its lock, would reach the others."""

    def document(self, content: bytes | None = None) -> Document:
        """Return everything that *content*, by default the present one, says."""
        return parse(self.content() if content is None else content, self.place)

    def find(self, key: str) -> Record | None:
        """Return the record of *key*. Raises `StorageUnavailable` when that one is damaged."""
        content = self.content()
        return find_record(content, key) or self._undamaged(self.document(content), key)

    def select(self, ref: str | None, instance: str | None = None) -> Record | None:
        """Return the record that *ref*, a key, an id or a label, means; None is the default one.

        Raises `UsageError` as `select_account` does, `StorageUnavailable` as `find`.
        """
        content, is_default = self.glance(), ref is None and instance is None
        found = None if ref is None and not is_default else find_record(content, ref)
        if found is not None and instance in (None, found.instance):
            return found
        document = self.document(content)
        key, only = ref, list(document.records.texts)
        if is_default:  # a damaged one is no reason to take another
            key = document.default or (only[0] if len(only) == 1 else None)
        if key is not None:
            self._undamaged(document, key)
        accounts = [record.account for record in document.records.values()]
        chosen = select_account(accounts, ref, default=document.default, instance=instance)
        return None if chosen is None else document.records[chosen.key]

    def _undamaged(self, document: Document, key: str) -> Record | None:
        if (reason := document.records.reason(key)) is not None:
            raise self.damage(key, reason)
        return document.records.get(key)

    def damage(self, key: str, reason: str) -> StorageUnavailable:
        """Return the error of a record that cannot be used."""
        message = f"The record of {key} in {self.place} is damaged: {reason}."
        return StorageUnavailable(message, hints=[REPLACE_IT])

    @contextlib.contextmanager
    def transaction(self, *, repair: bool = False) -> Iterator[Document]:
        """Change the document that this yields; it is kept when the block ends normally.

        With *repair* a damaged place does not raise: it is set aside, loudly, once the new
        document is to be written.
        """
        with self.alone():
            is_damaged = False
            try:
                draft = self.document()
            except DamagedRecords:
                if not repair:
                    raise
                draft, is_damaged = Document(), True
            # Not the state itself: a traceback that prints variables would show its secrets.
            is_unchanged = draft.state().__eq__
            yield draft
            if not is_unchanged(draft.state()):
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
            if record.key in draft.records.texts:
                return False
            draft.records[record.key] = record
            if draft.default is None:
                draft.default = record.key
            if migration is not None:
                draft.migrations.update([migration])
            return True

    def compare_and_set(self, expected: Record, new: Record) -> bool:
        """Put *new* in place of *expected* if that is still there; return whether it was."""
        with self.transaction() as draft:
            if not expected.is_same_credential(draft.records.get(expected.key)):
                return False
            draft.put(new)
            return True


class RecordFile(Records):
    """The records of one application, in `auth.json` in *folder*, and its locks beside it."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.place: str = os.path.join(folder, FILE_NAME)  # noqa: PTH118 - as below

    @property
    def path(self) -> Path:  # type: ignore[override]  # only the base can be without one
        """The file."""
        from pathlib import Path  # noqa: PLC0415 - a read does without: it costs as much as one

        return Path(self.place)

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        return self.path.parent

    def content(self) -> bytes:
        """Return the text of the records, which is empty where there is no file."""
        self._ask_guard()
        try:
            return read_private(self.place) or b""
        except TooLarge as finding:
            raise DamagedRecords(finding.message) from None

    def glance(self) -> bytes:
        """Return the same, from memory where nobody has written since; for what only tells."""
        self._ask_guard()
        stamp = self.stamp()
        if stamp is None or stamp != self._stamp:
            self._content, self._stamp = self.content(), stamp  # a write between is seen
        return self._content

    def stamp(self) -> object:
        """Return what differs once the file was written, None where there is none."""
        try:
            facts = os.stat(self.place)  # noqa: PTH116 - as above
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Put *content* in place of the file, which is set aside, loudly, if it is damaged."""
        if not is_damaged:
            files.replace_private(self.path, content)
            self._content, self._stamp = content, self.stamp()  # nobody else writes meanwhile
            return
        moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{FILE_NAME}.broken-{moment}")
        target = files.resolved(self.path)
        with writing(aside):
            target.rename(aside)  # however large it is
        try:
            with contextlib.suppress(OSError):
                aside.chmod(files.PRIVATE_FILE)
            files.replace_private(self.path, content)
        except BaseException:
            with writing(target):
                aside.rename(target)
            raise
        console.current().warn(
            f"{self.path} was damaged and has been moved to {aside}. "
            "Log in again to the accounts it contained."
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock beside the file. Blocks while another process writes."""
        from click_auth.locks.account_lock import LockBusy, exclusive  # noqa: PLC0415 - for a write

        self._ask_guard()
        mode = files.make_private_folder(self.folder)
        if mode is not None:
            console.current().warn(
                f"{self.folder} was open to other users (mode {mode:04o}); it is 0700 now."
            )
        try:
            with exclusive(self.folder / f"{FILE_NAME}.lock", LOCK_SECONDS):
                files.sweep_leftovers(self.path)
                yield
        except LockBusy as busy:
            message = f"{self.path} is being written by another process: {busy}."
            raise StorageUnavailable(message, code=STORE_WRITE_FAILED) from None

    def lock(  # type: ignore[override]  # a generator's context manager is one of many
        self, key: str
    ) -> contextlib.AbstractContextManager[object]:
        """Return the lock file of one account: hosts that share the folder share it."""
        from click_auth.locks.account_lock import account_lock  # noqa: PLC0415 - as above

        return account_lock(self.folder, key)

    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when the next login could not be written."""
        content = b""
        with contextlib.suppress(DamagedRecords):  # a login repairs it
            content = self.content()
            self.document(content)
        with self.alone():  # another writer would sweep what is written on trial
            files.check_room(self.path, len(content) + ROOM_TO_GROW)

    def _ask_guard(self) -> None:
        if stores.record_guard is not None:
            stores.record_guard(self.place)
            return
        real = os.environ.get(stores.REFUSE_RECORDS, "").split(os.pathsep)
        if self.place.startswith(tuple(filter(None, real))):
            raise AssertionError(stores.REFUSAL.format(stores.REFUSE_RECORDS, self.place))
