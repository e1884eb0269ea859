"""The commands on a Typer application: Typer's commands, groups and contexts over those of Click.

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

from click_auth.commands.attach import standard_group
from click_auth.errors import AuthError
from click_auth.typer.options import declared, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from click_auth.operations import Operations

_OLDEST = (0, 16)
_HAS_OWN_CLICK = not issubclass(TyperCommand, click.Command)


def mount(
    app: typer.Typer,
    auth: Operations,
    name: str | None = "auth",
    *,
    group: click.Group | None = None,
    **attrs: Any,
) -> None:
    """Put the `auth` commands on a Typer application; with *name* None, on the application itself.

    *group* stands in for `auth.group()`, where its commands have hooks or options of your own.
    *attrs* are those of `Typer.add_typer`. From now on errors of the application's own commands
    end as they do in Click, and an application of one command becomes one of two. Makes no
    command yet. Raises TypeError for what is no Typer application and for `@auth.user_option` on
    a command of one, ValueError for a name that is taken, RuntimeError for Typer before 0.16;
    the first two also when the application runs, for what was added in the meantime.
    """
    given: object = app
    if not isinstance(given, typer.Typer):
        got = f"{type(given).__module__}.{type(given).__qualname__}"
        raise TypeError(f"mount takes a typer.Typer, not {got}; a click.Group takes auth.group()")
    if tuple(map(int, typer.__version__.split(".")[:2])) < _OLDEST:
        raise RuntimeError(f"click_auth.typer needs Typer 0.16 or later, not {typer.__version__}")
    source = group or standard_group(auth, name)
    names = [name] if name else source.list_commands(click.Context(source))

    class Mounted(_LazyGroup):
        """Is made before the application's own group, and so finds it as it is to run."""

        sources = (source,) if name else ()

        def __init__(self, **attributes: Any) -> None:
            _check(app, names, is_mounted=True)
            super().__init__(**attributes)

    _check(app, names, is_mounted=False)
    _host(app).sources += () if name else (source,)
    attrs = {"help": source.help, "no_args_is_help": True, **attrs}
    app.add_typer(typer.Typer(cls=Mounted), name=name, **attrs)


def _check(app: typer.Typer, names: list[str], *, is_mounted: bool) -> None:
    """Raise TypeError for an option that Typer ignores, ValueError for a name that is taken."""
    for function in _functions(app):
        if any(each.name == "user" for each in getattr(function, "__click_params__", ())):
            raise TypeError(
                f"Typer ignores @auth.user_option on {function.__name__}(); give it a parameter "
                "`user: Annotated[str | None, click_auth.typer.UserOption(auth)] = None`"
            )
    taken = list(_names(app))
    for name in names:
        if taken.count(name) > is_mounted:  # it stands there once, where it is the mount's own
            raise ValueError(f"the application already has a command {name!r}")


def _functions(app: typer.Typer) -> Iterator[Callable[..., Any]]:
    infos: list[Any] = [*app.registered_commands, app.registered_callback]
    yield from (info.callback for info in infos if info is not None and info.callback is not None)
    for below in app.registered_groups:
        if below.typer_instance is not None:
            yield from _functions(below.typer_instance)


def _names(app: typer.Typer) -> Iterator[str]:
    for command in app.registered_commands:
        function: Any = command.callback
        yield command.name or function.__name__.lower().replace("_", "-")
    for group in app.registered_groups:
        below: Any = group.typer_instance
        known: tuple[Any, ...] = (group, below.registered_callback, below.info)  # first the first
        named = (each.name for each in known if each is not None and isinstance(each.name, str))
        yield next(named, "")
    for source in _host(app).sources:
        yield from source.list_commands(click.Context(source))


def _host(app: typer.Typer) -> type[_Root]:
    """Return the class of the application's own group, after having made it one of ours."""
    root = app.info.cls = _hosting(app.info.cls)
    callback = app.registered_callback
    if callback is not None and isinstance(callback.cls, type):  # it goes before the other
        callback.cls = _hosting(callback.cls)
        callback.cls.sources = root.sources
    return root


def _hosting(given: Any) -> type[_Root]:
    base = given if isinstance(given, type) else TyperGroup
    return base if issubclass(base, _Root) else type(base.__name__, (_Root, base), {})


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


class _LazyGroup(TyperGroup):
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


class _Root(_LazyGroup):
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
        kind = type(name, (_LazyGroup,), {"sources": (source,)})
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
