"""Private files, read without trusting what lies there.

Nothing here follows a link to somebody else's file or waits for a FIFO. Where the operating
system knows no owners and modes (Windows) those checks are void.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from click_auth import voice
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES = 32 * 1024 * 1024

OTHERS = 0o077
"""The mode bits of everybody but the owner."""

HAS_OWNERS = hasattr(os, "geteuid")
"""Whether files have owners and modes here."""

_READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
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
