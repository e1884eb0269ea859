"""How a command speaks: data on stdout, everything said to a person on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from click_auth import signals
from click_auth.errors import AuthError
from click_auth.voice import Machine, Spoken, Voice, speaking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Rows = Sequence[Mapping[str, Any]]


class Human:
    """Text for a person."""

    voice: Voice = Spoken()

    def result(self, as_json: Callable[[], Mapping[str, Any]], text: str | None) -> None:
        """Print *text* on stdout, where there is any."""
        del as_json
        if text is not None:
            printed(text)

    def bare(self, as_json: Callable[[], Mapping[str, Any]], text: str) -> None:
        """Print *text* on stdout as it is; a newline only for a terminal."""
        del as_json
        click.echo(text, nl=sys.stdout.isatty())

    def rows(self, as_json: Callable[[], Mapping[str, Any]], rows: Rows, text: str) -> None:
        """Print *text* on stdout."""
        del rows
        self.result(as_json, text)

    def done(self, text: str) -> None:
        """Say on stderr what was done."""
        self.voice.say(text)


class Json:
    """One object on stdout."""

    voice: Voice = Machine()

    def result(self, as_json: Callable[[], Mapping[str, Any]], text: str | None) -> None:
        """Print the object."""
        del text
        is_terminal = sys.stdout.isatty()
        click.echo(json.dumps(as_json(), indent=2 if is_terminal else None))

    def bare(self, as_json: Callable[[], Mapping[str, Any]], text: str) -> None:
        """Print the object."""
        self.result(as_json, text)

    def rows(self, as_json: Callable[[], Mapping[str, Any]], rows: Rows, text: str) -> None:
        """Print the object that holds the rows."""
        del rows
        self.result(as_json, text)

    def done(self, text: str) -> None:
        """Say nothing: the object says it."""


class Ndjson(Json):
    """One object a line on stdout, where there are several."""

    def result(self, as_json: Callable[[], Mapping[str, Any]], text: str | None) -> None:
        """Print the object on one line."""
        del text
        click.echo(json.dumps(as_json()))

    def rows(self, as_json: Callable[[], Mapping[str, Any]], rows: Rows, text: str) -> None:
        """Print each row on a line of its own."""
        del as_json
        for row in rows:
            self.result(lambda row=row: row, text)  # type: ignore[misc]


@contextlib.contextmanager
def speaking_as(*, as_json: bool, as_ndjson: bool) -> Iterator[Human | Json]:
    """Give the body of a command its output, its voice, and the exit codes of signals."""
    output = Ndjson() if as_ndjson else Json() if as_json else Human()
    with speaking(output.voice), signals.ending_cleanly():
        try:
            yield output
        except AuthError as error:
            error.voice = output.voice
            raise
        except (KeyboardInterrupt, click.Abort):
            click.echo(err=True)
            raise click.exceptions.Exit(signals.INTERRUPTED) from None


def printed(text: str) -> None:
    """Print text on stdout, whatever its encoding can hold."""
    stream = sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding))
