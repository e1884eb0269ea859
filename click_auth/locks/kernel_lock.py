"""The kernel's lock on the lock file: the only module that knows portalocker.

It decides who holds the lock. So a killed holder delays nobody, a stopped one is never robbed,
and neither clocks nor process ids matter.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import sys
import tempfile
import time
from typing import TYPE_CHECKING, BinaryIO

try:
    import portalocker
except FileNotFoundError:  # on a full disk it finds no place for temporary files, and we make none
    tempfile.tempdir = os.curdir
    import portalocker

    tempfile.tempdir = None

from click_auth.locks.lock_file import (
    LockBusy,
    Opened,
    existing,
    is_at,
    opened,
    sign,
    unlink,
    unsign,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL_SECONDS = 0.008
_NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

_held: set[BinaryIO] = set()


class NoLocksHere(Exception):
    """The file system does not lock files."""


@contextlib.contextmanager
def kernel_lock(path: Path, first: Opened, deadline: float) -> Iterator[None]:
    """Hold the file at *path*, which is open as *first*. Blocks until *deadline* at most.

    Raises `LockBusy` then, OSError when it cannot be opened, and `NoLocksHere`.
    """
    file, owner = _acquired(path, first, deadline), os.getpid()
    _held.add(file)
    try:
        yield
    finally:
        if os.getpid() == owner:
            _release(path, file)


def holder_of(path: Path) -> LockBusy | None:
    """Return what a waiter for *path* would be told now, None where nobody holds it.

    Neither waits nor changes anything. Raises OSError where the file cannot be opened.
    """
    # A shared lock for a moment keeps nobody from anything but a retry; Windows has none to spare.
    flags = portalocker.LockFlags
    kind = flags.EXCLUSIVE if sys.platform == "win32" else flags.SHARED
    with existing(path) as file:
        try:
            portalocker.lock(file, kind | flags.NON_BLOCKING)
        except portalocker.LockException:
            return LockBusy(path)
        portalocker.unlock(file)
    return None


def _acquired(path: Path, first: Opened, deadline: float) -> BinaryIO:
    current = first
    while True:
        try:
            _wait_for(current.file, path, deadline)
            if is_at(path, current.file):
                # Ours since we made it, but on Windows, where it may have had a holder meanwhile.
                if not current.is_new or sys.platform == "win32":
                    sign(current.file)
                return current.file
        except NoLocksHere:
            if current.is_new:  # else it is somebody's, who holds it without the kernel's lock
                unlink(path, current.file)
            current.file.close()
            raise
        except BaseException:
            current.give_up()
            raise
        current.file.close()  # its holder unlinked it before we had it: start again
        current = opened(path)


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
        raise NoLocksHere from None
    return True


def _release(path: Path, file: BinaryIO) -> None:
    """Unlink while holding, unlock, close: a forked child may still hold the descriptor."""
    _held.discard(file)
    try:
        unlink(path, file)
        unsign(file)  # where it could not be unlinked, nobody waits for us
    finally:
        try:
            with contextlib.suppress(portalocker.LockException):
                portalocker.unlock(file)
        finally:
            file.close()


def _let_go_in_child() -> None:
    for file in _held:
        file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
