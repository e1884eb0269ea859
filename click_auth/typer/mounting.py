"""How the commands come to hang on a Typer application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import typer
from typer.core import TyperGroup

from click_auth.commands.all import standard_group
from click_auth.typer.hosting import Root
from click_auth.typer.native import LazyGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click_auth.auth import Auth

_OLDEST = (0, 16)


def mount(
    app: typer.Typer,
    auth: Auth,
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
    _check_application(app)

    source = group or standard_group(auth, name)
    names = [name] if name else source.list_commands(click.Context(source))

    class Mounted(LazyGroup):
        """Is made first of all groups, so that it finds the application as it is to run."""

        sources = () if name is None else (source,)

        def __init__(self, **attributes: Any) -> None:
            _check_commands(app)
            _check_free(app, names, mounted)
            _host(app)
            super().__init__(**attributes)

    _check_commands(app)
    _check_free(app, names)
    attrs.setdefault("help", source.help)
    attrs.setdefault("no_args_is_help", True)
    app.add_typer(typer.Typer(cls=Mounted), name=name, **attrs)
    mounted = app.registered_groups[-1]
    _host(app).sources += (source,) if name is None else ()


def _check_application(app: object) -> None:
    if not isinstance(app, typer.Typer):
        kind = type(app)
        got = f"{kind.__module__}.{kind.__qualname__}"
        raise TypeError(f"mount takes a typer.Typer, not {got}; a click.Group takes auth.group()")
    if tuple(int(part) for part in typer.__version__.split(".")[:2]) < _OLDEST:
        raise RuntimeError(f"click_auth.typer needs Typer 0.16 or later, not {typer.__version__}")


def _check_commands(app: typer.Typer) -> None:
    """Raise TypeError where a command has `@auth.user_option`, which Typer overlooks."""
    for function in _functions(app):
        declared = getattr(function, "__click_params__", ())
        if any(parameter.name == "user" for parameter in declared):
            raise TypeError(
                f"Typer overlooks @auth.user_option on {function.__name__}(); give it a parameter "
                "`user: Annotated[str | None, click_auth.typer.UserOption(auth)] = None`"
            )


def _functions(app: typer.Typer) -> Iterator[Callable[..., Any]]:
    infos: list[Any] = [*app.registered_commands, app.registered_callback]
    for info in infos:
        if info is not None and info.callback is not None:
            yield info.callback
    for below in app.registered_groups:
        if below.typer_instance is not None:
            yield from _functions(below.typer_instance)


def _check_free(app: typer.Typer, names: list[str], mounted: Any = None) -> None:
    """Raise ValueError where something of *app* but *mounted* has one of *names*."""
    infos = [*app.registered_commands, *app.registered_groups]
    taken = {_name(info) for info in infos if info is not mounted}
    if mounted is None:
        taken |= {name for source in _host(app).sources for name in source.commands}
    for name in names:
        if name in taken:
            raise ValueError(f"the application already has a command {name!r}")


def _name(info: Any) -> str | None:
    below = getattr(info, "typer_instance", None)
    for each in (info, getattr(below, "registered_callback", None), getattr(below, "info", None)):
        name = getattr(each, "name", None)
        if isinstance(name, str):
            return name
    written = getattr(info.callback, "__name__", None)
    return None if written is None else written.lower().replace("_", "-")


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
