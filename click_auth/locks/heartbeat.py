"""A lock for file systems that lock no files: the file itself, and a sign of life in it.

Whoever creates the file holds it. It is taken from a holder only on proof: on this machine, that
the process is gone; on another one, that its heart has not beaten for longer than any hold lasts,
by the clock of the file system. A file that names no holder was left by somebody who died before.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

from click_auth.locks.lock_file import LockBusy, create, identity_at, is_at, read_holder, unlink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEAT_SECONDS = 1.0
QUIET_SECONDS = 3 * BEAT_SECONDS
DEAD_AFTER_SECONDS = 60.0
_POLL_SECONDS = 0.01


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
            unlink(path, file)
        file.close()


def _beat(file: BinaryIO, stopped: threading.Event) -> None:
    while not stopped.wait(BEAT_SECONDS):
        with contextlib.suppress(OSError, ValueError):
            os.utime(file.fileno() if os.utime in os.supports_fd else file.name)


def _created(path: Path, deadline: float) -> BinaryIO:
    watch = _Watch(path)
    while True:
        with contextlib.suppress(FileExistsError):
            file = create(path)
            if is_at(path, file):
                return file
            file.close()  # we were stopped before we could write who we are, and taken for dead
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
        now = identity_at(self._path)
        if now != self.seen:
            self.seen, self._since = now, time.monotonic()
        if now is None:
            return False
        holder = read_holder(self._path)
        if holder is not None and holder.is_from_here:
            return holder.is_gone
        is_quiet = time.monotonic() - self._since > QUIET_SECONDS
        return is_quiet and (holder is None or _age(self._path) > DEAD_AFTER_SECONDS)


def _is_taken_away(path: Path, watch: _Watch) -> bool:
    """Remove a dead holder's file, one waiter at a time, if it still is the one that was seen."""
    guard = path.with_name(path.name + ".takeover")
    try:
        create(guard).close()
    except FileExistsError:
        if _age(guard) > DEAD_AFTER_SECONDS:  # whoever made it was killed
            guard.unlink(missing_ok=True)
        return False
    try:
        if identity_at(path) == watch.seen:
            path.unlink(missing_ok=True)
    finally:
        guard.unlink(missing_ok=True)
    return True


def _age(path: Path) -> float:
    """Return how many seconds ago *path* was touched, by the clock of its file system."""
    probe = path.with_name(f"{path.name}.{os.getpid()}.now")
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        create(probe).close()
        try:
            return probe.stat().st_mtime - path.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
    return 0.0
