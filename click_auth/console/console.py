"""The console: what the library says, in text to a person or in JSON to a program.

The current one is a context variable, so that a store deep in the library can warn without being
handed a printer, and so that under `--json` every line on stderr is an object. What it knows of
the terminal behind it is here too, with the line on it that counts down.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TextIO

import click

from click_auth.console.text import printable, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    AsJson = Callable[[], Mapping[str, Any]]
    Rows = Sequence[Mapping[str, Any]]

LONGEST_LINE = 64 * 1024  # characters that a person, or a pipe, may give as one answer
_LONGEST_SAID = 2000
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
            width = os.get_terminal_size(fileno).columns or 80  # 0 is unknown
            line = next((each for each in lines if len(each) < width), lines[-1][: width - 1])
            if line != self._drawn and in_foreground(fileno):
                wrapped = max(0, len(self._drawn) - 1) // width  # by a window that shrank
                up = f"\x1b[{wrapped}A\r\x1b[J" if wrapped else "\r\x1b[K"
                self._drawn = self._drawn or line  # a signal may come before the end of this
                click.echo(f"{up}{line}", nl=False, err=True, color=True)
                self._drawn = line
        except (OSError, ValueError):  # the terminal has gone; the wait goes on
            self.shown, self._drawn = False, ""


_NONE = Countdown(0.0, "", shown=False)
_countdown: ContextVar[Countdown] = ContextVar("click_auth_countdown", default=_NONE)


class Console:
    """Text for a person: data on stdout, every sentence on stderr, by way of `event`."""

    is_json: bool = False

    def say(self, text: str) -> None:
        """Print one printable line; to a program the event "message"."""
        self.event("message", printable(text, _LONGEST_SAID), message=text)

    def warn(self, text: str) -> None:
        """Print one printable line that begins with "Warning:"; to a program that event."""
        warning = click.style("Warning:", fg="yellow", bold=True)
        self.event("warning", f"{warning} {printable(text, _LONGEST_SAID)}", message=text)

    def event(self, _name: str, text: str, /, **_fields: Any) -> None:
        """Print *text*, several lines perhaps or none. A program gets the name and the fields."""
        if text:
            width = columns(sys.stderr)
            echo(text if width is None else wrap(text, width))

    def error(self, error: click.ClickException, _as_json: AsJson, /) -> None:
        """Print the error that ends the command, as Click would; to a program the object."""
        self.event("error", f"Error: {error.format_message()}")

    def done(self, text: str, *, well: bool = True) -> None:
        """Say what was done; *text* may be coloured. The result says it to a program.

        On a terminal there is a tick before what went *well*. No *text* is an empty line.
        """
        is_ticked = well and can_show(sys.stderr, "✓")
        tick = click.style("✓", fg="green", bold=True) + " " if is_ticked else ""
        if text:
            self.event("done", f"{tick}{text}")
        else:
            echo("")

    def aside(self, name: str, text: str, /, **fields: Any) -> None:
        """Say to a program what the result has no place for; its text says it to a person."""
        self.event(name, "", message=text, **fields)

    def result(self, _as_json: AsJson, text: str | None, _rows: Rows | None = None, /) -> None:
        """Print *text* on stdout, where there is any; to a program the object, or its rows."""
        if text is not None:
            echo(text, err=False)

    def bare(self, _as_json: AsJson, text: str, /) -> None:
        """Print *text* on stdout as it is, with a newline for a terminal only."""
        click.echo(text, nl=is_terminal(sys.stdout))


class JsonConsole(Console):
    """JSON for a program: one object on stdout, and one on each line of stderr."""

    is_json = True

    def event(self, name: str, _text: str, /, **fields: Any) -> None:
        """Print `{"event": name, **fields}`."""
        echo(json.dumps({"event": name, **fields}))

    def error(self, _error: click.ClickException, as_json: AsJson, /) -> None:
        """Print the object on stderr."""
        echo(json.dumps(as_json()))

    def done(self, text: str, *, well: bool = True) -> None:
        """Print nothing."""

    def result(self, as_json: AsJson, _text: str | None, _rows: Rows | None = None, /) -> None:
        """Print the object, indented on a terminal."""
        click.echo(json.dumps(as_json(), indent=2 if is_terminal(sys.stdout) else None))

    def bare(self, as_json: AsJson, text: str, /) -> None:
        """Print the object."""
        self.result(as_json, text)


class NdjsonConsole(JsonConsole):
    """JSON for a program that reads stdout line by line."""

    def result(self, as_json: AsJson, _text: str | None, rows: Rows | None = None, /) -> None:
        """Print each of the rows on a line of its own; the object where there are none."""
        for row in [as_json()] if rows is None else rows:
            click.echo(json.dumps(row))


def echo(text: str, *, err: bool = True) -> None:
    """Print a line on stderr, or stdout, whatever its encoding can hold, and flush it.

    What is said on a stderr that the program has closed is lost, as where there is none.
    """
    _countdown.get().erase()
    stream = sys.stderr if err else sys.stdout
    if err and getattr(stream, "closed", False):
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    color = None if wants_colour() else False
    click.echo(text.encode(encoding, "replace").decode(encoding), err=err, color=color)


_TEXT = Console()
_current: ContextVar[Console] = ContextVar("click_auth_console")


def current() -> Console:
    """Return the console in effect."""
    return _current.get(_TEXT)


def say_on_terminal(text: str) -> None:
    """Say it where a person watches a command of ours; an application's own says what it likes."""
    console = _current.get(None)
    if console is not None and is_terminal(sys.stderr):
        console.say(text)


def log(message: str, *values: object) -> None:
    """Log *message* at DEBUG on the logger `click_auth`; its *values* are never secrets.

    Where nobody has loaded `logging` nobody listens: most commands need not load it either.
    """
    get_logger = getattr(sys.modules.get("logging"), "getLogger", None)
    if get_logger is not None:
        get_logger("click_auth").debug(message, *values, stacklevel=2)


@contextlib.contextmanager
def use_console(console: Console) -> Iterator[Console]:
    """Put *console* into effect for a block."""
    token = _current.set(console)
    try:
        yield console
    finally:
        _current.reset(token)


@contextlib.contextmanager
def counting_down(seconds: float, what: str) -> Iterator[Countdown]:
    """Give a block that waits for *what* a countdown, below what is said there.

    It is erased whatever ends the block.
    """
    is_shown = not current().is_json and can_redraw(sys.stderr)
    countdown = Countdown(seconds, what, shown=is_shown)
    token = _countdown.set(countdown)
    try:
        yield countdown
    finally:
        countdown.erase()
        _countdown.reset(token)
