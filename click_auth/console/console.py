"""How a person, or a program in their place, is spoken to: always on stderr.

The voice in effect is a context variable, so that a store deep in the library can warn without
being handed a printer, and so that under `--json` every line on stderr is an object.
"""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Protocol

import click

from click_auth.console import terminal
from click_auth.console.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.errors import AuthError


_LONGEST_LINE = 2000


class Console(Protocol):
    """What the library says, and in which shape."""

    def say(self, text: str) -> None:
        """Print one line for a person."""

    def warn(self, text: str) -> None:
        """Print one line that must not be missed."""

    def event(self, name: str, text: str, **fields: Any) -> None:
        """Print *text* to a person, or `{"event": name, **fields}` to a program."""

    def error(self, error: AuthError) -> None:
        """Print the error that ends the command."""


class TextConsole:
    """Plain sentences on stderr."""

    def say(self, text: str) -> None:
        """Print one inert line."""
        echo(printable(text, _LONGEST_LINE))

    def warn(self, text: str) -> None:
        """Print one inert line that begins with "Warning:"."""
        warning = click.style("Warning:", fg="yellow", bold=True)
        echo(f"{warning} {printable(text, _LONGEST_LINE)}")

    def event(self, name: str, text: str, **fields: Any) -> None:
        """Print the text as it is, several lines perhaps; the fields are for programs."""
        del name, fields
        echo(text)

    def error(self, error: AuthError) -> None:
        """Print the error as Click would."""
        click.ClickException.show(error)


class JsonConsole:
    """One JSON object a line on stderr."""

    def say(self, text: str) -> None:
        """Print `{"event": "message", "message": text}`."""
        self.event("message", text, message=text)

    def warn(self, text: str) -> None:
        """Print `{"event": "warning", "message": text}`."""
        self.event("warning", text, message=text)

    def event(self, name: str, text: str, **fields: Any) -> None:
        """Print the fields; the sentence is for people."""
        del text
        _echo_json({"event": name, **fields})

    def error(self, error: AuthError) -> None:
        """Print the error envelope."""
        _echo_json(error.to_json())


def _echo_json(fields: dict[str, Any]) -> None:
    import json  # noqa: PLC0415 - under `--json` only

    echo(json.dumps(fields))


def echo(text: str, *, err: bool = True) -> None:
    """Print a line on stderr, or stdout, whatever its encoding can hold, and flush it.

    What is said on a stderr that the program has closed is lost, as where there is none.
    """
    terminal.countdown.get().erase()
    stream = sys.stderr if err else sys.stdout
    if err and getattr(stream, "closed", False):
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), err=err)


_current: ContextVar[Console] = ContextVar("click_auth_voice", default=TextConsole())  # noqa: B039


def current() -> Console:
    """Return the voice in effect."""
    return _current.get()


def say_on_terminal(text: str) -> None:
    """Say it where a person watches a command of ours; an application's own says what it likes."""
    if _current in copy_context() and terminal.is_terminal(sys.stderr):
        current().say(text)


@contextlib.contextmanager
def speaking(voice: Console) -> Iterator[Console]:
    """Put *voice* into effect for a block."""
    token = _current.set(voice)
    try:
        yield voice
    finally:
        _current.reset(token)


@contextlib.contextmanager
def counting_down(seconds: float) -> Iterator[terminal.Countdown]:
    """Give a block a countdown, below what is said there. It is erased whatever ends the block."""
    to_person = isinstance(current(), TextConsole)
    countdown = terminal.Countdown(seconds, shown=to_person and terminal.can_redraw(sys.stderr))
    token = terminal.countdown.set(countdown)
    try:
        yield countdown
    finally:
        countdown.erase()
        terminal.countdown.reset(token)
