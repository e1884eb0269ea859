"""What is said of a file or folder that cannot be used: why, whose it is, and the way out."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from click_auth.errors import StorageUnavailable, Unwritable

if TYPE_CHECKING:
    from pathlib import Path


def foreign(path: str | Path, facts: os.stat_result) -> StorageUnavailable:
    """Return the error of *path*, which is as *facts* say: somebody else's."""
    message = f"{path} belongs to another user ({_owner(facts)}) and was not touched."
    return StorageUnavailable(message, hints=[_way_out(path, facts)])


def not_for_root(path: Path, there: Path, facts: os.stat_result) -> Unwritable:
    """Return the error of *path*, which root would make in somebody else's folder *there*."""
    whose = f"{there} belongs to another user ({_owner(facts)})"
    hints = ["Run the command without sudo, or set HOME."]
    return Unwritable(f"{path} won't be created as root: {whose}.", hints=hints)


def unreadable(path: str | Path, reason: str | OSError) -> StorageUnavailable:
    """Return the error of a file that cannot be read."""
    said = f"{path} can't be read: {reason_of(reason)}."
    return StorageUnavailable(said, hints=_who_is_in_the_way(path, reason))


def unwritable(path: Path, reason: str | OSError) -> Unwritable:
    """Return the error of a file or folder that cannot be written."""
    said = f"{path} can't be written: {reason_of(reason)}."
    return Unwritable(said, hints=_who_is_in_the_way(path, reason))


def reason_of(reason: str | OSError) -> str:
    """Return what the operating system says, for the middle of a sentence."""
    if isinstance(reason, str):
        return reason
    return (reason.strerror or type(reason).__name__).lower()


def _who_is_in_the_way(path: str | Path, reason: str | OSError) -> list[str]:
    """Name the owner of the last thing on the way to *path* that can be seen, if it is not us."""
    if not isinstance(reason, PermissionError) or not hasattr(os, "geteuid"):
        return []
    each = str(path)
    while True:
        with contextlib.suppress(OSError):
            facts = os.lstat(each)
            break
        each = os.path.dirname(each)  # noqa: PTH120 - as above
    if facts.st_uid == os.geteuid():
        return []
    return [f"{each} belongs to {_owner(facts)}.", _way_out(each, facts)]


def _way_out(path: str | Path, facts: os.stat_result) -> str:
    """Return what to do about *path*, which is somebody else's: mostly a run with sudo left it."""
    with contextlib.suppress(OSError):
        parent = os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120 - as above
        if parent.st_uid == os.geteuid() != 0:
            return f"`sudo chown -R {os.geteuid()} {quoted(path)}` makes you the owner."
    return f"Run the command as {_owner(facts)}{', without sudo' if os.geteuid() == 0 else ''}."


def _owner(facts: os.stat_result) -> str:
    """Return the name of the user who owns what *facts* describe, or their number."""
    with contextlib.suppress(ImportError, KeyError):
        import pwd  # noqa: PLC0415 - not on Windows

        return pwd.getpwuid(facts.st_uid).pw_name
    return str(facts.st_uid)


def quoted(path: str | Path) -> str:
    """Return *path* for a command line that a person is told."""
    import shlex  # noqa: PLC0415 - for rare words

    return shlex.quote(str(path))
