"""One holder at a time, for one file: the only module that knows portalocker.

The kernel's lock on an open descriptor decides; the file is only where holders meet. So a killed
holder delays nobody, a stopped one is never robbed, and neither clocks nor process ids matter.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import sys
import tempfile
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, BinaryIO

try:
    import portalocker
except FileNotFoundError:  # on a full disk it finds no place for temporary files, and we make none
    tempfile.tempdir = os.curdir
    import portalocker

    tempfile.tempdir = None

from click_auth.errors import Unreachable
from click_auth.heartbeat import LockBusy, beating_lock, is_at, sign
from click_auth.keys import slot_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LockBusy", "account_lock", "exclusive", "holder_of", "patience"]

POLL_SECONDS = 0.008
DEFAULT_PATIENCE_SECONDS = 75.0
_OPEN = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

_patience: ContextVar[float] = ContextVar("click_auth_patience", default=DEFAULT_PATIENCE_SECONDS)
_held: set[BinaryIO] = set()


class _NoLocksHere(Exception):
    """The file system does not lock files."""


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Let account locks that are taken within the block wait *seconds* at most."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


@contextlib.contextmanager
def account_lock(folder: Path, key: str) -> Iterator[None]:
    """Hold the lock of one account, `locks/<slot>.lock` in *folder*. Blocks.

    Raises `LockBusy` when the patience is at its end, and `Unreachable` naming the path when no
    lock can be made there.
    """
    path = folder / "locks" / f"{slot_name(key)}.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_lock(path, error) from None
    with exclusive(path, _patience.get()):
        yield


@contextlib.contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[None]:
    """Hold *path* exclusively: across processes, threads and forks. Blocks at most *seconds*.

    Raises `LockBusy` when it is still held then, `Unreachable` when it cannot be made.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        try:
            _enter(stack, path, deadline)
        except OSError as error:
            raise _cannot_lock(path, error) from None
        yield


def _enter(stack: contextlib.ExitStack, path: Path, deadline: float) -> None:
    try:
        stack.enter_context(_kernel_lock(path, deadline))
    except _NoLocksHere:
        stack.enter_context(beating_lock(path, deadline))


def holder_of(path: Path) -> LockBusy | None:
    """Return what a waiter for *path* would be told now, None where nobody holds it.

    Neither waits nor changes anything. Raises OSError where the file cannot be opened.
    """
    # A shared lock for a moment keeps nobody from anything but a retry; Windows has none to spare.
    flags = portalocker.LockFlags
    kind = flags.EXCLUSIVE if sys.platform == "win32" else flags.SHARED
    with os.fdopen(os.open(path, _OPEN), "r+b", buffering=0) as file:
        try:
            portalocker.lock(file, kind | flags.NON_BLOCKING)
        except portalocker.LockException:
            return LockBusy(path)
        portalocker.unlock(file)
    return None


@contextlib.contextmanager
def _kernel_lock(path: Path, deadline: float) -> Iterator[None]:
    file, owner = _acquired(path, deadline), os.getpid()
    _held.add(file)
    try:
        yield
    finally:
        if os.getpid() == owner:
            _release(path, file)


def _acquired(path: Path, deadline: float) -> BinaryIO:
    while True:
        file, is_new = _opened(path)
        try:
            _wait_for(file, path, deadline)
            if is_at(path, file):
                sign(file)
                return file
        except _NoLocksHere:
            if is_new:  # one that was there is somebody's, who holds it without the kernel's lock
                _unlink(path, file)
            file.close()
            raise
        except BaseException:
            file.close()
            raise
        file.close()  # its holder unlinked it before we had it: start again


def _opened(path: Path) -> tuple[BinaryIO, bool]:
    """Return the file at *path*, and whether we have created it."""
    while True:
        with contextlib.suppress(FileExistsError):
            created = os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
            return os.fdopen(created, "r+b", buffering=0), True
        with contextlib.suppress(FileNotFoundError):
            return os.fdopen(os.open(path, _OPEN), "r+b", buffering=0), False


def _wait_for(file: BinaryIO, path: Path, deadline: float) -> None:
    while not _locks(file):
        if time.monotonic() >= deadline:
            raise LockBusy(path)
        time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the waiters


def _locks(file: BinaryIO) -> bool:
    flags = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
    try:
        portalocker.lock(file, flags)
    except portalocker.LockException as error:
        number = getattr(error.__cause__, "errno", None)
        if number not in _NO_LOCKS_HERE:
            return False
        raise _NoLocksHere from None
    return True


def _release(path: Path, file: BinaryIO) -> None:
    """Unlink while holding, unlock, close: a forked child may still hold the descriptor."""
    _held.discard(file)
    try:
        _unlink(path, file)
    finally:
        try:
            with contextlib.suppress(portalocker.LockException):
                portalocker.unlock(file)
        finally:
            file.close()


def _unlink(path: Path, file: BinaryIO) -> None:
    """Unlink *path* if it still is our file.

    Windows cannot while it is open: there the next one takes it over in place.
    """
    with contextlib.suppress(OSError):
        if is_at(path, file):
            path.unlink()


def _cannot_lock(path: Path, error: OSError) -> Unreachable:
    return Unreachable(
        f"No lock can be made at {path}: {error.strerror}.",
        hints=["Credentials are renewed only under a lock. Make the folder writable."],
    )


def _let_go_in_child() -> None:
    for file in _held:
        file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
