"""Click's commands as Typer's, each made when it is first asked for."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any, cast

import click
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from click_auth.errors import AuthError
from click_auth.typer.contexts import Context
from click_auth.typer.options import declared, escaped

if TYPE_CHECKING:
    from collections.abc import Callable


class UsageError(typer.BadParameter):
    """A usage error of Click's, as Typer knows and draws it."""

    def format_message(self) -> str:
        """Return what Click says."""
        return self.message


class Command(TyperCommand):
    """Typer's face of `source`, which parses and does the work."""

    context_class = Context
    source: click.Command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let Click parse; completion is Typer's."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        source: Any = self.source  # whose help, when it is asked for, is Typer's
        source.get_help = lambda _context: ctx.get_help()
        parent = click.get_current_context().parent
        try:
            ctx.params["context"] = self.source.make_context(ctx.info_name, args, parent)
        except click.UsageError as error:
            if isinstance(error, AuthError):
                raise
            raise UsageError(error.format_message(), ctx=ctx) from None
        return []

    def invoke(self, ctx: Any) -> Any:
        """Run the Click command."""
        with ctx.params["context"] as context:
            return self.source.invoke(context)


class LazyGroup(TyperGroup):
    """A group of Typer's that also has the commands of `sources`."""

    context_class = Context
    sources: tuple[click.Group, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all, those of the sources last."""
        self._learn_names()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, made now if it is one of a source's."""
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        self._learn_names()
        for source in self.sources:
            found = source.get_command(click.Context(source), cmd_name)
            if found is not None:
                self.commands[cmd_name] = native(found, cmd_name, self.rich_markup_mode)
        return super().get_command(ctx, cmd_name)

    def _learn_names(self) -> None:
        for source in self.sources:
            for name in source.list_commands(click.Context(source)):
                self.commands.setdefault(name, cast(Any, None))  # made when it is asked for


def native(source: click.Command, name: str, mode: Any) -> Any:
    """Return Typer's command, or group, for *source*."""
    app = typer.Typer(add_completion=False, rich_markup_mode=mode)
    attributes = attributes_of(source, mode)
    if isinstance(source, click.Group):
        kind = type(name, (LazyGroup,), {"sources": (source,)})
        app.callback(cls=kind, no_args_is_help=True, **attributes)(lambda: None)
    else:
        app.command(name, cls=Command, **attributes)(_declaring(source, mode))
    made: Any = get_command(app)
    made.source = copy.copy(source)
    made.name = name
    return made


def attributes_of(source: click.Command, mode: Any) -> dict[str, Any]:
    """Return what Typer is told of *source*."""
    return {
        "help": escaped(source.help, mode) or "",
        "short_help": escaped(source.short_help, mode),
        "epilog": escaped(source.epilog, mode),
        "hidden": source.hidden,
        "deprecated": bool(source.deprecated),
    }


def _declaring(source: click.Command, mode: Any) -> Callable[..., None]:
    """Return a function whose signature declares the parameters of *source*."""

    def function(**_: Any) -> None: ...

    parameters = [
        inspect.Parameter(
            f"parameter_{number}", inspect.Parameter.KEYWORD_ONLY, **declared(each, mode)
        )
        for number, each in enumerate(source.params)
    ]
    declaring: Any = function
    declaring.__signature__ = inspect.Signature(parameters)
    return function
