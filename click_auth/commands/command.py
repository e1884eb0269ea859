"""A command of ours: its options, the console it speaks on, and the errors that end it."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any

import click

from click_auth.console.console import (
    Console,
    JsonConsole,
    NdjsonConsole,
    echo,
    is_terminal,
    use_console,
)
from click_auth.errors import AuthError, place_of
from click_auth.interrupts import INTERRUPTED, ending_cleanly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from click_auth.operations import Operations

    Parts: TypeAlias = tuple[Callable[..., object], list[click.Parameter] | dict[str, "Parts"]]
    """What a command does, and its own options; of a group, the commands below it."""
    # The application's hooks; a context is the one of the attacher in question.
    Hook: TypeAlias = Callable[[Any], object] | None
    AsText: TypeAlias = Callable[[Any], str | None] | None
    AsJson: TypeAlias = Callable[[Any], Mapping[str, Any]] | None

_CLICKS_OWN = (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)


def make(
    group: click.Group, auth: Operations, name: str, parts: Parts, **attrs: Any
) -> click.Command:
    """Return a command, or a group of commands, made by the *group* itself.

    The body is called as `body(console, **options)`, those that are its own; what comes of the
    application's, in *attrs*, is for their callbacks. Its docstring is the help.
    """
    body, own = parts
    params = list(attrs.pop("params", ()))
    if isinstance(own, dict):
        below = group.group(name, params=params, **attrs)(body)
        for each, inner in own.items():
            make(below, auth, each, inner)
        return below
    names = {each.name for each in own}

    @functools.wraps(body)
    def callback(*, as_json: bool, as_ndjson: bool, **options: Any) -> object:
        check_host(click.get_current_context().find_root())
        with command_console(auth, as_json=as_json, as_ndjson=as_ndjson) as console:
            return body(console, **{key: options[key] for key in options.keys() & names})

    json = flag("--json as_json", "Print one JSON object.")
    ndjson = flag("--ndjson as_ndjson", "Print newline-delimited JSON.")
    return group.command(name, params=[*own, *params, json, ndjson], **attrs)(callback)


def option(names: str, text: str, **how: Any) -> click.Option:
    """Return an option of these *names*, apart by blanks; *text* is its help, *how* is Click's."""
    return click.Option(names.split(), help=text, **how)


def flag(names: str, text: str) -> click.Option:
    """Return an option without a value."""
    return option(names, text, is_flag=True)


def no_revoke_option() -> click.Option:
    """Return `--no-revoke`."""
    return flag("--no-revoke", "Don't revoke the token on the server.")


def check_host(context: object) -> None:
    """Raise TypeError where *context* is of another library than Click, which runs us."""
    if not isinstance(context, click.Context):
        raise kind_error(context, "the auth commands run below a click.Context")


def kind_error(thing: object, wanted: str) -> TypeError:
    """Return the error that says what *thing* is, and what was *wanted* in its place."""
    got = f"{type(thing).__module__}.{type(thing).__qualname__}"
    if any("typer" in base.__module__ for base in type(thing).__mro__):
        got += "; Typer bundles its own copy of Click: use click_auth.typer.mount(app, auth)"
    return TypeError(f"{wanted}, not {got}")


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
    with use_console(output), ending_cleanly():
        try:
            yield
        except AuthError as error:
            error.console = output
            raise
        except (KeyboardInterrupt, click.Abort):
            output.done("", well=False)  # ends the line on which the terminal shows ^C
            raise click.exceptions.Exit(INTERRUPTED) from None


def _unexpected(auth: Operations, error: Exception) -> AuthError:
    """Return one line for what nobody foresaw: its kind and its place, and none of its words."""
    message = f"Unexpected error: {type(error).__name__} in {place_of(error)}."
    hint = f"Set {auth.context.environment.name('AUTH_DEBUG')}=1 to see the traceback."
    return AuthError(message, code="AUTH_UNEXPECTED", hints=[hint])


def show_outcome(
    console: Console,
    context: Any,
    sentence: str,
    render_text: AsText,
    render_json: AsJson,
    *,
    well: bool = True,
) -> None:
    """Print what came of a login or logout, whose *context* holds its `result`.

    A person is told the *sentence*, unless the application renders the context itself.
    """
    if render_text is None:
        console.done(sentence, well=well)
    text = None if render_text is None else render_text(context)
    as_json = context.result.to_json if render_json is None else lambda: render_json(context)
    console.result(as_json, text)


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
        raise click.exceptions.Exit(INTERRUPTED) from None
    return listed[picked - 1].account.key
