"""How the commands come to hang on a Typer application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import typer
from typer.core import TyperGroup

from click_auth.commands.attach import standard_group
from click_auth.typer.native import LazyGroup, Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click_auth.operations import Operations

_OLDEST = (0, 16)


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

    class Mounted(LazyGroup):
        """Is made before the application's own group, and so finds it as it is to run."""

        sources = (source,) if name else ()

        def __init__(self, **attributes: Any) -> None:
            _check(app, names, [name] if name else [])
            _host(app)
            super().__init__(**attributes)

    _check(app, names, [])
    root = _host(app)
    _check_free(names, [each for other in root.sources for each in other.commands])
    root.sources += () if name else (source,)
    attrs = {"help": source.help, "no_args_is_help": True, **attrs}
    app.add_typer(typer.Typer(cls=Mounted), name=name, **attrs)


def _check(app: typer.Typer, names: list[str], own: list[str]) -> None:
    """Raise TypeError for an option that Typer ignores, ValueError for a name that is taken."""
    for function in _functions(app):
        if any(each.name == "user" for each in getattr(function, "__click_params__", ())):
            raise TypeError(
                f"Typer ignores @auth.user_option on {function.__name__}(); give it a parameter "
                "`user: Annotated[str | None, click_auth.typer.UserOption(auth)] = None`"
            )
    taken = list(_names(app))
    for name in own:
        taken.remove(name)
    _check_free(names, taken)


def _check_free(names: list[str], taken: list[str]) -> None:
    for name in names:
        if name in taken:
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


def _host(app: typer.Typer) -> type[Root]:
    """Return the class of the application's own group, after having made it one of ours."""
    root = app.info.cls = _hosting(app.info.cls)
    callback = app.registered_callback
    if callback is not None and isinstance(callback.cls, type):  # it goes before the other
        callback.cls = _hosting(callback.cls)
        callback.cls.sources = root.sources
    return root


def _hosting(given: Any) -> type[Root]:
    base = given if isinstance(given, type) else TyperGroup
    return base if issubclass(base, Root) else type(base.__name__, (Root, base), {})
