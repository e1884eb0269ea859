"""The file where the holders of a lock meet: who holds it, and whether they are still alive.

What is written in it is for messages and for those who look on; it decides nothing by itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OPEN = os.O_RDWR | _CAREFULLY
_MOST_BYTES = 400
_LOOK_SECONDS = 0.008


class LockBusy(Exception):
    """Somebody else still holds the lock; `holder` is the process id that they wrote."""

    def __init__(self, path: Path) -> None:
        holder = read_holder(path)
        self.path = path
        self.holder: int | None = None if holder is None else holder.process
        super().__init__(f"{path} is locked by process {self.holder or 'unknown'}")


class Holder(NamedTuple):
    """Who holds a lock: the process, where that is one, and when it began there."""

    process: int
    host: str
    start: str

    @property
    def is_from_here(self) -> bool:
        """Whether the process is, or was, one of this machine."""
        return self.host == host_id()

    @property
    def is_gone(self) -> bool:
        """Whether the process, which is from here, certainly has ended."""
        if sys.platform == "win32":  # there is no question that harms nobody
            return False
        try:
            os.kill(self.process, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except OSError:
            return False
        return self.start not in ("-", _start_of(self.process))  # the number went to another one


class Opened(NamedTuple):
    """The open file, and whether we have created it."""

    file: BinaryIO
    is_new: bool

    def give_up(self) -> None:
        """Close the file; nobody waits for us any more."""
        if self.is_new:
            clear_holder(self.file)
        self.file.close()


def open_or_create(path: Path) -> Opened:
    """Create the file at *path* and sign it, or open the one that is there. Raises OSError."""
    while True:
        with contextlib.suppress(FileExistsError):
            return Opened(create(path), is_new=True)
        with contextlib.suppress(FileNotFoundError):
            return Opened(open_existing(path), is_new=False)


def create(path: Path) -> BinaryIO:
    """Create the file at *path*, which is not there, and write who holds it. Raises OSError."""
    file = os.fdopen(os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600), "r+b", buffering=0)
    write_holder(file)
    return file


def open_existing(path: Path) -> BinaryIO:
    """Open the file that is at *path*. Raises OSError."""
    return os.fdopen(os.open(path, _OPEN), "r+b", buffering=0)


def write_holder(file: BinaryIO) -> None:
    """Write that this process holds the lock; a full disk is no reason to fail."""
    text = f"{os.getpid()} {host_id()} {_start_of(os.getpid())}\n"
    clear_holder(file)
    with contextlib.suppress(OSError):
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.write(file.fileno(), text.encode("utf-8", "replace"))


def clear_holder(file: BinaryIO) -> None:
    """Empty the file, so that nobody waits for us."""
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)


def read_holder(path: Path) -> Holder | None:
    """Return who holds the lock, None where nobody has said so, or it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        with os.fdopen(os.open(path, os.O_RDONLY | _CAREFULLY), "rb", buffering=0) as file:
            text = file.read(_MOST_BYTES) or b""
        process, host, start = text.decode("utf-8", "replace").split()
        return Holder(int(process), host, start)
    return None


def is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether *path* still names this very *file*."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    return False


def unlink(path: Path, file: BinaryIO) -> None:
    """Unlink *path* if it still is our file.

    Windows cannot while it is open: there the next one takes it over in place.
    """
    with contextlib.suppress(OSError):
        if is_at(path, file):
            path.unlink()


def identity_at(path: Path) -> tuple[int, int] | None:
    """Return what tells one state of the file from another, None where there is no file."""
    with contextlib.suppress(OSError):
        facts = path.lstat()
        return facts.st_ino, facts.st_mtime_ns
    return None


def wait_for_holder(path: Path, deadline: float) -> bool:
    """Wait until no living process of this machine holds *path*; return whether one did.

    Takes no lock and loads nothing; it ends at once in every doubt, and at *deadline*, in
    monotonic seconds.
    """
    has_waited = False
    # Windows keeps the file after a release, and has no question about a process that harms nobody.
    while sys.platform != "win32" and time.monotonic() < deadline:
        seen, holder = identity_at(path), read_holder(path)
        if holder is None or not holder.is_from_here:
            break
        while not holder.is_gone and identity_at(path) == seen and time.monotonic() < deadline:
            has_waited = True
            time.sleep(_LOOK_SECONDS)
        if holder.is_gone:
            break
    return has_waited


def host_id() -> str:
    """Return what tells this machine's process ids from those of others that share the folder.

    Containers may bear the name of their host; their process ids are still their own.
    """
    if sys.platform == "win32":
        return os.environ.get("COMPUTERNAME", "windows")
    name = os.uname().nodename
    with contextlib.suppress(OSError):
        name += "/" + os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path
    return name


def _start_of(process: int) -> str:
    """Return when a process began, as the kernel counts it; "-" where it does not say."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123
        return file.read().rpartition(b")")[2].split()[19].decode("ascii", "replace")
    return "-"
