"""Folders of ours, kept from others, and the files in them, replaced whole or not at all.

Nothing here follows a link to somebody else's file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable, Unwritable
from click_auth.files import (
    HAS_OWNERS,
    LARGEST_BYTES,
    OTHERS,
    check_folder,
    flags_of,
    is_ours,
    owner,
    refuse_foreign,
    refuse_foreign_link,
    unwritable,
    writing,
)

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600

_CREATE_FLAGS = flags_of("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
_REPLACE_SECONDS = 1.0  # a virus scanner or an indexer holds a file open on Windows
_TEMPORARY = r"(\.\d+-\d+\.tmp)+"
_serial = count(1)

_OUR_NAMES = re.compile(r"auth\.json.*|locks|cache|pending|user-.*|[0-9a-f]{64}\.json.*")
_TOO_LONG = 2000  # characters; no file system takes more than 1,024 in a name


def make_private_folder(path: Path) -> int | None:
    """Create *path* and its missing parents, mode 0700; tighten it where it holds only our things.

    Returns the mode that it had, where others were shut out. Raises `StorageUnavailable` as
    `check_usable` does.
    """
    is_there = check_usable(path)
    with writing(path):
        if not is_there:
            _make_folders(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if not HAS_OWNERS or not mode & OTHERS or not _holds_only_ours(path) or _is(path, "~"):
            return None
        with contextlib.suppress(OSError):  # a file system that keeps no modes stops nobody
            path.chmod(PRIVATE_FOLDER)
        return None if path.stat().st_mode & OTHERS else mode


def check_usable(path: Path) -> bool:
    """Return whether the folder *path* is there. Changes nothing.

    Raises `StorageUnavailable` where it cannot be made or written, is somebody else's, or is one
    that others need as it is.
    """
    with writing(path):
        facts = check_folder(path)
        there = _parent_of(path) if facts is None else path
        if facts is not None and (fault := _fault(path, facts)) is not None:
            raise unwritable(path, fault)
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return facts is not None


def _fault(path: Path, facts: os.stat_result) -> str | None:
    """Return why a folder cannot be one of ours, for the middle of a sentence."""
    if not stat.S_ISDIR(facts.st_mode):
        return "it is not a folder"
    if HAS_OWNERS and facts.st_mode & stat.S_ISVTX:
        return "it is a folder shared by all users"
    if _is(path, os.sep):
        return "it is the root of the file system; credentials need a folder of their own"
    if _is(path, "~") and not _holds_only_ours(path):  # a container's may have nothing else in it
        return "it is a home folder; credentials need a folder of their own"
    return None


def _is(path: Path, place: str) -> bool:
    """Return whether *path* is the folder that *place* names."""
    with contextlib.suppress(OSError):
        return os.path.samefile(path, os.path.expanduser(place))  # noqa: PTH111, PTH121 - as above
    return False


def _parent_of(path: Path) -> Path:
    """Return the nearest folder that is there, in which *path* would be made.

    As root nothing is made where somebody else is at home: they could never use it (sudo).
    """
    there = next(each for each in path.parents if each.exists())
    facts = there.stat()
    if HAS_OWNERS and os.geteuid() == 0 and not is_ours(facts):
        raise Unwritable(
            f"{path} won't be created as root: {there} belongs to another user ({owner(facts)}).",
            hints=["Run the command without sudo, or set HOME."],
        )
    _refuse_strange_file_systems(there)
    return there


def _refuse_strange_file_systems(folder: Path) -> None:
    """Raise OSError where no folder can be made, as in /proc: a name that is too long asks it."""
    try:
        (folder / ("x" * _TOO_LONG)).mkdir()
    except OSError as error:
        if HAS_OWNERS and error.errno != errno.ENAMETOOLONG:
            raise


def _make_folders(path: Path) -> None:
    if path.is_dir():
        return
    if path.parent != path:
        _make_folders(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(PRIVATE_FOLDER)
        if (path.stat().st_mode ^ PRIVATE_FOLDER) & 0o777:  # whatever the umask took away
            with contextlib.suppress(OSError):
                path.chmod(PRIVATE_FOLDER)


def _holds_only_ours(path: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        return all(_OUR_NAMES.fullmatch(entry.name) for entry in entries)
    return False


def replace_private(path: Path, content: bytes) -> None:
    """Put *content* at *path*, mode 0600, whole or not at all, and on the disk when this returns.

    A link of our own is followed. Raises `StorageUnavailable`; the old file is then intact.
    """
    if len(content) > LARGEST_BYTES:
        message = f"{path} would be larger than {LARGEST_BYTES} bytes; it was left untouched."
        raise StorageUnavailable(message, code=STORE_WRITE_FAILED)
    target = resolved(path)
    with writing(path):
        write_whole(target, content)


def check_room(path: Path, size: int) -> None:
    """Raise `StorageUnavailable` when a file of *size* bytes cannot take the place of *path*.

    One is really written and renamed, beside it. Call it under the lock of *path*.
    """
    trial = _beside(resolved(path))
    with writing(path):
        write_whole(trial, bytes(size))
        trial.unlink()


def write_whole(path: Path, content: bytes) -> None:
    """Put *content* at *path* as `replace_private` does. Raises OSError."""
    temporary = _beside(path)
    try:
        _write_new(temporary, content)
        _rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    with contextlib.suppress(OSError):  # some file systems cannot; the rename has happened
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.{os.getpid()}-{next(_serial)}.tmp")


def _write_new(path: Path, content: bytes) -> None:
    """Create *path*, mode 0600 from its first byte, with *content* on the disk. Raises OSError."""
    descriptor = os.open(path, _CREATE_FLAGS, PRIVATE_FILE)
    try:
        if HAS_OWNERS and (os.fstat(descriptor).st_mode ^ PRIVATE_FILE) & 0o777:
            with contextlib.suppress(OSError):  # whatever the umask took away
                os.fchmod(descriptor, PRIVATE_FILE)
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(source: Path, target: Path) -> None:
    deadline = time.monotonic() + _REPLACE_SECONDS
    while sys.platform == "win32" and time.monotonic() < deadline:
        with contextlib.suppress(PermissionError):
            os.replace(source, target)  # noqa: PTH105 - as the contract names it
            return
        time.sleep(0.02)
    os.replace(source, target)  # noqa: PTH105


def sweep_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of *path* left. Call it under its lock."""
    target = resolved(path)
    ours = re.compile(re.escape(target.name) + _TEMPORARY)
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                target.with_name(entry.name).unlink(missing_ok=True)


def resolved(path: Path) -> Path:
    """Return the file that *path* means: itself, or the target of a link that is ours.

    Raises `StorageUnavailable` when link or file belong to somebody else, or when something that
    is no file is in the way.
    """
    target = path
    try:
        refuse_foreign_link(path)
        target = path.resolve() if path.is_symlink() else path
        facts = target.lstat()
    except FileNotFoundError:
        return target
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise unwritable(path, error) from None
    if not stat.S_ISREG(facts.st_mode):
        raise unwritable(path, "it is not a regular file")
    refuse_foreign(path, facts)
    return target
