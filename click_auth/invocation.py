"""The command that runs now: which account its line names, and what to type to log in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import click
from click import globals as click_globals

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "user"
INSTANCE = "instance"
_UNQUOTED = "-_.:/@"  # beside letters and digits


class Invocation:
    """What the command lines of one application say, and where its login command is attached."""

    def __init__(self, app_name: str) -> None:
        self._app_name = app_name
        self._given: WeakKeyDictionary[click.Context, dict[str, str | None]] = WeakKeyDictionary()
        self._attached: dict[str, tuple[click.Group, str]] = {}

    def remember(self, context: click.Context, option: click.Parameter, value: Any) -> Any:
        """Keep and return the value of `--user` or `--instance`, of which this is the callback.

        By the very context: `Context.meta` is one for all commands of a run. None too, so that
        a context which parses a second line forgets the first.
        """
        self._given.setdefault(context, {})[option.name or ""] = value
        return value

    def in_effect(self, name: str, value: str | None) -> str | None:
        """Return *value*, or where it is None what the running command's own option *name* says.

        Where it has none, that of the command or group that invoked it, by `main` too.
        """
        if value is not None:
            return value
        values = (self._given.get(context, {}).get(name) for context in _running())
        return next((value for value in values if value is not None), None)

    def attach(self, command: str, group: click.Group, name: str) -> None:
        """Remember the group and the name that a *command* of ours has."""
        self._attached[command] = group, name

    def login_line(self, *options: str) -> str:
        """Return what to type to log in, as far as it can be known here."""
        context = click.get_current_context(silent=True)
        root = None if context is None else context.find_root()
        program = (root and root.info_name) or self._app_name
        group, name = self._attached.get("login", (None, "login"))
        above = "auth" if group is None else group.name
        is_root = root is not None and root.command is group
        path = [] if is_root or not above else [above]
        return " ".join((program, *path, name, *map(_quoted, options)))


def _quoted(word: str) -> str:
    """Return *word* as a shell reads it."""
    is_plain = word != "" and all(each.isalnum() or each in _UNQUOTED for each in word)
    return word if is_plain else "'" + word.replace("'", "'\\''") + "'"


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
    """Whether the running command, or one that invoked it, was given a `--json` of its own."""
    for context in _running():
        given = (each.name for each in context.command.params if "--json" in each.opts)
        if any(context.params.get(name or "") for name in given):
            return True
    return False
