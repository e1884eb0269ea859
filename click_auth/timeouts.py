"""A bound on calls that have none of their own."""

from __future__ import annotations

import threading
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_POLL_SECONDS = 0.2  # Windows delivers Ctrl-C only between waits


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

    def put_off(self, seconds: float) -> None:
        """Let it come so much later."""
        self._end += seconds

    def left(self) -> float:
        """Return how many seconds are left. Raises `TimedOut` when they are over."""
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


def _wait(done: threading.Event, deadline: Deadline) -> bool:
    """Wait a little for *done*, and return whether it came.

    Time for which this process was stopped does not count: the result may have come meanwhile, and
    a refresh that is sent once more would spend its token twice.
    """
    began, seconds = time.monotonic(), min(deadline.left(), _POLL_SECONDS)
    if done.wait(seconds):
        return True
    deadline.put_off(time.monotonic() - began - seconds)
    return False


def call_with_timeout(function: Callable[[], T], deadline: Deadline | float) -> T:
    """Return what *function* returns, or raise what it raises; `TimedOut` at *deadline*.

    *function* runs on a daemon thread, which neither a hanging call nor the exit of the process
    waits for. A number is so many seconds from now.
    """
    wait = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
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
    while not _wait(done, wait):
        pass
    if errors:
        raise errors[0]
    return results[0]
