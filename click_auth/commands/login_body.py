"""What `login` does when it is called."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from click_auth.asked import in_effect
from click_auth.errors import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.auth import Auth
    from click_auth.commands.output import Human, Json
    from click_auth.results import LoginContext, LoginResult

    Hooks = tuple[Any, Any, Any]

_WISHES = ("scopes", "read_only", "device", "callback_port", "timeout", "storage")


def log_in(auth: Auth, output: Human | Json, hooks: Hooks, options: Mapping[str, Any]) -> None:
    """Log in and print how it went. *hooks* are on_login, render_text and render_json."""
    on_login, render_text, render_json = hooks
    seen: list[LoginContext] = []

    def keep(context: LoginContext) -> None:
        if on_login is not None:
            on_login(context)
        seen.append(context)

    user, instance = in_effect(auth, None, None)
    result = auth.login(
        user=user,
        instance=instance,
        browser=not options.get("no_browser"),
        token=_token_from_stdin() if options.get("with_token") else None,
        on_login=keep,
        **{name: options[name] for name in _WISHES if name in options},
    )
    context = replace(seen[0], result=result)
    if render_text is None:
        output.done(_told(result))
    text = None if render_text is None else render_text(context)
    as_json = result.to_json if render_json is None else lambda: render_json(context)
    output.result(as_json, text)
    _say_what_is_left(auth, output, result)


def _told(result: LoginResult) -> str:
    name = result.account.identity.title
    place = {"system": "the system keyring", "plaintext": "a file, in plain text"}
    kept = place.get(result.stored_in)
    stored = f" The credential is kept in {kept}." if kept else ""
    return f"{click.style('Logged in', fg='green')} as {name}, now the default account.{stored}"


def _say_what_is_left(auth: Auth, output: Human | Json, result: LoginResult) -> None:
    if result.missing_scopes:
        output.voice.warn(f"Not granted: {', '.join(result.missing_scopes)}.")
    environment = auth.core.environment
    if environment.token is not None:
        output.voice.warn(f"{environment.token_env} is set and still wins over this login.")


def _token_from_stdin() -> str:
    """Return the one line on standard input; on a terminal, what is typed unseen."""
    stdin = cast("TextIO | None", sys.stdin)  # None where it was closed
    text = ""
    with contextlib.suppress(UnicodeDecodeError):
        if stdin is not None and stdin.isatty():
            text = click.prompt("Token", hide_input=True, err=True)
        elif stdin is not None:
            text = stdin.read(65537)
    lines = text.strip().splitlines()
    if len(lines) != 1 or len(text) > 65536:  # noqa: PLR2004
        message = "Standard input holds no token, or more than one line."
        raise LoginFailed(message, hints=["Pipe the bare token in."])
    return str(lines[0].strip())
