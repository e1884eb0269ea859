"""The file where the holders of a lock meet: who holds it, and whether they are still alive.

What is written in it is for messages and for those who look on. It decides who holds the lock only
where the file system locks no files: there whoever creates the file holds it, and touches it as a
sign of life. It is taken from a holder only on proof: on this machine, that the process is gone; on
another one, that its heart has not beaten for longer than any hold lasts, by the clock of the file
system. A file that names no holder was left by somebody who died before they could write it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from click_auth.errors import Unreachable
from click_auth.files import flags_of

if TYPE_CHECKING:
    from pathlib import Path

BEAT_SECONDS = 1.0
QUIET_SECONDS = 3 * BEAT_SECONDS
DEAD_AFTER_SECONDS = 60.0

_POLL_SECONDS = 0.008
_CAREFULLY = flags_of("O_NOFOLLOW", "O_NONBLOCK")
_MOST_BYTES = 400


class LockBusy(Exception):
    """Somebody else still holds the lock; `holder` is the process id that they wrote."""

    def __init__(self, path: Path) -> None:
        holder = read_holder(path)
        self.holder: int | None = None if holder is None else holder.process
        super().__init__(f"{path} is locked by process {self.holder or 'unknown'}")


class Holder(NamedTuple):
    """Who holds a lock: the process, where that is one, and when it began there."""

    process: int
    host: str
    start: str


class LockFile:
    """The file at *path*, open; `is_new` says whether we have created it. Raises OSError."""

    def __init__(self, path: Path, *, is_new: bool) -> None:
        flags = os.O_RDWR | _CAREFULLY | (os.O_CREAT | os.O_EXCL if is_new else 0)
        self.path = path
        self.is_new = is_new
        self.file: BinaryIO = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)

    @property
    def is_in_place(self) -> bool:
        """Whether the path still names this very file."""
        with contextlib.suppress(OSError):
            return os.path.samestat(self.path.lstat(), os.fstat(self.file.fileno()))
        return False

    def check(self) -> None:
        """Raise `Unreachable` where somebody has taken the file away: it is held no more."""
        if not self.is_in_place:
            raise Unreachable(f"The lock {self.path} was lost.", hints=[Unreachable.try_again])

    def write_holder(self) -> None:
        """Write that this process holds the lock; a full disk is no reason to fail."""
        text = f"{os.getpid()} {host_id()} {_start_of(os.getpid())}\n"
        with contextlib.suppress(OSError):
            self.file.truncate(0)
            self.file.seek(0)
            self.file.write(text.encode("utf-8", "replace"))

    def remove(self) -> None:
        """Unlink the file if it still is in its place, and empty it, so that nobody waits for us.

        Windows cannot unlink it while it is open: there the next one takes it over in place.
        """
        with contextlib.suppress(OSError):
            if self.is_in_place:
                self.path.unlink()
        with contextlib.suppress(OSError):
            self.file.truncate(0)


def open_or_create(path: Path) -> LockFile:
    """Create the file at *path*, or open the one that is there. Raises OSError."""
    while True:
        with contextlib.suppress(FileExistsError):
            return LockFile(path, is_new=True)
        with contextlib.suppress(FileNotFoundError):
            return LockFile(path, is_new=False)


def read_holder(path: Path) -> Holder | None:
    """Return who holds the lock, None where nobody has said so, or it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        with os.fdopen(os.open(path, os.O_RDONLY | _CAREFULLY), "rb", buffering=0) as file:
            text = file.read(_MOST_BYTES) or b""
        process, host, start = text.decode("utf-8", "replace").split()
        return Holder(int(process), host, start)
    return None


def wait_for_holder(path: Path, deadline: float) -> bool:
    """Wait until no living process of this machine holds *path*; return whether one did.

    Takes no lock and loads nothing; it ends at once in every doubt, and at *deadline*, in
    monotonic seconds.
    """
    has_waited = False
    while time.monotonic() < deadline and _holder_lives(path):
        has_waited = True
        time.sleep(_POLL_SECONDS)
    return has_waited


def _holder_lives(path: Path) -> bool | None:
    """Return whether the process that holds *path* lives; None: it is not certain that it is ours.

    Windows keeps the file after a release, and has no question about a process that harms nobody.
    """
    holder = read_holder(path)
    if sys.platform == "win32" or holder is None or holder.host != host_id():
        return None
    try:
        os.kill(holder.process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return holder.start in ("-", _start_of(holder.process))  # else the number went to another one


def hold_by_heartbeat(lock: LockFile, deadline: float) -> LockFile:
    """Return a file at the path of *lock* that we have created, and that gives signs of life.

    Raises `LockBusy` at *deadline*, in monotonic seconds, and OSError.
    """
    path, seen, since = lock.path, None, 0.0
    while True:
        if lock.is_new:
            lock.write_holder()
            if lock.is_in_place:  # else we were stopped before we wrote that, and taken for dead
                threading.Thread(target=_beat, args=(lock,), daemon=True).start()
                return lock
        state = _state(os.fstat(lock.file.fileno()))
        lock.file.close()
        if state != seen:
            seen, since = state, time.monotonic()
        if not (_is_dead(path, time.monotonic() - since) and _take_away(path, state)):
            if time.monotonic() >= deadline:
                raise LockBusy(path)
            time.sleep(_POLL_SECONDS)
        lock = open_or_create(path)


def _beat(lock: LockFile) -> None:
    while not lock.file.closed:
        with contextlib.suppress(OSError, ValueError):  # it may be closed just now
            os.utime(lock.file.fileno())
        time.sleep(BEAT_SECONDS)


def _state(facts: os.stat_result) -> tuple[int, int]:
    """Return what tells one file from another, and one beat from the next."""
    return facts.st_ino, facts.st_mtime_ns


def _is_dead(path: Path, quiet_seconds: float) -> bool:
    """Return whether the holder of *path*, not heard of for so long, certainly has ended."""
    lives = _holder_lives(path)
    if lives is not None:
        return not lives
    is_quiet = quiet_seconds > QUIET_SECONDS
    return is_quiet and (read_holder(path) is None or _age(path) > DEAD_AFTER_SECONDS)


def _take_away(path: Path, state: tuple[int, int]) -> bool:
    """Remove a dead holder's file, one waiter at a time, if it still is in the *state* seen."""
    guard = path.with_name(path.name + ".takeover")
    try:
        LockFile(guard, is_new=True).file.close()
    except FileExistsError:
        if _age(guard) > DEAD_AFTER_SECONDS:  # whoever made it was killed
            guard.unlink(missing_ok=True)
        return False
    try:
        with contextlib.suppress(FileNotFoundError):
            if _state(path.lstat()) == state:
                path.unlink()
    finally:
        guard.unlink(missing_ok=True)
    return True


def _age(path: Path) -> float:
    """Return how many seconds ago *path* was touched, by the clock of its file system."""
    probe = path.with_name(f"{path.name}.{os.getpid()}.now")
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        LockFile(probe, is_new=True).file.close()
        try:
            return probe.stat().st_mtime - path.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
    return 0.0


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
