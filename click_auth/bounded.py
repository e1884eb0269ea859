"""A bound on calls that have none of their own."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_POLL_SECONDS = 0.2  # Windows delivers Ctrl-C only between waits


class TimedOut(Exception):
    """The call was still running when its time was up."""


class _Call(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._context = copy_context()  # so that it speaks in the voice of its caller
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._context.run(self._function)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error
        finally:
            self._done.set()

    def outcome(self, seconds: float) -> T:
        left = seconds
        while not self._done.wait(min(left, _POLL_SECONDS)):
            left -= _POLL_SECONDS
            if left <= 0:
                raise TimedOut
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[no-any-return]


def bounded(function: Callable[[], T], seconds: float) -> T:
    """Return what *function* returns, or raise what it raises, within *seconds*.

    Raises `TimedOut` when it takes longer. It runs on a daemon thread, which neither a hanging
    call nor the exit of the process waits for.
    """
    call = _Call(function)
    threading.Thread(target=call.run, name="click-auth", daemon=True).start()
    return call.outcome(seconds)
