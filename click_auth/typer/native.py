"""Typer's commands and groups over those of Click, and the contexts that the library finds there.

A Typer of 0.26 or later has a Click of its own: beside each context of it stands a real one.
"""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any, cast

import click
import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from click_auth.errors import AuthError
from click_auth.typer.options import declared, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HAS_OWN_CLICK = not issubclass(TyperCommand, click.Command)


class _MirroredContext(typer.Context):
    """A context of Typer's with a real one beside it, entered and left with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        above = getattr(self.parent, "mirror", None)
        name = self.command_path if above is None else self.info_name
        command: Any = self.command  # no Command of Click's, and only looked at
        names = self.help_option_names
        self.mirror: Any = click.Context(command, above, name, self.obj, help_option_names=names)
        self.mirror.params = self.params

    def __enter__(self) -> Any:
        self.mirror.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> Any:  # noqa: PYI036 - handed on
        swallowed = super().__exit__(*error)
        return self.mirror.__exit__(*error) or swallowed


_Context: Any = _MirroredContext if _HAS_OWN_CLICK else TyperCommand.context_class


class _UsageError(typer.BadParameter):
    """A usage error of Click's, as Typer knows and draws it."""

    def format_message(self) -> str:
        return self.message


class _Command(TyperCommand):
    """Typer's face of `source`, which parses and does the work."""

    context_class = _Context
    source: Any

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # completion, which is Typer's
            return super().parse_args(ctx, args)
        self.source.get_help = lambda _context: ctx.get_help()
        parent = click.get_current_context().parent
        try:
            ctx.params["context"] = self.source.make_context(ctx.info_name, args, parent)
        except click.UsageError as error:
            if isinstance(error, AuthError):
                raise
            raise _UsageError(error.format_message(), ctx=ctx) from None
        return []

    def invoke(self, ctx: Any) -> Any:
        with ctx.params["context"] as context:
            return self.source.invoke(context)


class LazyGroup(TyperGroup):
    """A group of Typer's that has the commands of `sources` too, each made when asked for."""

    context_class = _Context
    sources: tuple[click.Group, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all, those of the sources last."""
        self._learn_names()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, made now if it is one of a source's."""
        if super().get_command(ctx, cmd_name) is None:
            self._learn_names()
            for source in self.sources:
                found = source.get_command(click.Context(source), cmd_name)
                if found is not None:
                    self.commands[cmd_name] = _native(found, cmd_name, self.rich_markup_mode)
        return super().get_command(ctx, cmd_name)

    def _learn_names(self) -> None:
        for source in self.sources:
            for name in source.list_commands(click.Context(source)):
                self.commands.setdefault(name, cast(Any, None))


class Root(LazyGroup):
    """The application's own group: ends Click's errors, which Typer may not know, as Click does."""

    _standalone = True

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        _mirror_contexts(self.commands.values())

    def main(self, *args: Any, **settings: Any) -> Any:
        """Remember whether errors are to be shown or raised."""
        self._standalone = settings.get("standalone_mode", True)
        return super().main(*args, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Run the application, and end it in Typer's language."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit as ended:
            raise typer.Exit(ended.exit_code) from None
        except click.Abort:
            raise typer.Abort from None
        except click.ClickException as error:
            if not self._standalone or not (_HAS_OWN_CLICK or isinstance(error, AuthError)):
                raise
            error.show()
            raise typer.Exit(error.exit_code) from None


def _mirror_contexts(commands: Iterable[Any]) -> None:
    for command in commands:
        if _HAS_OWN_CLICK:
            command.context_class = _Context
        _mirror_contexts(getattr(command, "commands", {}).values())


def _native(source: click.Command, name: str, mode: Any) -> Any:
    """Return Typer's command, or group, for *source*."""
    app = typer.Typer(add_completion=False, rich_markup_mode=mode)
    shown: dict[str, Any] = {
        **{each: escaped(getattr(source, each), mode) for each in ("help", "short_help", "epilog")},
        "hidden": source.hidden,
        "deprecated": bool(source.deprecated),
    }
    if isinstance(source, click.Group):
        kind = type(name, (LazyGroup,), {"sources": (source,)})
        app.callback(cls=kind, no_args_is_help=True, **shown)(lambda: None)
    else:
        app.command(name, cls=_Command, **shown)(_declaring(source, mode))
    made: Any = get_command(app)
    made.name, made.source = name, copy.copy(source)
    return made


def _declaring(source: click.Command, mode: Any) -> Callable[..., None]:
    """Return a function whose signature declares the parameters of *source*."""

    def function(**_: Any) -> None:
        """Do nothing: the source does it."""

    declaring: Any = function
    keyword = inspect.Parameter.KEYWORD_ONLY
    declaring.__signature__ = inspect.Signature(
        [
            inspect.Parameter(f"p{number}", keyword, **declared(each, mode))
            for number, each in enumerate(source.params)
        ]
    )
    return function
