"""Click's parameters as Typer shows, completes and declares them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer
import typer.core

from click_auth.commands.options import instance_parameters, user_parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.auth import Auth

_RICH_TAG = re.compile(r"(\\*)(\[[a-z#/@][^\[]*?\])")  # what Rich takes for markup


def UserOption(auth: Auth) -> Any:  # noqa: N802 - named like the class that Typer's users expect
    """Return the option `--user`, for a parameter `Annotated[str | None, ...] = None`.

    Its value holds wherever a method's `user` is None while the command runs.
    """
    return _remembered(user_parameter(auth))


def InstanceOption(auth: Auth) -> Any:  # noqa: N802 - as above
    """Return what makes a parameter `--instance`, as `UserOption` does `--user`.

    Raises ValueError where the application knows one service only.
    """
    parameters = instance_parameters(auth)
    if not parameters:
        raise ValueError(f"{auth.app_name!r} knows one service only: there is no --instance")
    return _remembered(parameters[0])


def _remembered(parameter: click.Parameter) -> Any:
    def remember(value: str | None) -> str | None:
        context = click.get_current_context(silent=True)
        if context is None:
            raise RuntimeError("UserOption needs click_auth.typer.mount(app, auth)")
        # Click's own conversion: a choice is checked, then kept for the running command.
        parameter.process_value(context, value)
        return value

    return typer.Option(*parameter.opts, callback=remember, **_shown(parameter, "rich"))


def declared(parameter: click.Parameter, mode: str | None) -> dict[str, Any]:
    """Return the annotation, and the default if any, with which Typer declares *parameter*.

    Typer shows and completes it; it is Click that parses.
    """
    shown = _shown(parameter, mode)
    if isinstance(parameter, click.Argument):
        kind: Any = list[str] if parameter.nargs != 1 else str
        if parameter.required:
            return {"annotation": Annotated[kind, typer.Argument(**shown)]}
        return {"annotation": Annotated[kind | None, typer.Argument(**shown)], "default": None}
    names = [*parameter.opts]
    if parameter.secondary_opts:
        names = [f"{on}/{off}" for on, off in zip(names, parameter.secondary_opts, strict=False)]
    option = typer.Option(*names, **shown)
    return {"annotation": Annotated[_kind(parameter) | None, option], "default": None}


def _kind(parameter: click.Parameter) -> Any:
    if getattr(parameter, "is_flag", False) or getattr(parameter, "count", False):
        return bool
    return list[str] if getattr(parameter, "multiple", False) else str


def _shown(parameter: click.Parameter, mode: str | None) -> dict[str, Any]:
    context = click.Context(click.Command(None))
    shown: dict[str, Any] = {"show_default": False, "metavar": _metavar(parameter, context)}
    if isinstance(parameter, click.Option):
        shown["hidden"] = parameter.hidden
        record = parameter.get_help_record(context)  # None where it is hidden
        shown["help"] = escaped("" if record is None else record[1], mode)
        if parameter.is_flag or parameter.count:
            return {name: shown[name] for name in ("show_default", "hidden", "help")}
    return {**shown, "autocompletion": _completing(parameter)}


def _metavar(parameter: click.Parameter, context: click.Context) -> str:
    try:
        return parameter.make_metavar(context)
    except TypeError:  # before Click 8.2
        return parameter.make_metavar()  # type: ignore[call-arg]


def escaped(text: str | None, mode: str | None) -> str | None:
    """Return *text* so that Typer in *mode* shows its square brackets."""
    uses_rich = getattr(typer.core, "HAS_RICH", True) and mode == "rich"
    return _RICH_TAG.sub(r"\1\1\\\2", text) if text and uses_rich else text


def _completing(parameter: click.Parameter) -> Callable[[str], list[tuple[str, str]]]:
    def complete(incomplete: str) -> list[tuple[str, str]]:
        context = click.Context(click.Command(None))
        found = parameter.shell_complete(context, incomplete)
        return [(item.value, item.help or "") for item in found if item.type == "plain"]

    return complete
