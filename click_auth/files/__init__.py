"""Private files and folders: read without trust in what lies there, replaced whole or not at all.

Nothing here follows a link to somebody else's file or waits for a FIFO. What looks at owners and
modes is void where there are none (Windows).
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

from click_auth.console import console
from click_auth.errors import STORE_WRITE_FAILED, StorageUnavailable
from click_auth.files import refusals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path  # which costs as much as a read: a reader does without

PRIVATE_FILE = 0o600

_PRIVATE_FOLDER = 0o700
_OTHERS = 0o077  # the mode bits of everybody but the owner
_HAS_OWNERS = hasattr(os, "geteuid")
_LARGEST_BYTES = 32 * 1024 * 1024
_REPLACE_SECONDS = 1.0  # a virus scanner or an indexer holds a file open on Windows
_TEMPORARY = r"(\.\d+-\d+\.tmp)+"
# Compiled by whoever writes: a reader does without.
_OUR_NAMES = r"auth\.json.*|locks|cache|pending|user-.*|[0-9a-f]{64}\.json.*"
_TOO_LONG = 2000  # characters; no file system takes more than 1,024 in a name

_serial = count(1)
_warned: set[str] = set()


def flags_of(*names: str) -> int:
    """Return those of the flags that this operating system knows, as one number."""
    return sum(getattr(os, name, 0) for name in names)


_READ = flags_of("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
_CREATE = flags_of("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")


class TooLarge(StorageUnavailable):
    """The file is larger than anything that was ever written here."""


def read_private(path: str | Path) -> bytes | None:
    """Return the content of *path*, or None where there is no such file.

    Raises `StorageUnavailable` naming the path when it or its folder is somebody else's, when it
    is no regular file or cannot be read, and `TooLarge`. Warns once when others may read it.
    """
    try:
        check_owner(os.path.dirname(path))  # noqa: PTH120 - a reader does without pathlib
        check_owner(path)
        with os.fdopen(os.open(path, _READ), "rb", buffering=0) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise refusals.unreadable(path, "it is not a regular file")
            _refuse_foreign(path, facts)
            if facts.st_size > _LARGEST_BYTES:
                raise TooLarge(f"{path} is larger than {_LARGEST_BYTES} bytes.")
            _warn_if_open_to_others(path, facts)
            return file.readall()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refusals.unreadable(path, error) from None


def check_owner(path: str | Path) -> os.stat_result | None:
    """Return what *path*, or the target of a link of ours, is; None where there is nothing.

    Raises `StorageUnavailable` where either is somebody else's, and OSError.
    """
    try:
        facts = os.lstat(path)
        if _is_ours(facts) and stat.S_ISLNK(facts.st_mode):
            facts = os.stat(path)  # noqa: PTH116 - as above
    except FileNotFoundError:
        return None
    _refuse_foreign(path, facts)
    return facts


def _refuse_foreign(path: str | Path, facts: os.stat_result) -> None:
    if not _is_ours(facts):
        raise refusals.foreign(path, facts)


def _is_ours(facts: os.stat_result) -> bool:
    return not _HAS_OWNERS or facts.st_uid == os.geteuid()


def _warn_if_open_to_others(path: str | Path, facts: os.stat_result) -> None:
    if str(path) in _warned or not is_open_to_others(path, facts):
        return
    _warned.add(str(path))
    mode, quoted = stat.S_IMODE(facts.st_mode), refusals.quoted(path)
    console.current().warn(
        f"{path} can be read by other users (mode {mode:04o}). Run `chmod 600 {quoted}`."
    )


def is_open_to_others(path: str | Path, facts: os.stat_result) -> bool:
    """Return whether others may use *path*, which is as *facts* say, and a mode can mend it.

    A file system that keeps no modes makes a file look open: it can be run, and the folder, which
    each write closes to others, is as open.
    """
    others = facts.st_mode & _OTHERS
    if _HAS_OWNERS and stat.S_ISREG(facts.st_mode) and others & 0o011:
        with contextlib.suppress(OSError):
            folder = os.stat(os.path.dirname(path)).st_mode  # noqa: PTH116, PTH120 - as above
            return folder & others != others
    return _HAS_OWNERS and others != 0


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
        if not _HAS_OWNERS or not mode & _OTHERS or not _holds_only_ours(path) or _is(path, "~"):
            return None
        with contextlib.suppress(OSError):  # a file system that keeps no modes stops nobody
            path.chmod(_PRIVATE_FOLDER)
        return None if path.stat().st_mode & _OTHERS else mode


def check_usable(path: Path) -> bool:
    """Return whether the folder *path* is there. Changes nothing.

    Raises `StorageUnavailable` where it cannot be made or written, is somebody else's, or is one
    that others need as it is.
    """
    with writing(path):
        facts = check_owner(path)
        there = _parent_of(path) if facts is None else path
        if facts is not None and (fault := _fault(path, facts)):
            raise refusals.unwritable(path, fault)
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "permission denied")
    return facts is not None


def _fault(path: Path, facts: os.stat_result) -> str | None:
    """Return why a folder cannot be one of ours, for the middle of a sentence."""
    if not stat.S_ISDIR(facts.st_mode):
        return "it is not a folder"
    if _HAS_OWNERS and facts.st_mode & stat.S_ISVTX:
        return "it is a folder shared by all users"
    if (_is(path, "~") or _is(path, os.sep)) and not _holds_only_ours(path):
        # A container's home may have nothing else in it.
        return "it is a home folder or the root; credentials need a folder of their own"
    return None


def _is(path: Path, place: str) -> bool:
    """Return whether *path* is the folder that *place* names."""
    with contextlib.suppress(OSError):
        return os.path.samefile(path, os.path.expanduser(place))  # noqa: PTH111, PTH121 - as above
    return False


def _holds_only_ours(path: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        return all(re.fullmatch(_OUR_NAMES, entry.name) for entry in entries)
    return False


def _parent_of(path: Path) -> Path:
    """Return the nearest folder that is there, in which *path* would be made. Raises OSError.

    As root nothing is made where somebody else is at home: they could never use it (sudo).
    """
    there = next(each for each in path.parents if each.exists())
    facts = there.stat()
    if not _is_ours(facts) and os.geteuid() == 0:
        raise refusals.not_for_root(path, there, facts)
    try:  # whether a folder can be made at all (not so in /proc) is asked with a name too long
        (there / ("x" * _TOO_LONG)).mkdir()
    except OSError as error:
        if _HAS_OWNERS and error.errno != errno.ENAMETOOLONG:
            raise
    return there


def _make_folders(path: Path) -> None:
    for each in reversed((path, *path.parents)):
        if each.is_dir():
            continue
        with contextlib.suppress(FileExistsError):
            each.mkdir(_PRIVATE_FOLDER)
            with contextlib.suppress(OSError):
                each.chmod(_PRIVATE_FOLDER)  # the umask may have taken away more


def resolved(path: Path) -> Path:
    """Return the file that *path* means: itself, or the target of a link that is ours.

    Raises `StorageUnavailable` when link or file belong to somebody else, or when something that
    is no file is in the way.
    """
    with writing(path):
        facts = check_owner(path)
        if facts is not None and not stat.S_ISREG(facts.st_mode):
            raise refusals.unwritable(path, "it is not a regular file")
        return path.resolve() if path.is_symlink() else path


def replace_private(path: Path, content: bytes) -> None:
    """Put *content* at *path*, mode 0600, whole or not at all, and on the disk when this returns.

    A link of our own is followed. Raises `StorageUnavailable`; the old file is then intact.
    """
    if len(content) > _LARGEST_BYTES:
        message = f"{path} would be larger than {_LARGEST_BYTES} bytes; it was left untouched."
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
    descriptor = os.open(path, _CREATE, PRIVATE_FILE)
    try:
        if _HAS_OWNERS:
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, PRIVATE_FILE)  # the umask may have taken away more
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


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of whatever the operating system refuses within the block that *path* is unwritable."""
    try:
        yield
    except OSError as error:
        raise refusals.unwritable(path, error) from None
