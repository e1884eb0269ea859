"""What ends a call early: its time limit, and SIGINT or SIGTERM, which are kept off a write."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

INTERRUPTED = 130
TERMINATED = 143

_POLL_SECONDS = 0.2  # Windows delivers Ctrl-C only between waits

prompt_seconds: ContextVar[float | None] = ContextVar("click_auth_prompt_seconds", default=None)
"""How long a call may take that has a person answer a prompt; None: its own choice."""


class TimedOut(Exception):
    """The call was still running when its time was up."""


class Deadline:
    """A wait of *seconds*; then *on_late* is called, and *extra* seconds more are waited."""

    def __init__(
        self, seconds: float, extra: float = 0.0, on_late: Callable[[], object] = bool
    ) -> None:
        self.seconds: float = seconds
        self._end = time.monotonic() + seconds
        self._extra = extra
        self._on_late = on_late

    def wait_for(self, done: threading.Event) -> None:
        """Block until *done*. Raises `TimedOut`.

        Time for which this process was stopped does not count: the result may have come meanwhile,
        and a refresh that is sent once more would spend its token twice.
        """
        while True:
            began, seconds = time.monotonic(), min(self._left(), _POLL_SECONDS)
            if done.wait(seconds):
                return
            self._end += time.monotonic() - began - seconds

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left > 0:
            return left
        if self._extra <= 0:
            raise TimedOut
        left, self._extra = self._extra, 0.0
        self.seconds += left
        self._end = time.monotonic() + left
        self._on_late()
        return left


@contextlib.contextmanager
def prompt_timeout(seconds: float) -> Iterator[None]:
    """Let each call within the block that has a person answer a prompt wait *seconds* for them."""
    token = prompt_seconds.set(seconds)
    try:
        yield
    finally:
        prompt_seconds.reset(token)


def call_with_timeout(function: Callable[[], T], deadline: Deadline | float) -> T:
    """Return what *function* returns, or raise what it raises; `TimedOut` at *deadline*.

    *function* runs on a daemon thread, which neither a hanging call nor the exit of the process
    waits for. A number is so many seconds from now.
    """
    limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    context = copy_context()  # so that it speaks on the console of its caller
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(context.run(function))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=call, name="click-auth", daemon=True).start()
    limit.wait_for(done)
    if errors:
        raise errors[0]
    return results[0]


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back until the block has ended, then deliver them.

    Between a refresh and its write a refresh token exists in this process only. Handlers are
    touched in the main thread only, and restored.
    """
    arrived: list[int] = []
    handlers: dict[int, Any] = {}
    number: int
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler is not None:  # None: not installed from Python, so not ours to replace
                handlers[number] = handler
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
