"""Private files: read without trusting what lies there.

Nothing here follows a link to somebody else's file or waits for a FIFO. Where the operating system
knows no owners and modes (Windows) what looks at them is void.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from click_auth.console import console
from click_auth.errors import StorageUnavailable, Unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_BYTES = 32 * 1024 * 1024

OTHERS = 0o077
"""The mode bits of everybody but the owner."""

HAS_OWNERS = hasattr(os, "geteuid")
"""Whether files have owners and modes here."""


def flags_of(*names: str) -> int:
    """Return those of the flags that this operating system knows, as one number."""
    return sum(getattr(os, name, 0) for name in names)


_READ_FLAGS = flags_of("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")

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
        check_folder(os.path.dirname(path))  # noqa: PTH120 - a reader does without pathlib
        refuse_foreign_link(path)
        descriptor = os.open(path, _READ_FLAGS)
        try:
            return _content(path, descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from None


def _content(path: str | Path, descriptor: int) -> bytes:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise unreadable(path, "it is not a regular file")
    refuse_foreign(path, facts)
    if facts.st_size > LARGEST_BYTES:
        raise TooLarge(f"{path} is larger than {LARGEST_BYTES} bytes.")
    _warn_if_wide(path, facts)
    pieces = []
    while piece := os.read(descriptor, facts.st_size + 1):
        pieces.append(piece)
    return b"".join(pieces)


def check_folder(path: str | Path) -> os.stat_result | None:
    """Return what the folder *path* is, None where there is none.

    Raises `StorageUnavailable` where it, or a link in its place, is somebody else's, and OSError
    where that cannot be seen.
    """
    try:
        facts = os.lstat(path)
        if is_ours(facts) and stat.S_ISLNK(facts.st_mode):
            facts = os.stat(path)  # noqa: PTH116 - a reader does without pathlib
    except FileNotFoundError:
        return None
    refuse_foreign(path, facts)
    return facts


def refuse_foreign_link(path: str | Path) -> None:
    """Raise `StorageUnavailable` where *path* is a link of somebody else's. Raises OSError."""
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode):
        refuse_foreign(path, facts)


def is_ours(facts: os.stat_result) -> bool:
    """Return whether the process's user owns what *facts* describe."""
    return not HAS_OWNERS or facts.st_uid == os.geteuid()


def refuse_foreign(path: str | Path, facts: os.stat_result) -> None:
    """Raise `StorageUnavailable` where *path*, which is as *facts* say, is somebody else's."""
    if not is_ours(facts):
        message = f"{path} belongs to another user ({owner(facts)}) and was not touched."
        raise StorageUnavailable(message, hints=[_way_out(path, facts)])


def owner(facts: os.stat_result) -> str:
    """Return the name of the user who owns what *facts* describe, or their number."""
    with contextlib.suppress(ImportError, KeyError):
        import pwd  # noqa: PLC0415 - not on Windows

        return pwd.getpwuid(facts.st_uid).pw_name
    return str(facts.st_uid)


def _warn_if_wide(path: str | Path, facts: os.stat_result) -> None:
    if str(path) in _warned or not is_open_to_others(path, facts):
        return
    mode = stat.S_IMODE(facts.st_mode)
    _warned.add(str(path))
    console.current().warn(
        f"{path} can be read by other users (mode {mode:04o}). Run `chmod 600 {quoted(path)}`."
    )


def is_open_to_others(path: str | Path, facts: os.stat_result) -> bool:
    """Return whether others may use *path*, which is as *facts* say, and a mode can mend it.

    A file system that keeps no modes makes a file look open: it can be run, and the folder, which
    each write closes to others, is as open.
    """
    others = facts.st_mode & OTHERS
    if not HAS_OWNERS or not others:
        return False
    if stat.S_ISREG(facts.st_mode) and others & 0o011:
        with contextlib.suppress(OSError):
            folder = os.stat(os.path.dirname(path)).st_mode  # noqa: PTH116, PTH120 - as above
            return folder & others != others
    return True


def unreadable(path: str | Path, reason: str | OSError) -> StorageUnavailable:
    """Return the error of a file that cannot be read."""
    said = f"{path} can't be read: {reason_of(reason)}."
    return StorageUnavailable(said, hints=_who_is_in_the_way(path, reason))


def unwritable(path: str | Path, reason: str | Exception) -> Unwritable:
    """Return the error of a file or folder that cannot be written."""
    said = f"{path} can't be written: {reason_of(reason)}."
    return Unwritable(said, hints=_who_is_in_the_way(path, reason))


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of whatever the operating system refuses within the block that *path* is unwritable."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None


def reason_of(reason: str | Exception) -> str:
    """Return what the operating system says, for the middle of a sentence."""
    if isinstance(reason, str):
        return reason
    return str(getattr(reason, "strerror", None) or type(reason).__name__).lower()


def _who_is_in_the_way(path: str | Path, reason: str | Exception) -> list[str]:
    """Name the owner of the last thing on the way to *path* that can be seen, if it is not us."""
    if not isinstance(reason, PermissionError):
        return []
    from pathlib import Path  # noqa: PLC0415 - a reader does without

    for each in (Path(path), *Path(path).parents):
        with contextlib.suppress(OSError):
            facts = each.lstat()
            if is_ours(facts):
                break
            return [f"{each} belongs to {owner(facts)}.", _way_out(each, facts)]
    return []


def _way_out(path: str | Path, facts: os.stat_result) -> str:
    """Return what to do about *path*, which is somebody else's: mostly a run with sudo left it."""
    with contextlib.suppress(OSError):
        parent = os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120 - as above
        if os.geteuid() != 0 and is_ours(parent):
            return f"`sudo chown -R {os.geteuid()} {quoted(path)}` makes you the owner."
    return f"Run the command as {owner(facts)}{', without sudo' if os.geteuid() == 0 else ''}."


def quoted(path: str | Path) -> str:
    """Return *path* for a command line that a person is told."""
    import shlex  # noqa: PLC0415 - for rare words

    return shlex.quote(str(path))
