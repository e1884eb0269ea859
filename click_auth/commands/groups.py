"""Somebody else's group: whether it is one of Click's, and which names it answers to."""

from __future__ import annotations

import inspect
from typing import Any

import click

# What a `list_commands` may use and still load nothing.
_HARMLESS = {
    *("super", "list_commands", "sorted", "list", "set", "tuple", "dict", "reversed"),
    *("keys", "items", "values", "union", "append", "extend", "insert", "add", "update", "sort"),
}


def answers_to(group: click.Group, name: str) -> bool:
    """Whether *group* is known to have a command *name* already; loads and runs nothing of it.

    A lazy group is asked where its `list_commands` names nothing but what the group holds. Of
    any other, `watch` finds out when the command is asked for. Raises TypeError above what is
    no group.
    """
    if not isinstance(group, click.Group):
        raise kind_error(group, "attach_* needs a click.Group")
    if name in group.commands:
        return True
    return _lists_what_it_holds(group) and name in group.list_commands(
        click.Context(group, info_name=group.name)
    )


def kind_error(thing: object, wanted: str) -> TypeError:
    """Return the error that says what *thing* is, and what was *wanted* in its place."""
    got = f"{type(thing).__module__}.{type(thing).__qualname__}"
    if any("typer" in base.__module__ for base in type(thing).__mro__):
        got += "; Typer bundles its own copy of Click: use click_auth.typer.mount(app, auth)"
    return TypeError(f"{wanted}, not {got}")


def watch(group: click.Group, name: str, made: click.Command) -> None:
    """Raise ValueError when *name* is asked for, should a lazy group then answer with another."""
    if type(group).get_command is click.Group.get_command:
        return
    answer = group.get_command

    def get_command(ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = answer(ctx, cmd_name)
        if cmd_name == name and found is not made and group.commands.get(name) is made:
            raise name_error(group, name)
        return found

    group.get_command = get_command  # type: ignore[method-assign]


def name_error(group: click.Group, name: str) -> ValueError:
    """Return the error of a *group* that answers to *name* already."""
    return ValueError(f"the group {group.name!r} already has a command {name!r}")


def _lists_what_it_holds(group: click.Group) -> bool:
    listing = (vars(kind).get("list_commands") for kind in type(group).__mro__)
    names = {name for each in listing if each is not None for name in _names(each)}
    return all(name in _HARMLESS or _is_data(group, name) for name in names)


def _names(function: Any) -> set[str]:
    """Return the names that a function uses, those in its comprehensions too."""
    code = getattr(function, "__code__", function)
    inner = (each for each in getattr(code, "co_consts", ()) if hasattr(each, "co_names"))
    return set(getattr(code, "co_names", ["?"])).union(*map(_names, inner))


def _is_data(group: click.Group, name: str) -> bool:
    value = inspect.getattr_static(group, name, len)
    return not callable(value) and not hasattr(value, "__get__")
