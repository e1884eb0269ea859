"""Private files, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

from click_auth import voice
from click_auth.stores.files import (
    HAS_OWNERS,
    OTHERS,
    foreign,
    is_ours,
    reason_of,
    resolved,
    unwritable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

_CREATE_FLAGS = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_REPLACE_SECONDS = 1.0  # a virus scanner or an indexer holds a file open on Windows
_TEMPORARY = r"\.\d+-\d+\.tmp"

_serial = count(1)


def replace_private(path: Path, content: bytes) -> None:
    """Put *content* at *path*, mode 0600, whole or not at all, and on the disk when this returns.

    A link of our own is followed. Raises `StorageUnavailable`; the old file is then intact.
    """
    target = resolved(path)
    temporary = _beside(target)
    try:
        with _removed_on_failure(temporary):
            write_new(temporary, content)
            _rename(temporary, target)
    except OSError as error:
        raise unwritable(path, reason_of(error)) from None
    with contextlib.suppress(OSError):  # some file systems cannot; the rename has happened
        _sync_folder(target.parent)


def write_new(path: Path, content: bytes) -> None:
    """Create *path*, mode 0600 from its first byte, with *content* on the disk. Raises OSError."""
    descriptor = os.open(path, _CREATE_FLAGS, PRIVATE_FILE)
    try:
        if HAS_OWNERS:
            os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask took away
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_folder(path: Path) -> None:
    """Create *path* and its missing parents, mode 0700; tighten it where it was wider.

    Raises `StorageUnavailable` when it cannot be made or is somebody else's.
    """
    try:
        _make_folders(path)
        facts = path.stat()
    except OSError as error:
        raise unwritable(path, reason_of(error)) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise unwritable(path, "it is not a folder")
    if not is_ours(facts):
        raise foreign(path)
    if HAS_OWNERS and facts.st_mode & OTHERS:
        _tighten(path, stat.S_IMODE(facts.st_mode))


def sweep_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of *path* left. Call it under its lock."""
    target = resolved(path)
    ours = re.compile(re.escape(target.name) + _TEMPORARY)
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                target.with_name(entry.name).unlink(missing_ok=True)


def check_room(path: Path, size: int) -> None:
    """Raise `StorageUnavailable` when a file of *size* bytes cannot be written beside *path*."""
    probe = _beside(resolved(path))
    try:
        with _removed_on_failure(probe):
            write_new(probe, bytes(size))
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, reason_of(error)) from None


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.{os.getpid()}-{next(_serial)}.tmp")


@contextlib.contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _make_folders(path: Path) -> None:
    if path.is_dir():
        return
    if path.parent != path:
        _make_folders(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(PRIVATE_FOLDER)
        path.chmod(PRIVATE_FOLDER)


def _tighten(path: Path, mode: int) -> None:
    try:
        path.chmod(PRIVATE_FOLDER)
    except OSError as error:
        raise unwritable(path, reason_of(error)) from None
    voice.current().warn(f"{path} was open to others (mode {mode:04o}); it is 0700 now.")


def _rename(source: Path, target: Path) -> None:
    deadline = time.monotonic() + _REPLACE_SECONDS
    while sys.platform == "win32" and time.monotonic() < deadline:
        with contextlib.suppress(PermissionError):
            os.replace(source, target)  # noqa: PTH105 - as the contract names it
            return
        time.sleep(0.02)
    os.replace(source, target)  # noqa: PTH105


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
