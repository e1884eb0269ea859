"""The record file: `auth.json`, read without a lock and replaced whole under one."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from click_auth import voice
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable, Unreachable
from click_auth.stores.files import (
    check_room,
    make_private_folder,
    read_private,
    replace_private,
    sweep_leftovers,
    write_new,
    writing,
)
from click_auth.stores.records import DamagedRecords, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE_NAME = "auth.json"
LOCK_SECONDS = 10.0

REFUSAL = "CLICK_AUTH_REFUSE_RECORDS"
"""Names the variable with the parent of the folders whose records no test may touch."""

guard: Callable[[str], None] | None = None
"""Asked before each contact with a record file of those; what it raises passes through."""

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
        return read_private(self._name) or b""

    def replace(self, content: bytes, damaged: bytes | None) -> None:
        """Put *content* in place of the file, which is kept aside, loudly, if it is *damaged*."""
        aside = None if damaged is None else self._kept_aside(damaged)
        replace_private(self.path, content)
        if aside is not None:
            voice.current().warn(
                f"{self.path} was damaged and was kept as {aside}. "
                "Accounts that it held have to log in again."
            )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock beside the file. Blocks while another process writes."""
        from click_auth.lock import LockBusy, exclusive  # noqa: PLC0415 - for a write

        self._ask_guard()
        make_private_folder(self.folder)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self.folder / f"{FILE_NAME}.lock", LOCK_SECONDS))
            except LockBusy as busy:
                message = f"{self.path} is being written by another process: {busy}."
                raise StorageUnavailable(message, code=STORE_WRITE_FAILED) from None
            except Unreachable as error:
                raise StorageUnavailable(error.message, code=STORE_WRITE_FAILED) from None
            sweep_leftovers(self.path)
            yield

    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when the next login could not be written."""
        with contextlib.suppress(DamagedRecords):  # a login repairs it
            self.document()
        with self.alone():  # another writer would sweep what is written on trial
            check_room(self.path, len(self.content()) + _ROOM_TO_GROW)

    def stamp(self) -> object:
        """Return what differs once the file was written, None where there is none."""
        try:
            facts = os.stat(self._name)  # noqa: PTH116 - as above
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def _ask_guard(self) -> None:
        real = os.environ.get(REFUSAL)
        if not real or os.path.dirname(os.path.dirname(self._name)) != real:  # noqa: PTH120 - as above
            return
        if guard is None:
            raise AssertionError(f"{REFUSAL} is set: a test was about to touch {self._name}")
        guard(self._name)

    def _kept_aside(self, content: bytes) -> Path:
        from datetime import datetime, timezone  # noqa: PLC0415 - for a damaged file only

        moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{FILE_NAME}.broken-{moment}")
        with writing(aside):
            write_new(aside, content)
        return aside
