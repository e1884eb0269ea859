"""A bound on calls that have none of their own."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_POLL_SECONDS = 0.2  # Windows delivers Ctrl-C only between waits


class TimedOut(Exception):
    """The call was still running when its time was up."""


def call_with_timeout(
    function: Callable[[], T], seconds: float, more: Callable[[], float] = lambda: 0.0
) -> T:
    """Return what *function* returns, or raise what it raises, within *seconds*.

    When they are over *more* is asked for how many are added; none, and this raises `TimedOut`.
    *function* runs on a daemon thread, which neither a hanging call nor the exit of the process
    waits for.
    """
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
    left = seconds
    while not done.wait(min(left, _POLL_SECONDS)):
        left -= _POLL_SECONDS
        if left <= 0 and (left := more()) <= 0:
            raise TimedOut
    if errors:
        raise errors[0]
    return results[0]
