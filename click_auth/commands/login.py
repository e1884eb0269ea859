"""The `login` command."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from click_auth import signals
from click_auth.commands.attaching import G, attach
from click_auth.commands.options import flag, instance_parameters, user_parameter
from click_auth.console.terminal import is_terminal
from click_auth.console.text import printable
from click_auth.defaults import LOGIN_TIMEOUT, LONGEST_LINE
from click_auth.environment import POLICIES
from click_auth.errors import LoginFailed
from click_auth.invocation import in_effect
from click_auth.providers import options as offered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from click_auth.auth import Auth
    from click_auth.console.console import Console
    from click_auth.results import LoginContext, LoginResult

_WISHES = ("scopes", "read_only", "device", "callback_port", "timeout", "storage")
_LONGEST_WAIT = 24 * 60 * 60.0  # seconds


def attach_login(
    auth: Auth,
    name: str = "login",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    on_login: Callable[[LoginContext], object] | None = None,
    render_text: Callable[[LoginContext], str | None] | None = None,
    render_json: Callable[[LoginContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `login` to a group.

    *on_login* sees who logged in before anything is stored, and may raise to refuse.
    *render_text* and *render_json* replace what is printed. *cls*, *params* and *attrs* are
    those of `click.command`. Raises TypeError above what is no `click.Group`, and ValueError
    where the group has the name already.
    """

    def login(output: Console, **options: Any) -> None:
        """Log in, through the browser."""
        _warn_of_the_environment(auth, output)
        context, result = _log_in(auth, output, on_login, options)
        if render_text is None:
            output.done(_told(result))
        text = None if render_text is None else render_text(context)
        as_json = result.to_json if render_json is None else lambda: render_json(context)
        output.result(as_json, text)
        if result.missing_scopes:
            output.warn(f"Not granted: {', '.join(result.missing_scopes)}.")

    def decorate(group: G) -> G:
        in_browser = offered.TIMEOUT in auth.core.services.login_options
        told = {} if in_browser else {"help": "Log in."}
        named = {**told, **attrs}
        attach(auth, name, login, _options(auth), cls=cls, params=params, **named)(group)
        auth.login_path.attached(group, name)
        return group

    return decorate


def _options(auth: Auth) -> list[click.Parameter]:
    """Return the options that the provider's login has, and no others."""
    possible = [
        user_parameter(auth, "Who should log in; anybody else is refused."),
        click.Option(
            [offered.SCOPE, "scopes"],
            multiple=True,
            metavar="SCOPE",
            help="Ask for this scope too. May be given several times.",
        ),
        flag(offered.READ_ONLY, "Ask for reading only."),
        flag(offered.NO_BROWSER, "Print the address, open nothing."),
        flag(offered.DEVICE, "Show a code to enter on another device."),
        flag(offered.WITH_TOKEN, "Read a token from standard input."),
        click.Option(
            [offered.CALLBACK_PORT],
            type=click.IntRange(1, 65535),
            help="Listen for the browser's answer on this port.",
        ),
        click.Option(
            [offered.TIMEOUT],
            type=click.FloatRange(min=0, max=_LONGEST_WAIT, min_open=True),
            default=LOGIN_TIMEOUT,
            metavar="SECONDS",
            help="Wait this long for the browser's answer.",
            show_default=True,
        ),
    ]
    storage = click.Option(
        ["--storage"],
        type=click.Choice(POLICIES),
        help="Where to keep the credential.",
    )
    has = auth.core.services.login_options
    chosen = [option for option in possible if has.issuperset(option.opts)]
    return [*chosen, storage, *instance_parameters(auth)]


def _log_in(
    auth: Auth,
    output: Console,
    on_login: Callable[[LoginContext], object] | None,
    options: Mapping[str, Any],
) -> tuple[LoginContext, LoginResult]:
    from dataclasses import replace  # noqa: PLC0415 - the edge

    seen: list[LoginContext] = []

    def keep(context: LoginContext) -> None:
        if on_login is not None:
            on_login(context)
        seen.append(context)

    user, instance = in_effect(auth, None, None)
    try:
        result = auth.login(
            user=user,
            instance=instance,
            browser=not options.get("no_browser"),
            token=_token_from_stdin(auth) if options.get("with_token") else None,
            on_login=keep,
            **{name: options[name] for name in _WISHES if name in options},
        )
    except KeyboardInterrupt:
        if not seen:  # else it may have been stored already
            output.done("\nLogin cancelled; nothing was changed.")
            raise click.exceptions.Exit(signals.INTERRUPTED) from None
        raise
    return replace(seen[0], result=result), result


def _told(result: LoginResult) -> str:
    account = result.account
    where = f" on {printable(account.instance)}" if account.instance else ""
    place = {"system": "the system keyring", "plaintext": "a file, in plain text"}
    kept = place.get(result.stored_in)
    stored = f" The credential is kept in {kept}." if kept else ""
    who = f"{click.style('Logged in', fg='green')} as {account.title}{where}"
    return f"{who}, now the default account.{stored}"


def _warn_of_the_environment(auth: Auth, output: Console) -> None:
    from click_auth.credentials import overriding_variable  # noqa: PLC0415 - the edge

    variable = overriding_variable(auth.core, None, in_effect(auth, None, None)[1])
    if variable is not None:
        output.warn(f"{variable} is set and still wins over this login.")


def _token_from_stdin(auth: Auth) -> str:
    """Return the one line on standard input; on a terminal, what is typed unseen."""
    stdin = cast("TextIO | None", sys.stdin)  # None where it was closed
    if is_terminal(stdin):
        from click_auth.login.ui import TerminalUI  # noqa: PLC0415 - the edge

        core = auth.core
        with TerminalUI(core.settings.app_name, core.environment, allow_browser=False) as ui:
            return ui.ask("Token", hidden=True)
    token = _piped_line(stdin)
    if token is None:
        message = "Standard input holds no token, or more than one line."
        raise LoginFailed(message, hints=["Pipe the bare token in."])
    return token


def _piped_line(stdin: TextIO | None) -> str | None:
    """Return the one line that was piped in, None of anything else: no error holds it then."""
    text = ""
    with contextlib.suppress(OSError, ValueError):
        text = "" if stdin is None else stdin.read(LONGEST_LINE + 1)
    lines = text.strip().splitlines()
    return lines[0].strip() if len(lines) == 1 and len(text) <= LONGEST_LINE else None
