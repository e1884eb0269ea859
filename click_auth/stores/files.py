"""Private files: read without trusting what lies there, replaced whole or not at all.

Nothing here follows a link to somebody else's file or waits for a FIFO. Where the operating
system knows no owners and modes (Windows) those checks are void.
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

from click_auth import voice
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_BYTES = 32 * 1024 * 1024
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

OTHERS = 0o077
"""The mode bits of everybody but the owner."""

HAS_OWNERS = hasattr(os, "geteuid")
"""Whether files have owners and modes here."""


def _flags(*names: str) -> int:
    """Return those of the flags that this operating system knows, as one number."""
    return sum(getattr(os, name, 0) for name in names)


_READ_FLAGS = _flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
_CREATE_FLAGS = _flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
_REPLACE_SECONDS = 1.0  # a virus scanner or an indexer holds a file open on Windows
_TEMPORARY = r"\.\d+-\d+\.tmp"

_serial = count(1)
_warned: set[str] = set()


def read_private(path: str | Path) -> bytes | None:
    """Return the content of *path*, or None where there is no such file.

    Raises `StorageUnavailable` naming the path when it is no regular file, is somebody else's, is
    larger than LARGEST_BYTES, or cannot be read. Warns once per process when others may read it.
    """
    try:
        _refuse_foreign_link(path)
        descriptor = os.open(path, _READ_FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, reason_of(error)) from None
    try:
        return _content(path, descriptor)
    except OSError as error:
        raise unreadable(path, reason_of(error)) from None
    finally:
        os.close(descriptor)


def replace_private(path: Path, content: bytes) -> None:
    """Put *content* at *path*, mode 0600, whole or not at all, and on the disk when this returns.

    A link of our own is followed. Raises `StorageUnavailable`; the old file is then intact.
    """
    target = resolved(path)
    with writing(path), _beside(target) as temporary:
        write_new(temporary, content)
        _rename(temporary, target)
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
    with writing(path):
        _make_folders(path)
        facts = path.stat()
    if not stat.S_ISDIR(facts.st_mode):
        raise unwritable(path, "it is not a folder")
    if not is_ours(facts):
        raise foreign(path)
    mode = stat.S_IMODE(facts.st_mode)
    if HAS_OWNERS and mode & OTHERS:
        with writing(path):
            path.chmod(PRIVATE_FOLDER)
        voice.current().warn(f"{path} was open to others (mode {mode:04o}); it is 0700 now.")


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
    with writing(path), _beside(resolved(path)) as probe:
        write_new(probe, bytes(size))
        probe.unlink(missing_ok=True)


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
        raise unwritable(path, reason_of(error)) from None
    if not stat.S_ISREG(facts.st_mode):
        raise unwritable(path, "something that is not a regular file is there")
    if not is_ours(facts):
        raise foreign(path)
    return target


def unreadable(path: str | Path, reason: str) -> StorageUnavailable:
    """Return the error of a file that cannot be read."""
    return StorageUnavailable(f"{path} cannot be read: {reason}.")


def unwritable(path: Path, reason: str) -> StorageUnavailable:
    """Return the error of a file that cannot be written."""
    return StorageUnavailable(f"{path} cannot be written: {reason}.", code=STORE_WRITE_FAILED)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of whatever the operating system refuses within the block that *path* is unwritable."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, reason_of(error)) from None


def foreign(path: str | Path) -> StorageUnavailable:
    """Return the error of a file, folder or link that is somebody else's."""
    return StorageUnavailable(
        f"{path} belongs to another user and is not touched.",
        hints=["Run the command as its owner, or remove it."],
    )


def is_ours(facts: os.stat_result) -> bool:
    """Return whether the process's user owns what *facts* describe."""
    return not HAS_OWNERS or facts.st_uid == os.geteuid()


def reason_of(error: Exception) -> str:
    """Return what the operating system says, for the middle of a sentence."""
    return str(getattr(error, "strerror", None) or type(error).__name__).lower()


def _content(path: str | Path, descriptor: int) -> bytes:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise unreadable(path, "it is not a regular file")
    if not is_ours(facts):
        raise foreign(path)
    if facts.st_size > LARGEST_BYTES:
        raise unreadable(path, f"it is larger than {LARGEST_BYTES} bytes")
    _warn_if_wide(path, facts)
    pieces = []
    while piece := os.read(descriptor, facts.st_size + 1):
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _refuse_foreign_link(path: str | Path) -> None:
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode) and not is_ours(facts):
        raise foreign(path)


def _warn_if_wide(path: str | Path, facts: os.stat_result) -> None:
    mode = stat.S_IMODE(facts.st_mode)
    if not HAS_OWNERS or not mode & OTHERS or str(path) in _warned:
        return
    _warned.add(str(path))
    voice.current().warn(
        f"{path} is open to other users (mode {mode:04o}); the next write makes it 0600."
    )


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


def _make_folders(path: Path) -> None:
    if path.is_dir():
        return
    if path.parent != path:
        _make_folders(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(PRIVATE_FOLDER)
        path.chmod(PRIVATE_FOLDER)


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
