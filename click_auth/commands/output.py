"""How a command speaks: data on stdout, everything said to a person on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from click_auth import signals
from click_auth.console.console import Console, JsonConsole, TextConsole, echo, speaking
from click_auth.console.terminal import is_terminal
from click_auth.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from click_auth.auth import Auth

    AsJson = Callable[[], Mapping[str, Any]]
    Rows = Sequence[Mapping[str, Any]]


_CLICKS_OWN = (click.ClickException, click.exceptions.Exit, BrokenPipeError)


class Human:
    """Text for a person."""

    voice: Console = TextConsole()

    def result(self, _as_json: AsJson, text: str | None, _rows: Rows | None = None, /) -> None:
        """Print *text* on stdout, where there is any."""
        if text is not None:
            echo(text, err=False)

    def bare(self, _as_json: AsJson, text: str, /) -> None:
        """Print *text* on stdout as it is; a newline only for a terminal."""
        click.echo(text, nl=is_terminal(sys.stdout))

    def done(self, text: str) -> None:
        """Say on stderr what was done; *text* may be coloured."""
        echo(text)

    def aside(self, name: str, text: str, /, **fields: Any) -> None:
        """Say nothing: the text on stdout says it."""


class Json:
    """One object on stdout."""

    voice: Console = JsonConsole()

    def result(self, as_json: AsJson, _text: str | None, _rows: Rows | None = None, /) -> None:
        """Print the object."""
        _print(as_json(), indent=2 if is_terminal(sys.stdout) else None)

    def bare(self, as_json: AsJson, text: str, /) -> None:
        """Print the object."""
        self.result(as_json, text)

    def done(self, text: str) -> None:
        """Say nothing: the object says it."""

    def aside(self, name: str, text: str, /, **fields: Any) -> None:
        """Say on stderr what the object has no place for."""
        self.voice.event(name, text, message=text, **fields)


class Ndjson(Json):
    """One object a line on stdout, where there are several."""

    def result(self, as_json: AsJson, _text: str | None, rows: Rows | None = None, /) -> None:
        """Print each of the rows on a line of its own; the object where there are none."""
        for row in [as_json()] if rows is None else rows:
            _print(row)


def _print(document: Mapping[str, Any], indent: int | None = None) -> None:
    import json  # noqa: PLC0415 - only where it is asked for

    click.echo(json.dumps(document, indent=indent))


@contextlib.contextmanager
def speaking_as(auth: Auth, *, as_json: bool, as_ndjson: bool) -> Iterator[Human | Json]:
    """Give the body of a command its output, its voice, and the exit codes of signals.

    To a program an error is printed here: a host that draws errors would draw this one too.
    """
    output = Ndjson() if as_ndjson else Json() if as_json else Human()
    if os.environ.get("NO_COLOR"):  # Click has no say of its own in this
        click.get_current_context().color = False
    try:
        with auth.hinting(), _speaking(output):
            try:
                yield output
            except Exception as error:
                if auth.core.environment.debug or isinstance(error, _CLICKS_OWN):
                    raise
                raise _unexpected(auth, error) from None
    except AuthError as error:
        if isinstance(output, Human):
            raise
        error.show()
        raise click.exceptions.Exit(error.exit_code) from None


@contextlib.contextmanager
def reporting(auth: Auth, *, as_json: bool) -> Iterator[None]:
    """Print an error that leaves the block, and end the program, or the command, with its code."""
    try:
        with auth.hinting(), _speaking(Json() if as_json else Human()):
            yield
    except AuthError as error:
        error.show()
        code = error.exit_code
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    else:
        return
    if click.get_current_context(silent=True) is None:
        sys.exit(code)
    raise click.exceptions.Exit(code)


@contextlib.contextmanager
def _speaking(output: Human | Json) -> Iterator[None]:
    """Let errors speak as *output* does, and let signals end the block with their exit codes."""
    with speaking(output.voice), signals.ending_cleanly():
        try:
            yield
        except AuthError as error:
            error.voice = output.voice
            raise
        except (KeyboardInterrupt, click.Abort):
            output.done("")  # ends the line on which the terminal shows ^C
            raise click.exceptions.Exit(signals.INTERRUPTED) from None


def _unexpected(auth: Auth, error: Exception) -> AuthError:
    """Return one line for what nobody foresaw: its kind and its place, and none of its words."""
    import traceback  # noqa: PLC0415 - for a bug only

    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119
    message = f"Something unexpected went wrong: {type(error).__name__} in {place}."
    hint = f"{auth.core.environment.name('AUTH_DEBUG')}=1 shows how it came to that."
    return AuthError(message, code="AUTH_UNEXPECTED", hints=[hint])
