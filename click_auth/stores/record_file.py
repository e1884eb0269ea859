"""The record file: `auth.json`, read without a lock and replaced whole under one."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from click_auth import stores
from click_auth.account import slot_name
from click_auth.console import console
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.folders import make_private_folder, writing
from click_auth.stores.files import (
    PRIVATE_FILE,
    TooLarge,
    check_room,
    read_private,
    replace_private,
    resolved,
    sweep_leftovers,
)
from click_auth.stores.records import DamagedRecords, Records, Reserve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click_auth.record import Record

FILE_NAME = "auth.json"
LOCK_SECONDS = 10.0

_ROOM_TO_GROW = 16 * 1024  # bytes


class RecordFile(Records):
    """The records of one application, in `auth.json` in *folder*."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = folder

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        from pathlib import Path  # noqa: PLC0415 - a read does without: it costs as much as one

        return Path(self._name).parent

    @folder.setter
    def folder(self, folder: str | Path) -> None:
        self._name = os.path.join(folder, FILE_NAME)  # noqa: PTH118 - as above

    @property
    def path(self) -> Path:  # type: ignore[override]  # only the base can be without one
        """The file."""
        return self.folder / FILE_NAME

    def content(self) -> bytes:
        """Return the text of the records, which is empty where there is no file."""
        self._ask_guard()
        try:
            return read_private(self._name) or b""
        except TooLarge as finding:
            raise DamagedRecords(finding.message) from None

    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Put *content* in place of the file, which is kept aside, loudly, if it is damaged."""
        if not is_damaged:
            replace_private(self.path, content)
            return
        with self._moved_aside() as aside:
            replace_private(self.path, content)
        console.current().warn(
            f"{self.path} was damaged and was kept as {aside}. "
            "Accounts that it held have to log in again."
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock beside the file. Blocks while another process writes."""
        from click_auth.locks.account_lock import LockBusy, exclusive  # noqa: PLC0415 - for a write

        self._ask_guard()
        mode = make_private_folder(self.folder)
        if mode is not None:
            console.current().warn(
                f"{self.folder} was open to others (mode {mode:04o}); it is 0700 now."
            )
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self.folder / f"{FILE_NAME}.lock", LOCK_SECONDS))
            except LockBusy as busy:
                message = f"{self.path} is being written by another process: {busy}."
                raise StorageUnavailable(message, code=STORE_WRITE_FAILED) from None
            sweep_leftovers(self.path)
            yield

    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when the next login could not be written."""
        with contextlib.suppress(DamagedRecords):  # a login repairs it
            self.document()
        with self.alone():  # another writer would sweep what is written on trial
            check_room(self.path, len(self.content()) + _ROOM_TO_GROW)

    @contextlib.contextmanager
    def reserve(self, key: str) -> Iterator[Reserve]:
        """Hold a file beside the records, open, so that it can be written whatever comes.

        Raises `StorageUnavailable` when a transaction would fail.
        """
        from click_auth.stores.unstored import HeldFile  # noqa: PLC0415 - for a refresh

        self.document()
        path, held = self._reserve_path(key), None
        with self.alone():
            check_room(self.path, len(self.content()) + 2 * _ROOM_TO_GROW, path)
        try:
            with contextlib.closing(HeldFile(path, _ROOM_TO_GROW)) as held:
                yield held
        finally:
            if held is None or not held.is_used:
                _remove(path)

    def reserved(self, key: str) -> tuple[Record, Record] | None:
        """Return what a `HeldFile` keeps of *key*; None where none has been written to its end."""
        content = read_private(self._reserve_path(key))
        if content is None:
            return None
        from click_auth.stores.unstored import kept_in  # noqa: PLC0415 - where there is one

        kept = kept_in(content)
        return kept if kept is not None and kept[1].key == key else None

    def drop_reserve(self, key: str) -> None:
        """Remove the file of *key* that a `HeldFile` has left, or a process that was killed."""
        with contextlib.suppress(StorageUnavailable):
            _remove(self._reserve_path(key))

    def _reserve_path(self, key: str) -> Path:
        target = resolved(self.path)
        return target.with_name(f"{target.name}.{slot_name(key)}.unstored")

    def stamp(self) -> object:
        """Return what differs once the file was written, None where there is none."""
        try:
            facts = os.stat(self._name)  # noqa: PTH116 - as above
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def _ask_guard(self) -> None:
        real = os.environ.get(stores.REFUSE_RECORDS)
        if not real or os.path.dirname(os.path.dirname(self._name)) != real:  # noqa: PTH120 - as above
            return
        if stores.record_guard is None:
            raise AssertionError(
                f"{stores.REFUSE_RECORDS} is set: a test was about to touch {self._name}"
            )
        stores.record_guard(self._name)

    @contextlib.contextmanager
    def _moved_aside(self) -> Iterator[Path]:
        """Move the file out of the way, however large it is, and back if the block fails."""
        from datetime import datetime, timezone  # noqa: PLC0415 - for a damaged file only

        moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{FILE_NAME}.broken-{moment}")
        target = resolved(self.path)
        with writing(aside):
            target.rename(aside)
        try:
            with contextlib.suppress(OSError):
                aside.chmod(PRIVATE_FILE)
            yield aside
        except BaseException:
            with writing(target):
                aside.rename(target)
            raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
