"""What an application's own commands are given: a client, or an early "log in first"."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from click_auth.asked import in_effect
from click_auth.errors import NOT_AUTHENTICATED, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.auth import Auth

    F = TypeVar("F", bound=Callable[..., Any])


def pass_client(auth: Auth, function: Callable[..., Any] | None, options: dict[str, Any]) -> Any:
    """Return the decorator of `Auth.pass_client`, or what it makes of *function*."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_client(*args: Any, **kwargs: Any) -> Any:
            context = click.get_current_context()
            client = context.with_resource(auth.client(**options))
            return context.invoke(command, client, *args, **kwargs)

        return with_client

    return decorate if function is None else decorate(function)


def required(auth: Auth, scopes: tuple[str, ...]) -> Callable[[F], F]:
    """Return the decorator of `Auth.required`; while a command runs, check at once as well."""
    if _is_running():
        check(auth, scopes)

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def checked(*args: Any, **kwargs: Any) -> Any:
            check(auth, scopes)
            return command(*args, **kwargs)

        return cast("F", checked)

    return decorate


def check(auth: Auth, scopes: tuple[str, ...]) -> None:
    """Raise `NotLoggedIn` where nobody is logged in, or *scopes* are missing. Reads the record."""
    from click_auth.credentials import StoredCredential, choose  # noqa: PLC0415 - the edge

    with auth.hinting():
        credential = choose(auth.core, *in_effect(auth, None, None))
        if not isinstance(credential, StoredCredential) or credential.record.scopes is None:
            return
        missing = [scope for scope in scopes if scope not in credential.record.scopes]
        if not missing:
            return
        options = [part for scope in missing for part in ("--scope", scope)]
        line = auth.login_path.line(auth.app_name, *options)
        message = f"This needs permission that was not granted: {', '.join(missing)}."
        raise NotLoggedIn(message, code=NOT_AUTHENTICATED, hints=[f"Run `{line}`."])


def _is_running() -> bool:
    """Whether a command's own function runs now; a lazy group that loads a module is not that."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    return not isinstance(context.command, click.Group) or context.invoked_subcommand is not None
