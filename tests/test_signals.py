"""SIGINT and SIGTERM while tokens are in the air."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from click_auth import interrupts


def test_sigint_waits_for_the_end_of_the_block() -> None:
    """An interrupt inside of the block is raised when the block is done, not before."""
    done = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012, SIM117 - the block is tested
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("written")
    assert done == ["written"]


def test_sigterm_waits_and_exits_with_143() -> None:
    """A termination that nobody handles becomes exit code 143, after the block."""
    done = []
    with pytest.raises(SystemExit) as ending:  # noqa: PT012, SIM117 - the block is tested
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("written")
    assert (done, ending.value.code) == (["written"], 143)


def test_handlers_of_the_application_are_called_and_restored() -> None:
    """A handler of the application's own is called after the block, and stays in place."""
    calls: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: calls.append(number))
    ours = signal.getsignal(signal.SIGTERM)
    try:
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            assert calls == []
        assert calls == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ignored_signals_stay_ignored() -> None:
    """What the application ignores is not delivered either."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_touch_no_handler() -> None:
    """Outside of the main thread nothing is installed."""
    seen = []

    def look() -> None:
        with interrupts.deferred(), interrupts.ending_cleanly():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_ending_cleanly_unwinds_on_sigterm() -> None:
    """A command that is terminated unwinds, so that locks and ports are released."""
    unwound = []
    with pytest.raises(SystemExit) as ending, interrupts.ending_cleanly():  # noqa: PT012
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            unwound.append(True)
    assert (unwound, ending.value.code) == ([True], 143)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
