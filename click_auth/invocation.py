"""What the person asked for on the command line, and how to tell them what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click import globals as click_globals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.operations import Configured

USER = "user"
INSTANCE = "instance"


def remember(auth: Configured, context: click.Context, name: str, value: str | None) -> None:
    """Keep the value of an option of the command that *context* runs, for `auth`'s methods.

    By the very context, `Context.meta` is one for all commands of a run; and None too, so that
    a context which parses a second line forgets the first.
    """
    auth.said.setdefault(context, {})[name] = value


def in_effect(
    auth: Configured, user: str | None, instance: str | None
) -> tuple[str | None, str | None]:
    """Return *user* and *instance*, or what the running command's own options say.

    Where it has none, those of the command or group that invoked it, by `main` too.
    """
    return (
        _said(auth, USER) if user is None else user,
        _said(auth, INSTANCE) if instance is None else instance,
    )


def _said(auth: Configured, name: str) -> str | None:
    values = (auth.said.get(context, {}).get(name) for context in _running())
    return next((value for value in values if value is not None), None)


def _running() -> Iterator[click.Context]:
    """Yield the contexts of the commands that run here, the innermost first, and their parents.

    A command that another one calls by `main` has no parent: only Click's own stack knows, of
    which the top alone has a public name.
    """
    top = click.get_current_context(silent=True)
    below = getattr(getattr(click_globals, "_local", None), "stack", ())
    stack: list[click.Context] = [] if top is None else [*below, top]
    while stack:
        context: click.Context | None = stack[-1]
        root = stack[-1].find_root()
        while context is not None:
            yield context
            context = context.parent
        stack = [entered for entered in stack if entered.find_root() is not root]


def wants_json() -> bool:
    """Whether the running command, or one above it, was given an option `--json` of its own."""
    context = click.get_current_context(silent=True)
    while context is not None:
        given = (each.name for each in context.command.params if "--json" in each.opts)
        if any(context.params.get(name or "") for name in given):
            return True
        context = context.parent
    return False


class LoginPath:
    """Where the login command is attached, so that a hint can name the exact line."""

    def __init__(self) -> None:
        self._group: click.Group | None = None
        self._name = "login"

    def attached(self, group: click.Group, name: str) -> None:
        """Remember the group and the name that the login command has."""
        self._group, self._name = group, name

    def line(self, app_name: str, *options: str) -> str:
        """Return what to type to log in, as far as it can be known here."""
        context = click.get_current_context(silent=True)
        root = None if context is None else context.find_root()
        program = app_name if root is None or not root.info_name else root.info_name
        words = [program, self._name, *options]
        is_root = root is not None and root.command is self._group
        group = "auth" if self._group is None else self._group.name
        if group and not is_root:
            words.insert(1, group)
        return " ".join(words)
