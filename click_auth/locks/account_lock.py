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
from click_auth.console import console
from click_auth.errors import StorageUnavailable, Unwritable
from click_auth.files import check_owner, make_private_folder
from click_auth.files.refusals import reason_of
from click_auth.locks.lock_file import LockBusy as LockBusy  # noqa: PLC0414 - others take it from here
from click_auth.locks.lock_file import LockFile, hold_by_heartbeat, open_or_create, wait_for_holder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    LockOf = Callable[[str], contextlib.AbstractContextManager[object]]

DEFAULT_SECONDS = 75.0
_POLL_SECONDS = 0.008
_NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

_timeout: ContextVar[float] = ContextVar("click_auth_lock_timeout", default=DEFAULT_SECONDS)
_held: set[LockFile] = set()


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


@contextlib.contextmanager
def lock_at_best(lock_of: LockOf, key: str, seconds: float, otherwise: str) -> Iterator[None]:
    """Hold the lock of *key*, if it can be had in *seconds*; else say *otherwise*, and go on.

    Where no lock can be made the block may succeed all the same; if not, its own error says why.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock_timeout(seconds))
            with contextlib.suppress(StorageUnavailable):
                stack.enter_context(lock_of(key))
        except LockBusy:
            console.current().say(otherwise)
        yield


def lock_seconds() -> float:
    """Return how long a lock that is taken here and now may be waited for."""
    return _timeout.get()


@contextlib.contextmanager
def account_lock(folder: Path, key: str) -> Iterator[LockFile]:
    """Hold the lock of one account, `locks/<slot>.lock` in *folder*, and give it. Blocks.

    Raises `LockBusy` when the time for it is over, and `StorageUnavailable` naming the path when
    no lock can be made there.
    """
    path = _path_of(folder, key)
    try:
        make_private_folder(path.parent)
    except Unwritable as error:
        raise _cannot_lock(path, error.message) from None
    with exclusive(path, lock_seconds()) as lock:
        yield lock


def wait_for_others(folder: Path, key: str, deadline: float) -> bool:
    """Wait, without taking it, while another process is seen to be on the lock of an account.

    Returns whether there was one. *deadline* is in monotonic seconds.
    """
    return wait_for_holder(_path_of(folder, key), deadline)


@contextlib.contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[LockFile]:
    """Hold *path* exclusively, and give its file. Blocks at most *seconds*.

    Raises `LockBusy` when it is still held then, `StorageUnavailable` when it cannot be made.
    """
    try:
        lock = _acquire(path, time.monotonic() + seconds)
    except OSError as error:
        raise _cannot_lock(path, f"{reason_of(error)}.") from None
    _held.add(lock)
    try:
        yield lock
    finally:
        if lock in _held:  # not so in a forked child, which holds nothing
            _release(lock)


def find_holder(path: Path) -> LockBusy | None:
    """Return what a waiter for *path* would be told now, None where nobody holds it.

    Neither waits nor changes anything. Raises OSError where the file cannot be opened.
    """
    # Where nothing can be locked a file that exists is held.
    with LockFile(path, is_new=False).file as file, contextlib.suppress(NoLocksHere):
        if _lock(file):  # for a moment, in which a waiter has to try once more
            _unlock(file)
            return None
    return LockBusy(path)


def _acquire(path: Path, deadline: float) -> LockFile:
    while True:
        lock = open_or_create(path)
        try:
            _wait_for(lock, deadline)
            if lock.is_in_place:
                lock.write_holder()
                return lock
        except NoLocksHere:
            return hold_by_heartbeat(lock, deadline)
        except BaseException:
            lock.file.close()
            raise
        lock.file.close()  # its holder unlinked it before we had it: start again


def _wait_for(lock: LockFile, deadline: float) -> None:
    while not _lock(lock.file):
        if time.monotonic() >= deadline:
            raise LockBusy(lock.path)
        time.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the waiters


def _release(lock: LockFile) -> None:
    """Unlink while holding, unlock, close: a forked child may still hold the descriptor."""
    _held.discard(lock)
    try:
        lock.remove()
    finally:
        _unlock(lock.file)
        lock.file.close()


def _let_go_in_child() -> None:
    for lock in _held:
        lock.file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


def _path_of(folder: Path, key: str) -> Path:
    """Return the lock file of an account, in folders that are not somebody else's."""
    locks = folder / "locks"
    try:
        check_owner(folder)
        check_owner(locks)
    except OSError as error:
        raise _cannot_lock(locks, f"{reason_of(error)}.") from None
    return locks / f"{slot_name(key)}.lock"


def _cannot_lock(path: Path, reason: str) -> Unwritable:
    hint = "Tokens can't be refreshed safely without a lock. Make the folder writable."
    return Unwritable(f"Can't create the lock file {path}: {reason}", hints=[hint])
