"""What SIGINT and SIGTERM do while tokens are in the air, and what they do to a command."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
TERMINATED = 143
_DEFERRED = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back until the block has ended, then deliver them.

    Between a refresh and its write a refresh token exists in this process only. Handlers are
    touched in the main thread only, and restored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    # None: not installed from Python, so not ours to replace.
    handlers: dict[int, Any] = {
        each: found for each in _DEFERRED if (found := signal.getsignal(each)) is not None
    }
    for number in handlers:
        signal.signal(number, lambda number, _frame: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in arrived:
            if handlers[number] == signal.SIG_DFL:  # it would end us uncleanly
                sys.exit(TERMINATED if number == signal.SIGTERM else INTERRUPTED)
            signal.raise_signal(number)


@contextlib.contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let SIGTERM unwind the block and exit with 143, where nobody else handles it."""
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(_number: int, _frame: object) -> NoReturn:
    sys.exit(TERMINATED)
