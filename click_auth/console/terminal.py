"""The terminal that a person looks at: whether there is one, and a line on it that counts down."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from contextvars import ContextVar
from typing import TextIO

import click

LONGEST_LINE = 64 * 1024  # characters that a person, or a pipe, may give as one answer
_TICK_SECONDS = 0.2


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody sits at the other end of *stream*."""
    with contextlib.suppress(ValueError):
        return stream is not None and stream.isatty()
    return False


def is_unseen(stream: TextIO | None) -> bool:
    """Return whether nobody sees at once what is written: a file, `/dev/null`, nothing at all."""
    if stream is None or is_terminal(stream):
        return stream is None
    with contextlib.suppress(OSError, ValueError):
        mode = os.fstat(stream.fileno()).st_mode
        return stat.S_ISREG(mode) or stat.S_ISCHR(mode)
    return False


def in_foreground(fileno: int) -> bool:
    """Return whether this process may use the terminal: otherwise another job does."""
    try:
        return sys.platform == "win32" or os.tcgetpgrp(fileno) == os.getpgrp()
    except OSError:
        return True  # not our controlling terminal: nobody is stopped for reading it


def can_redraw(stream: TextIO | None) -> bool:
    """Return whether *stream* is a terminal on which a line can be drawn over another.

    `ACCESSIBLE` in the environment says no: a screen reader reads each redrawn line out again.
    """
    unknown = "" if os.name == "nt" else "dumb"
    is_plain = os.environ.get("ACCESSIBLE", "0") not in ("", "0")
    return is_terminal(stream) and not is_plain and os.environ.get("TERM", unknown) != "dumb"


def wants_colour() -> bool:
    """Return whether colours are welcome: not where NO_COLOR or a dumb terminal says no."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def can_show(stream: TextIO | None, character: str) -> bool:
    """Return whether *stream* is a terminal of a person who sees, and has this *character*."""
    with contextlib.suppress(LookupError, UnicodeEncodeError):
        character.encode(getattr(stream, "encoding", None) or "ascii")
        return can_redraw(stream)
    return False


def columns(stream: TextIO | None) -> int | None:
    """Return how wide the terminal at the other end of *stream* is, None where nobody knows."""
    with contextlib.suppress(OSError, ValueError):
        if stream is not None and is_terminal(stream):
            return os.get_terminal_size(stream.fileno()).columns or None
    return None


class Countdown:
    """The time that is left to wait for *what*, on the last line of stderr's terminal.

    `shown` is whether there is such a line; it needs `can_redraw`. While another job has the
    terminal, nothing is drawn.
    """

    def __init__(self, seconds: float, what: str, *, shown: bool) -> None:
        self._what = what
        self.shown: bool = shown and seconds < float("inf")
        self._deadline = time.monotonic() + seconds
        self._drawn = ""

    def tick(self) -> None:
        """Draw the line where it has changed."""
        if self.shown:
            seconds = max(0, -int((time.monotonic() - self._deadline) // 1))  # rounded up
            left = f"{seconds // 60}:{seconds % 60:02} left"
            lines = [f"Waiting for {self._what}... {left} (Ctrl-C to cancel)"]
            self._draw(*lines, f"Waiting... {left} (Ctrl-C cancels)", f"Waiting... {left}")

    def sleep(self, seconds: float) -> None:
        """Block for *seconds*, and draw."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(left, _TICK_SECONDS))

    def erase(self) -> None:
        """Leave an empty line, and the cursor at its beginning."""
        if self._drawn:
            self._draw("")

    def _draw(self, *lines: str) -> None:
        """Draw the first of *lines* that fits: one that wraps could not be drawn over."""
        try:
            fileno = sys.stderr.fileno()
            columns = os.get_terminal_size(fileno).columns or 80  # 0 is unknown
            line = next((each for each in lines if len(each) < columns), lines[-1][: columns - 1])
            if line != self._drawn and in_foreground(fileno):
                wrapped = max(0, len(self._drawn) - 1) // columns  # by a window that shrank
                up = f"\x1b[{wrapped}A\r\x1b[J" if wrapped else "\r\x1b[K"
                self._drawn = self._drawn or line  # a signal may come before the end of this
                click.echo(f"{up}{line}", nl=False, err=True, color=True)
                self._drawn = line
        except (OSError, ValueError):  # the terminal has gone; the wait goes on
            self.shown, self._drawn = False, ""


_NONE = Countdown(0.0, "", shown=False)
countdown: ContextVar[Countdown] = ContextVar("click_auth_countdown", default=_NONE)
