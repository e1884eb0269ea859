"""A lock for file systems that lock no files: the file itself, and a sign of life in it.

Whoever creates the file holds it. It is taken from a holder only on proof: on this machine, that
the process is gone; on another one, that its heart has not beaten for longer than any hold lasts,
by the clock of the file system. A file that nobody signs was left by somebody who died before.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

BEAT_SECONDS = 1.0
QUIET_SECONDS = 3 * BEAT_SECONDS
DEAD_AFTER_SECONDS = 60.0
_POLL_SECONDS = 0.01


class LockBusy(Exception):
    """Somebody else still holds the lock; `holder` is the process id that they wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.holder: int | None = _signature(path)[0]
        super().__init__(f"{path} is held by process {self.holder or 'unknown'}")


def sign(file: BinaryIO) -> None:
    """Write who holds the lock, for messages and for proof; a full disk is no reason to fail."""
    with contextlib.suppress(OSError):
        text = f"{os.getpid()} {socket.gethostname()} {_start_of(os.getpid())}\n"
        os.ftruncate(file.fileno(), 0)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.write(file.fileno(), text.encode("utf-8", "replace"))


@contextlib.contextmanager
def beating_lock(path: Path, deadline: float) -> Iterator[None]:
    """Hold *path* by having created it. Raises `LockBusy` at *deadline* (monotonic seconds)."""
    file, owner = _created(path, deadline), os.getpid()
    stopped = threading.Event()
    threading.Thread(target=_beat, args=(file, stopped), daemon=True).start()
    try:
        yield
    finally:
        if os.getpid() == owner:  # a forked child has no heart, and perhaps the lock of its event
            stopped.set()
            with contextlib.suppress(OSError):
                if is_at(path, file):
                    path.unlink()
        file.close()


def is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether *path* still names this very *file*."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    return False


def _beat(file: BinaryIO, stopped: threading.Event) -> None:
    while not stopped.wait(BEAT_SECONDS):
        with contextlib.suppress(OSError, ValueError):
            os.utime(file.fileno() if os.utime in os.supports_fd else file.name)


def _created(path: Path, deadline: float) -> BinaryIO:
    watch = _Watch(path)
    while True:
        with contextlib.suppress(FileExistsError):
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b", 0)
            sign(file)
            if is_at(path, file):
                return file
            file.close()  # we were stopped before we could sign, and taken for dead
        if watch.proves_death() and _is_taken_away(path, watch):
            continue
        if time.monotonic() >= deadline:
            raise LockBusy(path)
        time.sleep(_POLL_SECONDS)


class _Watch:
    """What a waiter has seen of a holder: which file, and when its heart last beat."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen: tuple[int, int] | None = None
        self._since = time.monotonic()

    def proves_death(self) -> bool:
        now = _identity(self._path)
        if now != self.seen:
            self.seen, self._since = now, time.monotonic()
        if now is None:
            return False
        pid, host, start = _signature(self._path)
        if pid is not None and host == socket.gethostname():
            return _is_gone(pid, start)
        is_quiet = time.monotonic() - self._since > QUIET_SECONDS
        return is_quiet and (pid is None or _age(self._path) > DEAD_AFTER_SECONDS)


def _is_taken_away(path: Path, watch: _Watch) -> bool:
    """Remove a dead holder's file, one waiter at a time, if it still is the one that was seen."""
    guard = path.with_name(path.name + ".takeover")
    try:
        _create(guard)
    except FileExistsError:
        if _age(guard) > DEAD_AFTER_SECONDS:  # whoever made it was killed
            guard.unlink(missing_ok=True)
        return False
    try:
        if _identity(path) == watch.seen:
            path.unlink(missing_ok=True)
    finally:
        guard.unlink(missing_ok=True)
    return True


def _age(path: Path) -> float:
    """Return how many seconds ago *path* was touched, by the clock of its file system."""
    probe = path.with_name(f"{path.name}.{os.getpid()}.now")
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        _create(probe)
        try:
            return probe.stat().st_mtime - path.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
    return 0.0


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        return status.st_ino, status.st_mtime_ns
    return None


def _signature(path: Path) -> tuple[int | None, str, str]:
    with contextlib.suppress(OSError, ValueError):
        pid, host, start = path.read_text("utf-8", "replace")[:400].split()
        return int(pid), host, start
    return None, "", ""


def _is_gone(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return start not in ("-", _start_of(pid))  # the number went to another process


def _start_of(pid: int) -> str:
    """Return when a process began, as the kernel counts it; "-" where it does not say."""
    with contextlib.suppress(OSError, IndexError):
        status = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        return status.rpartition(")")[2].split()[19]
    return "-"
