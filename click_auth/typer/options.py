"""Click's parameters as Typer declares, shows and completes them."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer
import typer.core

from click_auth.commands.application import instance_parameters, user_parameter

if TYPE_CHECKING:
    from click_auth.operations import Operations

_RICH_TAG = re.compile(r"(\\*)(\[[a-z#/@][^\[]*?\])")  # what Rich takes for markup


def UserOption(auth: Operations) -> Any:  # noqa: N802 - named like the class that Typer's users expect
    """Return the option `--user`, for a parameter `Annotated[str | None, ...] = None`.

    Its value holds wherever a method's `user` is None while the command runs.
    """
    return _remembered(user_parameter(auth))


def InstanceOption(auth: Operations) -> Any:  # noqa: N802 - as above
    """Return the option `--instance`, as `UserOption` does `--user`.

    Raises ValueError where the application knows one service only.
    """
    parameters = instance_parameters(auth)
    if not parameters:
        raise ValueError(f"{auth.app_name!r} has only one service, so there is no --instance")
    return _remembered(parameters[0])


def _remembered(parameter: click.Parameter) -> Any:
    def remember(value: str | None) -> str | None:
        context = click.get_current_context(silent=True)
        if context is None:
            raise RuntimeError("UserOption needs click_auth.typer.mount(app, auth)")
        parameter.process_value(context, value)  # Click checks it, then its callback keeps it
        return value

    return typer.Option(*parameter.opts, callback=remember, **_shown(parameter, "rich"))


def declared(parameter: click.Parameter, mode: Any) -> dict[str, Any]:
    """Return the annotation, and the default if any, with which Typer declares *parameter*.

    Typer shows and completes it; it is Click that parses.
    """
    declare: Any = typer.Argument
    if isinstance(parameter, click.Option):
        pairs = zip(parameter.opts, parameter.secondary_opts, strict=False)
        declare = partial(typer.Option, *([f"{on}/{off}" for on, off in pairs] or parameter.opts))
    several = parameter.nargs == -1 or getattr(parameter, "multiple", False)
    kind: Any = bool if _is_flag(parameter) else list[str] if several else str
    made = declare(**_shown(parameter, mode))
    if parameter.required:
        return {"annotation": Annotated[kind, made]}
    return {"annotation": Annotated[kind | None, made], "default": None}


def _is_flag(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)


def _shown(parameter: click.Parameter, mode: Any) -> dict[str, Any]:
    context = click.Context(click.Command(None))
    shown: dict[str, Any] = {"show_default": False}  # Click's text says it
    if isinstance(parameter, click.Option):
        record = parameter.get_help_record(context)  # None where it is hidden
        shown |= {"hidden": parameter.hidden, "help": escaped(record[1] if record else "", mode)}

    def complete(incomplete: str) -> list[tuple[str, str]]:
        found = parameter.shell_complete(context, incomplete)
        return [(item.value, item.help or "") for item in found if item.type == "plain"]

    if not _is_flag(parameter):
        shown |= {"metavar": _metavar(parameter, context), "autocompletion": complete}
    return shown


def _metavar(parameter: click.Parameter, context: click.Context) -> str:
    try:
        return parameter.make_metavar(context)
    except TypeError:  # before Click 8.2
        return parameter.make_metavar()  # type: ignore[call-arg]


def escaped(text: str | None, mode: Any) -> str | None:
    """Return *text* so that Typer in *mode* shows its square brackets."""
    uses_rich = mode == "rich" and getattr(typer.core, "HAS_RICH", True)
    return _RICH_TAG.sub(r"\1\1\\\2", text) if text and uses_rich else text
