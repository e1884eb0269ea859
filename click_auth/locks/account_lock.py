"""One holder at a time, for one account or one file, across processes, threads and forks.

The kernel's lock on the lock file decides who holds it. So a killed holder delays nobody, a
stopped one is never robbed, and neither clocks nor process ids matter. This is the only module that
knows portalocker; on POSIX it makes the same call itself, `flock`, and spares 35 ms of imports.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, BinaryIO

from click_auth.account import slot_name
from click_auth.errors import Unreachable, Unwritable
from click_auth.files import check_folder, reason_of
from click_auth.files.folders import make_private_folder
from click_auth.locks import lock_file
from click_auth.locks.heartbeat import beating_lock
from click_auth.locks.lock_file import LockBusy as LockBusy  # noqa: PLC0414 - others take it from here
from click_auth.locks.lock_file import Opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEFAULT_SECONDS = 75.0
POLL_SECONDS = 0.008
_NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

_timeout: ContextVar[float] = ContextVar("click_auth_lock_timeout", default=DEFAULT_SECONDS)
_held: set[BinaryIO] = set()


class NoLocksHere(Exception):
    """The file system does not lock files."""


if sys.platform == "win32":
    import portalocker

    def _lock(file: BinaryIO) -> bool:
        """Return whether the lock on *file* could be taken right now."""
        flags = portalocker.LockFlags
        try:
            portalocker.lock(file, flags.EXCLUSIVE | flags.NON_BLOCKING)
        except portalocker.LockException:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        with contextlib.suppress(portalocker.LockException):
            portalocker.unlock(file)

else:
    import fcntl

    def _lock(file: BinaryIO) -> bool:
        """Return whether the lock on *file* could be taken now. Raises `NoLocksHere`."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS_HERE:
                raise NoLocksHere from None
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


@contextlib.contextmanager
def lock_timeout(seconds: float) -> Iterator[None]:
    """Let account locks that are taken within the block wait *seconds* at most."""
    token = _timeout.set(seconds)
    try:
        yield
    finally:
        _timeout.reset(token)


def lock_seconds() -> float:
    """Return how long a lock that is taken here and now may be waited for."""
    return _timeout.get()


class FileLock:
    """A lock file that is held."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Raise `Unreachable` where somebody has taken the file away: it is held no more."""
        if not self._path.exists():
            raise Unreachable(f"The lock {self._path} was lost.", hints=[Unreachable.try_again])


@contextlib.contextmanager
def account_lock(folder: Path, key: str) -> Iterator[FileLock]:
    """Hold the lock of one account, `locks/<slot>.lock` in *folder*. Blocks.

    Raises `LockBusy` when the time for it is over, and `StorageUnavailable` naming the path when
    no lock can be made there.
    """
    path = _path_of(folder, key)
    try:
        make_private_folder(path.parent)
    except Unwritable as error:
        raise _cannot_lock(path, error.message) from None
    with exclusive(path, _timeout.get()):
        yield FileLock(path)


def wait_for_others(folder: Path, key: str, deadline: float) -> bool:
    """Wait, without taking it, while another process is seen to be on the lock of an account.

    Returns whether there was one. *deadline* is in monotonic seconds.
    """
    return lock_file.wait_for_holder(_path_of(folder, key), deadline)


@contextlib.contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[None]:
    """Hold *path* exclusively. Blocks at most *seconds*.

    Raises `LockBusy` when it is still held then, `StorageUnavailable` when it cannot be made.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        try:
            try:
                opened = lock_file.open_or_create(path)
                stack.enter_context(kernel_lock(path, opened, deadline))
            except NoLocksHere:
                stack.enter_context(beating_lock(path, deadline))
        except OSError as error:
            raise _cannot_lock(path, f"{reason_of(error)}.") from None
        yield


@contextlib.contextmanager
def kernel_lock(path: Path, opened: Opened, deadline: float) -> Iterator[None]:
    """Hold the file at *path*, which is open as *opened*. Blocks until *deadline* at most.

    Raises `LockBusy` then, OSError when it cannot be opened, and `NoLocksHere`.
    """
    file, owner = _acquire(path, opened, deadline), os.getpid()
    _held.add(file)
    try:
        yield
    finally:
        if os.getpid() == owner:
            _release(path, file)


def find_holder(path: Path) -> LockBusy | None:
    """Return what a waiter for *path* would be told now, None where nobody holds it.

    Neither waits nor changes anything. Raises OSError where the file cannot be opened.
    """
    with lock_file.open_existing(path) as file:
        try:
            is_free = _lock(file)  # for a moment, in which a waiter has to try once more
        except NoLocksHere:  # there a file that exists is held
            is_free = False
        if is_free:
            _unlock(file)
    return None if is_free else LockBusy(path)


def _acquire(path: Path, opened: Opened, deadline: float) -> BinaryIO:
    while True:
        try:
            _wait_for(opened.file, path, deadline)
            if lock_file.is_at(path, opened.file):
                # Ours since we made it, but on Windows, where it may have had a holder meanwhile.
                if not opened.is_new or sys.platform == "win32":
                    lock_file.write_holder(opened.file)
                return opened.file
        except NoLocksHere:
            if opened.is_new:  # else it is somebody's, who holds it without the kernel's lock
                lock_file.unlink(path, opened.file)
            opened.file.close()
            raise
        except BaseException:
            opened.give_up()
            raise
        opened.file.close()  # its holder unlinked it before we had it: start again
        opened = lock_file.open_or_create(path)


def _wait_for(file: BinaryIO, path: Path, deadline: float) -> None:
    while not _lock(file):
        if time.monotonic() >= deadline:
            raise LockBusy(path)
        time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the waiters


def _release(path: Path, file: BinaryIO) -> None:
    """Unlink while holding, unlock, close: a forked child may still hold the descriptor."""
    _held.discard(file)
    try:
        lock_file.unlink(path, file)
        lock_file.clear_holder(file)  # where it could not be unlinked, nobody waits for us
    finally:
        _unlock(file)
        file.close()


def _let_go_in_child() -> None:
    for file in _held:
        file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


def _path_of(folder: Path, key: str) -> Path:
    """Return the lock file of an account, in folders that are not somebody else's."""
    locks = folder / "locks"
    try:
        check_folder(folder)
        check_folder(locks)
    except OSError as error:
        raise _cannot_lock(locks, f"{reason_of(error)}.") from None
    return locks / f"{slot_name(key)}.lock"


def _cannot_lock(path: Path, reason: str) -> Unwritable:
    hint = "Tokens can't be refreshed safely without a lock. Make the folder writable."
    return Unwritable(f"Can't create the lock file {path}: {reason}", hints=[hint])
