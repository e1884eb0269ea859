"""The `login` command."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO, cast

import click
from click.core import ParameterSource

from click_auth.commands.application import instance_parameters, user_parameter
from click_auth.commands.command import flag, option, show_outcome
from click_auth.console.console import LONGEST_LINE, Console, is_terminal
from click_auth.console.text import printable
from click_auth.defaults import LOGIN_TIMEOUT, PLACES, POLICIES
from click_auth.errors import LoginFailed
from click_auth.interrupts import INTERRUPTED
from click_auth.login.keyboard import ask
from click_auth.login.results import LoginContext, LoginResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click_auth.commands.command import AsJson, AsText, Hook, Parts
    from click_auth.operations import Operations

_LONGEST_WAIT = 24 * 60 * 60.0  # seconds
_STRENGTH = ("acr_values", "max_age")
# What is of no use to a login that only begins, and to one that has begun.
_AT_ONCE = ("with_token", "callback_port", "timeout", "resume")
_TO_BEGIN = (
    *("user", "scopes", "read_only", "no_browser", "device", "with_token", "callback_port"),
    *("storage", *_STRENGTH),
)


def build(auth: Operations, on_login: Hook, render_text: AsText, render_json: AsJson) -> Parts:
    """Return what `login` does, and its options."""

    def login(console: Console, *, no_wait: bool = False, **wanted: Any) -> None:
        """Log in with your browser."""
        user, instance = auth.resolve()
        variable = auth.overriding_variable(None, instance)
        if variable is not None:
            console.warn(f"{variable} is set and takes precedence over this login.")
        wanted.update(user=user, instance=instance)
        if wanted.get("device") and any(wanted.get(name) is not None for name in _STRENGTH):
            raise click.UsageError("--acr-values and --max-age need a browser: leave --device out.")
        if no_wait:
            _refuse(_AT_ONCE, "--no-wait")
            _begin(auth, console, **wanted)
            return
        if wanted.get("resume") is not None:
            _refuse(_TO_BEGIN, "--resume")
        context = _log_in(auth, console, on_login, **wanted)
        result = cast("LoginResult", context.result)
        show_outcome(console, context, _sentence(result), render_text, render_json)
        if result.missing_scopes:
            console.warn(f"Permissions not granted: {', '.join(result.missing_scopes)}.")

    if "--timeout" not in auth.context.services.login_options:
        login.__doc__ = "Log in."
    return login, _options(auth)


def _options(auth: Operations) -> list[click.Parameter]:
    """Return the options that the provider's login has; their names are those of `Auth.login`."""
    seconds = click.FloatRange(min=0, max=_LONGEST_WAIT)
    port, age = click.IntRange(1, 65535), click.IntRange(min=0)
    scope = "Request an additional scope (repeatable)."
    device = "Log in by entering a code on any device (default where no browser can open)."
    strength = "Request these authentication context classes (step-up login)."
    wait = "How long to wait for the browser's response."
    usual: dict[str, Any] = {"default": LOGIN_TIMEOUT, "show_default": True}
    resume = "Finish a login started with --no-wait."
    possible = [
        user_parameter(auth, "Log in as this account; fail if someone else signs in."),
        option("--scope scopes", scope, multiple=True, metavar="SCOPE"),
        flag("--read-only", "Request read-only access."),
        flag("--no-browser", "Print the login URL instead of opening a browser."),
        option("--device/--no-device", device, default=None),
        flag("--with-token", "Read a token from standard input."),
        option("--callback-port", "Listen for the browser's response on this port.", type=port),
        option("--timeout", wait, type=seconds, metavar="SECONDS", **usual),
        option("--acr-values", strength, metavar="VALUES"),
        option("--max-age", "Require a login no older than this.", type=age, metavar="SECONDS"),
        flag("--no-wait", "Start the login, print how to finish it, and exit."),
        option("--resume", resume, is_flag=False, flag_value="", metavar="[ID]"),
    ]
    storage = option("--storage", "Where to store the credentials.", type=click.Choice(POLICIES))
    has = auth.context.services.login_options
    chosen = [each for each in possible if has.issuperset(each.opts)]
    return [*chosen, storage, *instance_parameters(auth)]


def _log_in(
    auth: Operations,
    console: Console,
    on_login: Hook,
    *,
    no_browser: bool = False,
    with_token: bool = False,
    resume: str | None = None,
    **wanted: Any,
) -> LoginContext:
    seen: list[LoginContext] = []

    def see(context: LoginContext) -> None:
        if on_login is not None:
            on_login(context)
        seen.append(context)

    try:
        if resume is not None:
            is_device = auth.pending_kind(resume or None) == "device"
            answer = None if is_device else _line_from_stdin("URL your browser ended up on")
            result = auth.finish_login(
                resume or None, answer=answer, timeout=wanted["timeout"], on_login=see
            )
        elif wanted.get("timeout") == 0:
            raise click.BadParameter("must be more than 0.", param_hint="--timeout")
        else:
            result = auth.login(
                browser=not no_browser,
                token=_token_from_stdin() if with_token else None,  # in no variable of a frame
                on_login=see,
                **wanted,
            )
    except KeyboardInterrupt:
        if seen:  # it may have been stored already
            raise
        console.done("\nLogin cancelled. Nothing was changed.", well=False)
        raise click.exceptions.Exit(INTERRUPTED) from None
    if not seen:  # another process has finished this very login
        bundle = auth.credential(result.account.key).bundle()
        seen.append(LoginContext(result.account, bundle=bundle))
    return replace(seen[0], result=result)


def _refuse(useless: Iterable[str], beside: str) -> None:
    """Raise Click's usage error for an option that means nothing *beside* another."""
    context = click.get_current_context()
    for each in context.command.params:
        source = context.get_parameter_source(each.name or "")
        if each.name in useless and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{each.opts[0]} can't be combined with {beside}.")


def _begin(auth: Operations, console: Console, **wanted: Any) -> None:
    names = ("user", "scopes", "read_only", "device", "instance", "storage", *_STRENGTH)
    pending = auth.begin_login(**{name: wanted[name] for name in names if name in wanted})
    how = f"Open {pending.url}\n"
    if pending.user_code is not None:
        how += f"and enter the code {pending.user_code}\n"
    console.result(pending.to_json, f"{how}then run: {pending.resume}")


def _sentence(result: LoginResult) -> str:
    account, place = result.account, PLACES.get(result.stored_in)
    where = f" on {printable(account.instance)}" if account.instance else ""
    stored = f"\nCredentials stored in {place}." if place else ""
    who = f"{click.style('Logged in', fg='green')} as {account.title}{where}"
    return f"{who}, now the default account.{stored}"


def _token_from_stdin() -> str:
    token = _line_from_stdin("Token")
    if token is None:
        message = "Standard input must contain exactly one line, the token."
        raise LoginFailed(message, hints=["Pipe in just the token."])
    return token


def _line_from_stdin(question: str) -> str | None:
    """Return what is typed unseen on a terminal, else the one line that was piped in.

    None of anything else that was piped in: no error holds it then.
    """
    stdin = cast("TextIO | None", sys.stdin)  # None where it was closed
    if is_terminal(stdin):
        return ask(question, stdin, hidden=True)
    text = ""
    with contextlib.suppress(OSError, ValueError):
        text = "" if stdin is None else stdin.read(LONGEST_LINE + 1)
    lines = text.strip().splitlines()
    return lines[0].strip() if len(lines) == 1 and len(text) <= LONGEST_LINE else None
