"""How a command comes to hang on somebody else's group."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click_auth.operations import Operations

    Body = Callable[..., Any]

G = TypeVar("G", bound=click.Group)

# What a `list_commands` may use and still load nothing.
_HARMLESS = {
    *("super", "list_commands", "sorted", "list", "set", "tuple", "dict", "reversed"),
    *("keys", "items", "values", "union", "append", "extend", "insert", "add", "update", "sort"),
}

_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object.")
_NDJSON = click.Option(
    ["--ndjson", "as_ndjson"], is_flag=True, help="Print JSON, one object a line."
)


def attach(
    auth: Operations,
    name: str,
    body: Body,
    own: Sequence[click.Parameter],
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds a command to a group, made by the group itself.

    *body* is called as `body(output, **options)`; its docstring is the help. *own* are the
    command's own options, *params* those of the application.
    """

    @functools.wraps(body)
    def callback(*, as_json: bool, as_ndjson: bool, **options: Any) -> Any:
        from click_auth.commands.output import speaking_as  # noqa: PLC0415 - the edge

        check_host(click.get_current_context().find_root())
        with speaking_as(auth, as_json=as_json, as_ndjson=as_ndjson) as output:
            return body(output, **options)

    def decorate(group: G) -> G:
        check_free(group, name)
        parameters = [*own, *params, _JSON, _NDJSON]
        made = group.command(name, params=parameters, **made_as(cls), **attrs)(callback)
        watch(group, name, made)
        return group

    return decorate


def made_as(cls: type[click.Command] | None) -> dict[str, Any]:
    """Return the argument that asks a group for a *cls*, none where the group is to choose."""
    return {} if cls is None else {"cls": cls}


def watch(group: click.Group, name: str, made: click.Command) -> None:
    """Raise ValueError when *name* is asked for, should a lazy group then answer with another."""
    if type(group).get_command is click.Group.get_command:
        return
    answer = group.get_command

    def get_command(ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = answer(ctx, cmd_name)
        if cmd_name == name and found is not made and group.commands.get(name) is made:
            raise ValueError(_taken(group, name))
        return found

    group.get_command = get_command  # type: ignore[method-assign]


def _taken(group: click.Group, name: str) -> str:
    return f"the group {group.name!r} already has a command {name!r}"


def check_free(group: click.Group, name: str) -> None:
    """Raise TypeError above what is no group, ValueError where it has a command *name*."""
    check_group(group)
    if answers_to(group, name):
        raise ValueError(_taken(group, name))


def check_group(group: object) -> None:
    """Raise TypeError above anything that is no `click.Group`, saying what it is."""
    _check_kind(group, click.Group, "attach_* decorates a click.Group")


def check_host(context: object) -> None:
    """Raise TypeError where *context* is of another library than Click, which runs us."""
    _check_kind(context, click.Context, "the auth commands run below a click.Context")


def _check_kind(thing: object, kind: type, wanted: str) -> None:
    if isinstance(thing, kind):
        return
    got = f"{type(thing).__module__}.{type(thing).__qualname__}"
    if any("typer" in base.__module__ for base in type(thing).__mro__):
        got += "; Typer brings a copy of Click of its own: use click_auth.typer.mount(app, auth)"
    raise TypeError(f"{wanted}, not {got}")


def answers_to(group: click.Group, name: str) -> bool:
    """Whether *group* is known to have a command *name* already; loads and runs nothing of it.

    A lazy group is asked where its `list_commands` names nothing but what the group holds. Of
    any other, `watch` finds out when the command is asked for.
    """
    if name in group.commands:
        return True
    return _lists_what_it_holds(group) and name in group.list_commands(
        click.Context(group, info_name=group.name)
    )


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
