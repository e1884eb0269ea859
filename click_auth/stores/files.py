"""Private files: read without trusting what lies there, replaced whole or not at all.

Nothing here follows a link to somebody else's file or waits for a FIFO.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

from click_auth import folders
from click_auth.console import console
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_BYTES = 32 * 1024 * 1024
PRIVATE_FILE = 0o600


def _flags(*names: str) -> int:
    """Return those of the flags that this operating system knows, as one number."""
    return sum(getattr(os, name, 0) for name in names)


_READ_FLAGS = _flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
_CREATE_FLAGS = _flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
_REPLACE_SECONDS = 1.0  # a virus scanner or an indexer holds a file open on Windows
_TEMPORARY = r"\.\d+-\d+\.tmp"

_serial = count(1)
_warned: set[str] = set()


class TooLarge(StorageUnavailable):
    """The file is larger than anything that was ever written here."""


def read_private(path: str | Path) -> bytes | None:
    """Return the content of *path*, or None where there is no such file.

    Raises `StorageUnavailable` naming the path when it or its folder is somebody else's, when it
    is no regular file or cannot be read, and `TooLarge` beyond LARGEST_BYTES. Warns once per
    process when others may read it.
    """
    try:
        folders.check_folder(os.path.dirname(path))  # noqa: PTH120 - a reader does without pathlib
        _refuse_foreign_link(path)
        descriptor = os.open(path, _READ_FLAGS)
        try:
            return _content(path, descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise folders.unreadable(path, error) from None


def replace_private(path: Path, content: bytes) -> None:
    """Put *content* at *path*, mode 0600, whole or not at all, and on the disk when this returns.

    A link of our own is followed. Raises `StorageUnavailable`; the old file is then intact.
    """
    if len(content) > LARGEST_BYTES:
        message = f"{path} would be larger than {LARGEST_BYTES} bytes and is left as it is."
        raise StorageUnavailable(message, code=STORE_WRITE_FAILED)
    target = resolved(path)
    with folders.writing(path), _beside(target) as temporary:
        write_new(temporary, content)
        _rename(temporary, target)
    with contextlib.suppress(OSError):  # some file systems cannot; the rename has happened
        _sync_folder(target.parent)


def write_new(path: Path, content: bytes) -> None:
    """Create *path*, mode 0600 from its first byte, with *content* on the disk. Raises OSError."""
    descriptor = os.open(path, _CREATE_FLAGS, PRIVATE_FILE)
    try:
        if folders.HAS_OWNERS and (os.fstat(descriptor).st_mode ^ PRIVATE_FILE) & 0o777:
            with contextlib.suppress(OSError):  # whatever the umask took away
                os.fchmod(descriptor, PRIVATE_FILE)
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of *path* left. Call it under its lock."""
    target = resolved(path)
    ours = re.compile(re.escape(target.name) + _TEMPORARY)
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                target.with_name(entry.name).unlink(missing_ok=True)


def check_room(path: Path, size: int, kept: Path | None = None) -> None:
    """Raise `StorageUnavailable` when a file of *size* bytes cannot be put beside *path*.

    It is written and renamed, as `replace_private` does; to *kept*, where it is to stay.
    """
    target = resolved(path)
    with folders.writing(path), _beside(target) as probe, _beside(target) as renamed:
        write_new(probe, bytes(size))
        _rename(probe, kept or renamed)
        renamed.unlink(missing_ok=True)


def resolved(path: Path) -> Path:
    """Return the file that *path* means: itself, or the target of a link that is ours.

    Raises `StorageUnavailable` when link or file belong to somebody else, or when something that
    is no file is in the way.
    """
    target = path
    try:
        _refuse_foreign_link(path)
        target = path.resolve() if path.is_symlink() else path
        facts = target.lstat()
    except FileNotFoundError:
        return target
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise folders.unwritable(path, error) from None
    if not stat.S_ISREG(facts.st_mode):
        raise folders.unwritable(path, "something that is not a regular file is there")
    folders.refuse_foreign(path, facts)
    return target


def _content(path: str | Path, descriptor: int) -> bytes:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise folders.unreadable(path, "it is not a regular file")
    folders.refuse_foreign(path, facts)
    if facts.st_size > LARGEST_BYTES:
        raise TooLarge(f"{path} is larger than {LARGEST_BYTES} bytes.")
    _warn_if_wide(path, facts)
    pieces = []
    while piece := os.read(descriptor, facts.st_size + 1):
        pieces.append(piece)
    return b"".join(pieces)


def _refuse_foreign_link(path: str | Path) -> None:
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode):
        folders.refuse_foreign(path, facts)


def _warn_if_wide(path: str | Path, facts: os.stat_result) -> None:
    if str(path) in _warned or not is_open_to_others(path, facts):
        return
    mode = stat.S_IMODE(facts.st_mode)
    _warned.add(str(path))
    console.current().warn(
        f"{path} is open to other users (mode {mode:04o}). Run `chmod 600 {folders.quoted(path)}`."
    )


def is_open_to_others(path: str | Path, facts: os.stat_result) -> bool:
    """Return whether others may use *path*, which is as *facts* say, and a mode can mend it.

    A file system that keeps no modes makes a file look open: it can be run, and the folder, which
    each write closes to others, is as open.
    """
    others = facts.st_mode & folders.OTHERS
    if not folders.HAS_OWNERS or not others:
        return False
    if stat.S_ISREG(facts.st_mode) and others & 0o011:
        with contextlib.suppress(OSError):
            folder = os.stat(os.path.dirname(path)).st_mode  # noqa: PTH116, PTH120 - as above
            return folder & others != others
    return True


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Yield where to write what is to become *target*; nothing is left there on failure."""
    path = target.with_name(f"{target.name}.{os.getpid()}-{next(_serial)}.tmp")
    try:
        yield path
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


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
