"""The decorators that attach our commands to a group; a command is made when it is asked for."""

from __future__ import annotations

import functools
from collections import UserDict
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from click_auth.commands import (  # noqa: F401 - so that PyInstaller and its like find them
        accounts,
        doctor,
        git_credential,
        login,
        logout,
        refresh,
        run,
        status,
        token,
    )
    from click_auth.login.results import LoginContext
    from click_auth.logout import LogoutContext
    from click_auth.operations import Operations
    from click_auth.status import StatusContext

    Body = Callable[..., Any]
    Make = Callable[[], click.Command]
    Kind = type[click.Command] | None
    Params = Sequence[click.Parameter]

G = TypeVar("G", bound=click.Group)


def attach_login(
    auth: Operations,
    name: str = "login",
    *,
    cls: Kind = None,
    params: Params = (),
    on_login: Callable[[LoginContext], object] | None = None,
    render_text: Callable[[LoginContext], str | None] | None = None,
    render_json: Callable[[LoginContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `login` to a group.

    *on_login* sees who logged in before anything is stored, and may raise to refuse.
    *render_text* and *render_json* replace what is printed. *cls*, *params* and *attrs* are
    those of `click.command`. Raises TypeError above what is no `click.Group`, and ValueError
    where the group has the name already.
    """
    hooks = {"on_login": on_login, "render_text": render_text, "render_json": render_json}

    def decorate(group: G) -> G:
        _attach(auth, "login", name, hooks, cls=cls, params=params, **attrs)(group)
        auth.invocation.attach_login(group, name)
        return group

    return decorate


def attach_logout(
    auth: Operations,
    name: str = "logout",
    *,
    cls: Kind = None,
    params: Params = (),
    on_logout: Callable[[LogoutContext], object] | None = None,
    render_text: Callable[[LogoutContext], str | None] | None = None,
    render_json: Callable[[LogoutContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `logout` to a group.

    *on_logout* is called when all is removed. The rest is as for `attach_login`.
    """
    hooks = {"on_logout": on_logout, "render_text": render_text, "render_json": render_json}
    return _attach(auth, "logout", name, hooks, cls=cls, params=params, **attrs)


def attach_status(
    auth: Operations,
    name: str = "status",
    *,
    cls: Kind = None,
    params: Params = (),
    fetch_live: Callable[[StatusContext], Mapping[str, Any]] | None = None,
    render_text: Callable[[StatusContext], str | None] | None = None,
    render_json: Callable[[StatusContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `status` to a group.

    *fetch_live* asks the service for more, with the bundle in effect; it is not called offline
    or where there is no usable token. The rest is as for `attach_login`.
    """
    hooks = {"fetch_live": fetch_live, "render_text": render_text, "render_json": render_json}
    return _attach(auth, "status", name, hooks, cls=cls, params=params, **attrs)


def attach_token(
    auth: Operations, name: str = "token", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `token` to a group. The arguments are as for `attach_login`."""
    return _attach(auth, "token", name, {}, cls=cls, params=params, **attrs)


def attach_refresh(
    auth: Operations, name: str = "refresh", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `refresh` to a group. Arguments are as for `attach_login`."""
    return _attach(auth, "refresh", name, {}, cls=cls, params=params, **attrs)


def attach_doctor(
    auth: Operations, name: str = "doctor", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `doctor` to a group. The arguments are as for `attach_login`."""
    return _attach(auth, "doctor", name, {}, cls=cls, params=params, **attrs)


def attach_accounts(
    auth: Operations,
    name: str = "account",
    *,
    cls: type[click.Group] | None = None,
    params: Params = (),
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds a group with `list`, `use`, `current` and `remove` to a group.

    The arguments are as for `attach_login`, and go to the group that is added.
    """

    def make(group: click.Group) -> click.Group:
        def account(**_: Any) -> None:
            """List, switch and remove accounts."""

        made = group.group(name, params=list(params), **_kind(cls), **attrs)(account)
        for each, (body, own) in _load("accounts").build(auth).items():
            _add(made, each, functools.partial(_make, auth=auth, name=each, body=body, own=own))
        return made

    return functools.partial(_add, name=name, make=make)


def attach_run(
    auth: Operations, name: str = "run", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `run` to a group. The arguments are as for `attach_login`.

    `run -- CMD ...` becomes CMD, with the access token in `<APP>_TOKEN`, or in the variable that
    `--env` names: exit code, signals, terminal and open files are CMD's own.
    """
    attrs.setdefault("context_settings", {"allow_interspersed_args": False})
    return _attach(auth, "run", name, {}, cls=cls, params=params, **attrs)


def attach_git_credential(
    auth: Operations,
    name: str = "git-credential",
    *,
    hosts: Iterable[str] = (),
    username: str = "oauth2",
    cls: Kind = None,
    params: Params = (),
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds a credential helper for git to a group (gitcredentials(7)).

    It answers `get` for the hosts of `api_url` and *hosts*, names or origins, over https and for
    no other; git gets the access token as the password of *username*, or of whom it asks for.
    `erase` of a token that git was refused lets the next `get` bring another one; `store` does
    nothing. In git's configuration: `credential.helper = !todo auth git-credential`. The other
    arguments are as for `attach_login`.
    """
    hooks = {"hosts": tuple(hosts), "username": username}
    attrs.setdefault("hidden", True)
    return _attach(auth, "git_credential", name, hooks, cls=cls, params=params, **attrs)


def attach_all(auth: Operations) -> Callable[[G], G]:
    """Return a decorator that adds every standard command whose name is still free."""

    def decorate(group: G) -> G:
        for name, attach in _STANDARD.items():
            if not _answers_to(group, name):
                attach(auth)(group)
        return group

    return decorate


_STANDARD: dict[str, Callable[[Operations], Callable[[click.Group], click.Group]]] = {
    "login": attach_login,
    "logout": attach_logout,
    "status": attach_status,
    "token": attach_token,
    "refresh": attach_refresh,
    "account": attach_accounts,
    "doctor": attach_doctor,
}


def standard_group(auth: Operations, name: str | None, **attrs: Any) -> click.Group:
    """Return a group with every standard command. *attrs* are those of `click.group`.

    It raises TypeError as soon as another library than Click runs it.
    """
    attrs.setdefault("help", "Log in and out.")
    cls: type[click.Group] = attrs.pop("cls", None) or click.Group
    group = cls(name, **attrs)
    make_context = group.make_context

    def checked(info_name: Any, args: Any, parent: Any = None, **extra: Any) -> click.Context:
        if parent is not None:
            _check_host(parent)
        return make_context(info_name, args, parent, **extra)

    group.make_context = checked  # type: ignore[method-assign]
    return attach_all(auth)(group)


def _attach(
    auth: Operations,
    command: str,
    name: str,
    hooks: Mapping[str, Any],
    *,
    cls: Kind,
    params: Params,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds a *command* of ours to a group, as *name*."""

    def make(group: click.Group) -> click.Command:
        body, own = _load(command).build(auth, **hooks)
        return _make(group, auth, name, body, own, params=params, **_kind(cls), **attrs)

    return functools.partial(_add, name=name, make=make)


def _load(name: str) -> Any:
    """Return a module of this folder, which nobody needs before it is used."""
    return import_module(f"click_auth.commands.{name}")


def _kind(cls: Kind) -> dict[str, Any]:
    """Return the argument that asks a group for a *cls*, none where the group is to choose."""
    return {} if cls is None else {"cls": cls}


def _make(
    group: click.Group,
    auth: Operations,
    name: str,
    body: Body,
    own: Params,
    *,
    params: Params = (),
    **attrs: Any,
) -> click.Command:
    """Return a command, made by the group itself.

    *body* is called as `body(output, **options)`, those that are its *own*; what comes of *params*,
    the application's, is for their callbacks. Its docstring is the help.
    """
    names = {each.name for each in own}

    @functools.wraps(body)
    def callback(*, as_json: bool, as_ndjson: bool, **options: Any) -> Any:
        from click_auth.commands.output import command_console  # noqa: PLC0415 - when it runs

        _check_host(click.get_current_context().find_root())
        with command_console(auth, as_json=as_json, as_ndjson=as_ndjson) as output:
            return body(output, **{key: options[key] for key in options.keys() & names})

    json = click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object.")
    ndjson = click.Option(
        ["--ndjson", "as_ndjson"], is_flag=True, help="Print newline-delimited JSON."
    )
    every = [*own, *params, json, ndjson]
    made: click.Command = group.command(name, params=every, **attrs)(callback)
    return made


def _add(group: G, name: str, make: Callable[[click.Group], click.Command]) -> G:
    """Add the command that *make* makes; to a group of Click's own class when it is asked for.

    Raises TypeError above what is no group, ValueError where it has a command *name*.
    """
    if _answers_to(group, name):
        raise _load("groups").name_error(group, name)
    if type(group) is click.Group:
        held = group.commands
        commands: Any = held if isinstance(held, _Commands) else _Commands(held)
        commands.data[name] = functools.partial(make, group)
        group.commands = commands
    else:
        _load("groups").watch(group, name, make(group))
    return group


def _answers_to(group: click.Group, name: str) -> bool:
    if type(group) is click.Group:
        return name in group.commands
    return bool(_load("groups").answers_to(group, name))


def _check_host(context: object) -> None:
    """Raise TypeError where *context* is of another library than Click, which runs us."""
    if not isinstance(context, click.Context):
        raise _load("groups").kind_error(context, "the auth commands run below a click.Context")


class _Commands(UserDict[str, click.Command]):
    """The commands of a group, some of them yet to be made. A run asks for one, or for none."""

    def __getitem__(self, name: str) -> click.Command:
        found: click.Command | Make = self.data[name]
        if not isinstance(found, click.Command):
            found = self.data[name] = found()
        return found
