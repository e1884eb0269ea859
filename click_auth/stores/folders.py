"""Folders of ours: looked at before anything is written in them, and kept from others."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from typing import TYPE_CHECKING

from click_auth.errors import Unwritable
from click_auth.stores.files import (
    HAS_OWNERS,
    OTHERS,
    check_folder,
    is_ours,
    owner,
    unwritable,
    writing,
)

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FOLDER = 0o700

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
        return "it is a folder that all users share"
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
            f"{path} is not made as root: {there} belongs to another user ({owner(facts)}).",
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
