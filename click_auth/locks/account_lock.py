"""One holder at a time, for one account or one file: the locks as the rest of us takes them."""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from click_auth.account import slot_name
from click_auth.errors import Unwritable
from click_auth.folders import check_folder, make_private_folder, reason_of
from click_auth.locks import lock_file
from click_auth.locks.lock_file import LockBusy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LockBusy", "account_lock", "exclusive", "lock_timeout", "outlast_others"]

DEFAULT_PATIENCE_SECONDS = 75.0

_patience: ContextVar[float] = ContextVar("click_auth_patience", default=DEFAULT_PATIENCE_SECONDS)


@contextlib.contextmanager
def lock_timeout(seconds: float) -> Iterator[None]:
    """Let account locks that are taken within the block wait *seconds* at most."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


@contextlib.contextmanager
def account_lock(folder: Path, key: str) -> Iterator[None]:
    """Hold the lock of one account, `locks/<slot>.lock` in *folder*. Blocks.

    Raises `LockBusy` when the patience is at its end, and `StorageUnavailable` naming the path
    when no lock can be made there.
    """
    path = _path(folder, key)
    try:
        make_private_folder(path.parent)
    except Unwritable as error:
        raise _cannot_lock(path, error) from None
    with exclusive(path, _patience.get()):
        yield


def outlast_others(folder: Path, key: str, deadline: float) -> bool:
    """Wait, without taking it, while another process is seen to be on the lock of an account.

    Returns whether there was one. *deadline* is in monotonic seconds.
    """
    return lock_file.outlast(_path(folder, key), deadline)


@contextlib.contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[None]:
    """Hold *path* exclusively: across processes, threads and forks. Blocks at most *seconds*.

    Raises `LockBusy` when it is still held then, `StorageUnavailable` when it cannot be made.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        try:
            _enter(stack, path, deadline)
        except OSError as error:
            raise _cannot_lock(path, error) from None
        yield


def _enter(stack: contextlib.ExitStack, path: Path, deadline: float) -> None:
    first = lock_file.opened(path)
    try:
        from click_auth.locks.kernel_lock import NoLocksHere, kernel_lock  # noqa: PLC0415 - 35 ms
    except BaseException:
        first.give_up()
        raise
    try:
        stack.enter_context(kernel_lock(path, first, deadline))
    except NoLocksHere:
        from click_auth.locks.heartbeat import beating_lock  # noqa: PLC0415 - for rare file systems

        stack.enter_context(beating_lock(path, deadline))


def _path(folder: Path, key: str) -> Path:
    """Return the lock file of an account, in folders that are not somebody else's."""
    locks = folder / "locks"
    try:
        check_folder(folder)
        check_folder(locks)
    except OSError as error:
        raise _cannot_lock(locks, error) from None
    return locks / f"{slot_name(key)}.lock"


def _cannot_lock(path: Path, error: OSError | Unwritable) -> Unwritable:
    reason = error.message if isinstance(error, Unwritable) else f"{reason_of(error)}."
    hint = "Credentials are renewed only under a lock: make the folder writable."
    return Unwritable(f"No lock can be made at {path}: {reason}", hints=[hint])
