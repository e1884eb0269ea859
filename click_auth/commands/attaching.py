"""How a command comes to hang on somebody else's group."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click_auth.auth import Auth

    Body = Callable[..., Any]

G = TypeVar("G", bound=click.Group)

_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object.")
_NDJSON = click.Option(
    ["--ndjson", "as_ndjson"], is_flag=True, help="Print JSON, one object a line."
)


def attach(
    auth: Auth,
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

        with auth.hinting(), speaking_as(auth, as_json=as_json, as_ndjson=as_ndjson) as output:
            return body(output, **options)

    def decorate(group: G) -> G:
        check_free(group, name)
        group.command(name, params=[*own, *params, _JSON, _NDJSON], **made_as(cls), **attrs)(
            callback
        )
        return group

    return decorate


def made_as(cls: type[click.Command] | None) -> dict[str, Any]:
    """Return the argument that asks a group for a *cls*, none where the group is to choose."""
    return {} if cls is None else {"cls": cls}


def check_free(group: click.Group, name: str) -> None:
    """Raise TypeError above what is no group, ValueError where it has a command *name*."""
    check_group(group)
    if answers_to(group, name):
        raise ValueError(f"the group {group.name!r} already has a command {name!r}")


def check_group(group: object) -> None:
    """Raise TypeError above anything that is no `click.Group`, saying what it is."""
    if isinstance(group, click.Group):
        return
    kind = type(group)
    got = f"{kind.__module__}.{kind.__qualname__}"
    if any("typer" in base.__module__ for base in kind.__mro__):
        got += "; Typer brings a copy of Click of its own, so its groups are no click.Group"
    raise TypeError(f"attach_* decorates a click.Group, not {got}")


def answers_to(group: click.Group, name: str) -> bool:
    """Whether *group* has a command *name* already, a lazy one included; loads none."""
    if name in group.commands:
        return True
    if type(group).list_commands is click.Group.list_commands:
        return False
    return name in group.list_commands(click.Context(group, info_name=group.name))
