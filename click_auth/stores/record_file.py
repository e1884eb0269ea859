"""The record file: `auth.json`, read without a lock and replaced whole under one."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from click_auth import files, stores
from click_auth.account import slot_name
from click_auth.console import console
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.files import TooLarge, read_private, writing
from click_auth.stores.document import UNREADABLE, DamagedRecords, loads, validate_record
from click_auth.stores.records import Records, Reserve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click_auth.record import Record

FILE_NAME = "auth.json"
LOCK_SECONDS = 10.0

_ROOM_TO_GROW = 16 * 1024  # bytes


class RecordFile(Records):
    """The records of one application, in `auth.json` in *folder*, and its locks beside it."""

    _glanced: tuple[object, bytes] = (None, b"")  # what `stamp` was, and the text at that time

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

    @property
    def place(self) -> str:
        """The file, as text."""
        return self._name

    def content(self) -> bytes:
        """Return the text of the records, which is empty where there is no file."""
        self._ask_guard()
        try:
            return read_private(self._name) or b""
        except TooLarge as finding:
            raise DamagedRecords(finding.message) from None

    def glance(self) -> bytes:
        """Return the same, from memory where nobody has written since; for what only tells."""
        self._ask_guard()
        stamp = self.stamp()
        if stamp is None or stamp != self._glanced[0]:
            self._glanced = stamp, self.content()  # the older stamp: a write between is seen
        return self._glanced[1]

    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Put *content* in place of the file, which is set aside, loudly, if it is damaged."""
        if not is_damaged:
            files.replace_private(self.path, content)
            self._glanced = self.stamp(), content  # nobody else writes meanwhile
            return
        with self._moved_aside() as aside:
            files.replace_private(self.path, content)
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
        with contextlib.ExitStack() as stack:
            try:
                lock = self.folder / f"{FILE_NAME}.lock"
                stack.enter_context(exclusive(lock, LOCK_SECONDS))
            except LockBusy as busy:
                message = f"{self.path} is being written by another process: {busy}."
                raise StorageUnavailable(message, code=STORE_WRITE_FAILED) from None
            files.sweep_leftovers(self.path)
            yield

    def lock(self, key: str) -> contextlib.AbstractContextManager[object]:
        """Return the lock file of one account: hosts that share the folder share it."""
        from click_auth.locks.account_lock import account_lock  # noqa: PLC0415 - as above

        return account_lock(self.folder, key)

    def wait_for_others(self, key: str, deadline: float) -> bool:
        """Wait, without taking it, while another process is seen to hold the lock of an account."""
        from click_auth.locks.account_lock import wait_for_others  # noqa: PLC0415 - as above

        return wait_for_others(self.folder, key, deadline)

    def stamp(self) -> object:
        """Return what differs once the file was written, None where there is none."""
        try:
            facts = os.stat(self._name)  # noqa: PTH116 - as above
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def check_writable(self) -> None:
        """Raise `StorageUnavailable` when the next login could not be written."""
        content = b""
        with contextlib.suppress(DamagedRecords):  # a login repairs it
            content = self.content()
            self.document(content)
        with self.alone():  # another writer would sweep what is written on trial
            files.check_room(self.path, len(content) + _ROOM_TO_GROW)

    @contextlib.contextmanager
    def reserve(self, key: str) -> Iterator[Reserve]:
        """Hold a file beside the records, open, so that it can be written whatever comes.

        Call it under the account's lock, with a record that was read under it. Raises
        `StorageUnavailable` when a transaction would fail.
        """
        path, held = self._reserve_path(key), None
        size = 2 * _ROOM_TO_GROW
        # No record lock: a writer of records sweeps no name with an account in it.
        with writing(self.path):
            size += os.path.getsize(self._name)  # noqa: PTH202 - as above
            files.sweep_leftovers(path)
            files.write_whole(path, bytes(size))
        try:
            with contextlib.closing(HeldFile(path, _ROOM_TO_GROW)) as held:
                yield held
        finally:
            if held is None or not held.is_used:
                _remove(path)

    def reserved(self, key: str) -> tuple[Record, Record] | None:
        """Return what a `HeldFile` keeps of *key*; None where none has been written to its end."""
        content = read_private(self._reserve_path(key))
        kept = None if content is None else _kept_in(content)
        return kept if kept is not None and kept[1].key == key else None

    def drop_reserve(self, key: str) -> None:
        """Remove the file of *key* that a `HeldFile` has left, or a process that was killed."""
        with contextlib.suppress(StorageUnavailable):
            path = self._reserve_path(key)
            files.sweep_leftovers(path)
            _remove(path)

    def _reserve_path(self, key: str) -> Path:
        target = files.resolved(self.path)
        return target.with_name(f"{target.name}.{slot_name(key)}.unstored")

    def _ask_guard(self) -> None:
        real = os.environ.get(stores.REFUSE_RECORDS, "").split(os.pathsep)
        if stores.record_guard is not None:
            stores.record_guard(self._name)
        elif self._name.startswith(tuple(filter(None, real))):
            raise AssertionError(stores.REFUSAL.format(stores.REFUSE_RECORDS, self._name))

    @contextlib.contextmanager
    def _moved_aside(self) -> Iterator[Path]:
        """Move the file out of the way, however large it is, and back if the block fails."""
        moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{FILE_NAME}.broken-{moment}")
        target = files.resolved(self.path)
        with writing(aside):
            target.rename(aside)
        try:
            with contextlib.suppress(OSError):
                aside.chmod(files.PRIVATE_FILE)
            yield aside
        except BaseException:
            with writing(target):
                aside.rename(target)
            raise


class HeldFile(Reserve):
    """The file at *path*, of *size* bytes from now on. Raises `StorageUnavailable`.

    It is there before the server is asked, and held open: it can be written when the folder has
    closed meanwhile. It then holds the whole new record, with its tokens only where those belong
    into the record file anyway.
    """

    def __init__(self, path: Path, size: int) -> None:
        with writing(path):
            self._file = path.open("r+b")
            self._file.truncate(size)

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):  # what could not be written is not written now
            self._file.close()

    def keep(self, expected: Record, record: Record) -> None:
        """Keep *record*, which was to replace *expected*, if there is room. Never raises."""
        replaces = [expected.generation, expected.access_token_obtained_at]
        content = json.dumps({"replaces": replaces, "record": record.to_json()})
        with contextlib.suppress(OSError):
            self._file.write(content.encode())
            self._file.truncate()
            os.fsync(self._file.fileno())
            self.is_used = True


def _kept_in(content: bytes) -> tuple[Record, Record] | None:
    """Return what `HeldFile.keep` wrote, expected and new record; None of anything else."""
    try:
        kept = loads(content)
        record = validate_record(kept["record"])
        generation, obtained_at = kept["replaces"]
    except (*UNREADABLE, LookupError, TypeError):
        return None
    return replace(record, generation=generation, access_token_obtained_at=obtained_at), record


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
