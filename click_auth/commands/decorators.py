"""What an application's own commands are given: a client, or an early "log in first"."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from click_auth.console.console import is_terminal
from click_auth.console.text import check_texts
from click_auth.errors import INSUFFICIENT_SCOPE, NotLoggedIn
from click_auth.invocation import wants_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.operations import Operations

    Body = Callable[..., Any]


def pass_client(auth: Operations, command: Any, options: dict[str, Any]) -> Any:
    """Return the decorator of `Auth.pass_client`, or what it makes of *command*."""

    def give(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def with_client(*args: Any, **kwargs: Any) -> Any:
            context = click.get_current_context()
            client = context.with_resource(auth.client(**options))
            from click_auth.api_client import convert_errors  # noqa: PLC0415 - httpx, when needed

            with convert_errors(client):
                return context.invoke(function, client, *args, **kwargs)

        _hide_client(with_client)
        return with_client

    return partial(_wrap, give) if command is None else _wrap(give, command)


def _hide_client(wrapper: Any) -> None:
    """Let who reads the signature of *wrapper*, as Typer does, see no client in it."""
    parameters = [*inspect.signature(wrapper).parameters.values()]
    hints = wrapper.__annotations__ = dict(wrapper.__annotations__)
    for client in parameters[:1]:
        hints.pop(client.name, None)
    with contextlib.suppress(Exception):  # a name that is there for type checkers only
        hints = inspect.get_annotations(wrapper, eval_str=True)
    wrapper.__signature__ = inspect.Signature(
        [each.replace(annotation=hints.get(each.name, each.annotation)) for each in parameters[1:]]
    )


def required(auth: Operations, scopes: Any, *, login: bool = False) -> Any:
    """Return the decorator of `Auth.required`, or what it makes of a command in its place.

    Called while a command runs, it checks at once as well.
    """
    is_bare = isinstance(scopes, click.Command) or callable(scopes)
    names = () if is_bare else check_texts(scopes, "scopes")
    ensure = partial(check_or_log_in if login else check, auth, names)
    if _is_running() and not is_bare:
        ensure()

    def guard(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            ensure()
            return function(*args, **kwargs)

        return checked

    return _wrap(guard, scopes) if is_bare else partial(_wrap, guard)


def _wrap(decorate: Callable[[Body], Body], command: Any) -> Any:
    """Return what *decorate* makes of a function; of a command, the same with its callback wrapped.

    Raises TypeError for anything else: a check that is never run would be none.
    """
    if isinstance(command, click.Command):
        command.callback = decorate(command.callback or (lambda *_, **__: None))
        return command
    is_function = hasattr(command, "__name__") or isinstance(command, partial)
    if not (is_function and callable(command)) or isinstance(command, type):
        got = f"{type(command).__module__}.{type(command).__qualname__}"
        raise TypeError(f"this decorates a function or a click.Command, not {got}")
    return decorate(command)


def check(auth: Operations, scopes: tuple[str, ...]) -> None:
    """Raise `NotLoggedIn` where nobody is logged in, or *scopes* are missing. Reads the record."""
    record = auth.credential().record
    known = scopes if record is None or record.scopes is None else record.scopes
    missing = [scope for scope in scopes if scope not in known]
    if missing:
        message = f"Missing permission: {', '.join(missing)}."
        error = NotLoggedIn(message, code=INSUFFICIENT_SCOPE)
        error.login_options = tuple(part for scope in missing for part in ("--scope", scope))
        with auth.hinting():
            raise error


def check_or_log_in(auth: Operations, scopes: tuple[str, ...]) -> None:
    """Do what `check` does; on a terminal ask the person to log in instead, and wait for it."""
    try:
        check(auth, scopes)
    except NotLoggedIn:
        if wants_json() or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
            raise
        auth.log_in_on_demand(lambda: check(auth, scopes), scopes)


def _is_running() -> bool:
    """Whether a command's own function runs now; a lazy group that loads a module is not that."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    return not isinstance(context.command, click.Group) or context.invoked_subcommand is not None
