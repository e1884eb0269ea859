"""What a command prints, on which console, and what becomes of the errors that end it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from click_auth import interrupts
from click_auth.console.console import Console, JsonConsole, NdjsonConsole, echo, use_console
from click_auth.console.terminal import is_terminal
from click_auth.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.operations import Operations


_CLICKS_OWN = (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)


@contextlib.contextmanager
def command_console(auth: Operations, *, as_json: bool, as_ndjson: bool) -> Iterator[Console]:
    """Give the body of a command its console and the exit codes of signals.

    To a program an error is printed here: a host that draws errors would draw this one too.
    """
    output = NdjsonConsole() if as_ndjson else JsonConsole() if as_json else Console()
    try:
        with auth.hinting(), _speaking(output):
            try:
                yield output
            except Exception as error:
                if auth.context.environment.debug or isinstance(error, _CLICKS_OWN):
                    raise
                raise _unexpected(auth, error) from None
    except AuthError as error:
        if not output.is_json:
            raise
        error.show()
        raise click.exceptions.Exit(error.exit_code) from None


def can_ask() -> bool:
    """Return whether somebody sits at a terminal who can be asked."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask_for_account(
    auth: Operations, console: Console, question: str, instance: str | None, *, fewest: int = 1
) -> str | None:
    """Return the key of the account that a person picks from a menu of the stored ones.

    None where nobody can be asked, or where there are fewer than *fewest*.
    """
    if console.is_json or not can_ask():
        return None
    named = auth.context.instance_filter(instance)
    listed = [each for each in auth.accounts() if named in (None, each.account.instance)]
    if len(listed) < fewest:
        return None
    for number, each in enumerate(listed, 1):
        where = f"  on {each.account.instance}" if each.account.instance else ""
        echo(f"{number:>3}  {each.account.title}{where}")
    default = next((number for number, each in enumerate(listed, 1) if each.default), None)
    wanted = click.IntRange(1, len(listed))
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Click 8.1 puts a space otherwise
            picked: int = click.prompt(question, type=wanted, default=default, err=True)
    except click.Abort:
        console.done("\nNothing was changed.", well=False)
        raise click.exceptions.Exit(interrupts.INTERRUPTED) from None
    return listed[picked - 1].account.key


@contextlib.contextmanager
def reporting(auth: Operations, *, as_json: bool) -> Iterator[None]:
    """Print an error that leaves the block, and end the program, or the command, with its code."""
    try:
        with auth.hinting(), _speaking(JsonConsole() if as_json else Console()):
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
def _speaking(output: Console) -> Iterator[None]:
    """Let errors speak as *output* does, and let signals end the block with their exit codes."""
    with use_console(output), interrupts.ending_cleanly():
        try:
            yield
        except AuthError as error:
            error.console = output
            raise
        except (KeyboardInterrupt, click.Abort):
            output.done("", well=False)  # ends the line on which the terminal shows ^C
            raise click.exceptions.Exit(interrupts.INTERRUPTED) from None


def _unexpected(auth: Operations, error: Exception) -> AuthError:
    """Return one line for what nobody foresaw: its kind and its place, and none of its words."""
    last: Any = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    place = f"{os.path.basename(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}"  # noqa: PTH119
    message = f"Unexpected error: {type(error).__name__} in {place}."
    hint = f"Set {auth.context.environment.name('AUTH_DEBUG')}=1 to see the traceback."
    return AuthError(message, code="AUTH_UNEXPECTED", hints=[hint])
