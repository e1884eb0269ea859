"""The console: what the library says, in text to a person or in JSON to a program.

The current one is a context variable, so that a store deep in the library can warn without being
handed a printer, and so that under `--json` every line on stderr is an object.
"""

from __future__ import annotations

import contextlib
import json
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import click

from click_auth.console import terminal
from click_auth.console.text import printable, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    AsJson = Callable[[], Mapping[str, Any]]
    Rows = Sequence[Mapping[str, Any]]

_LONGEST_LINE = 2000


class Console:
    """Text for a person: data on stdout, every sentence on stderr."""

    is_json: bool = False

    def say(self, text: str) -> None:
        """Print one printable line."""
        _tell(printable(text, _LONGEST_LINE))

    def warn(self, text: str) -> None:
        """Print one printable line that begins with "Warning:"."""
        warning = click.style("Warning:", fg="yellow", bold=True)
        _tell(f"{warning} {printable(text, _LONGEST_LINE)}")

    def event(self, _name: str, text: str, /, **_fields: Any) -> None:
        """Print *text*, several lines perhaps or none. A program gets the name and the fields."""
        if text:
            _tell(text)

    def error(self, error: click.ClickException, _as_json: AsJson, /) -> None:
        """Print the error that ends the command, as Click would; to a program the object."""
        _tell(f"Error: {error.format_message()}")

    def done(self, text: str, *, well: bool = True) -> None:
        """Say what was done; *text* may be coloured. The result says it to a program.

        On a terminal there is a tick before what went *well*.
        """
        tick = click.style("✓", fg="green", bold=True) + " "
        _tell(f"{tick}{text}" if well and terminal.can_show(sys.stderr, "✓") else text)

    def aside(self, name: str, text: str, /, **fields: Any) -> None:
        """Say to a program what the result has no place for; its text says it to a person."""

    def result(self, _as_json: AsJson, text: str | None, _rows: Rows | None = None, /) -> None:
        """Print *text* on stdout, where there is any; to a program the object, or its rows."""
        if text is not None:
            echo(text, err=False)

    def bare(self, _as_json: AsJson, text: str, /) -> None:
        """Print *text* on stdout as it is, with a newline for a terminal only."""
        click.echo(text, nl=terminal.is_terminal(sys.stdout))


class JsonConsole(Console):
    """JSON for a program: one object on stdout, and one on each line of stderr."""

    is_json = True

    def say(self, text: str) -> None:
        """Print `{"event": "message", "message": text}`."""
        self.event("message", text, message=text)

    def warn(self, text: str) -> None:
        """Print `{"event": "warning", "message": text}`."""
        self.event("warning", text, message=text)

    def event(self, name: str, _text: str, /, **fields: Any) -> None:
        """Print `{"event": name, **fields}`."""
        echo(json.dumps({"event": name, **fields}))

    def error(self, _error: click.ClickException, as_json: AsJson, /) -> None:
        """Print the object on stderr."""
        echo(json.dumps(as_json()))

    def done(self, text: str, *, well: bool = True) -> None:
        """Print nothing."""

    def aside(self, name: str, text: str, /, **fields: Any) -> None:
        """Print an event with *text* as its message."""
        self.event(name, text, message=text, **fields)

    def result(self, as_json: AsJson, _text: str | None, _rows: Rows | None = None, /) -> None:
        """Print the object, indented on a terminal."""
        click.echo(json.dumps(as_json(), indent=2 if terminal.is_terminal(sys.stdout) else None))

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
    terminal.countdown.get().erase()
    stream = sys.stderr if err else sys.stdout
    if err and getattr(stream, "closed", False):
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    color = None if terminal.wants_colour() else False
    click.echo(text.encode(encoding, "replace").decode(encoding), err=err, color=color)


def _tell(text: str) -> None:
    width = terminal.columns(sys.stderr)
    echo(text if width is None else wrap(text, width))


_TEXT = Console()
_current: ContextVar[Console] = ContextVar("click_auth_console")


def current() -> Console:
    """Return the console in effect."""
    return _current.get(_TEXT)


def say_on_terminal(text: str) -> None:
    """Say it where a person watches a command of ours; an application's own says what it likes."""
    console = _current.get(None)
    if console is not None and terminal.is_terminal(sys.stderr):
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
def counting_down(seconds: float, what: str) -> Iterator[terminal.Countdown]:
    """Give a block that waits for *what* a countdown, below what is said there.

    It is erased whatever ends the block.
    """
    is_shown = not current().is_json and terminal.can_redraw(sys.stderr)
    countdown = terminal.Countdown(seconds, what, shown=is_shown)
    token = terminal.countdown.set(countdown)
    try:
        yield countdown
    finally:
        countdown.erase()
        terminal.countdown.reset(token)
