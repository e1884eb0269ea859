"""The decorators that attach our commands to a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.application import answers_to, attacher, only_below_click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from click_auth.commands import (  # noqa: F401 - so that PyInstaller and its like find them
        accounts,
        command,
        decorators,
        doctor,
        git_credential,
        login,
        logout,
        refresh,
        run,
        status,
        token,
    )
    from click_auth.commands.application import Kind, Params
    from click_auth.login.results import LoginContext
    from click_auth.logout import LogoutContext
    from click_auth.operations import Operations
    from click_auth.status import StatusContext

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
    return attacher(auth, "login", name, cls, params, attrs, hooks)


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
    return attacher(auth, "logout", name, cls, params, attrs, hooks)


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
    return attacher(auth, "status", name, cls, params, attrs, hooks)


def attach_token(
    auth: Operations, name: str = "token", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `token` to a group. The arguments are as for `attach_login`."""
    return attacher(auth, "token", name, cls, params, attrs)


def attach_refresh(
    auth: Operations, name: str = "refresh", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `refresh` to a group. Arguments are as for `attach_login`."""
    return attacher(auth, "refresh", name, cls, params, attrs)


def attach_doctor(
    auth: Operations, name: str = "doctor", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `doctor` to a group. The arguments are as for `attach_login`."""
    return attacher(auth, "doctor", name, cls, params, attrs)


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
    return attacher(auth, "accounts", name, cls, params, attrs)


def attach_run(
    auth: Operations, name: str = "run", *, cls: Kind = None, params: Params = (), **attrs: Any
) -> Callable[[G], G]:
    """Return a decorator that adds `run` to a group. The arguments are as for `attach_login`.

    `run -- CMD ...` becomes CMD, with the access token in `<APP>_TOKEN`, or in the variable that
    `--env` names: exit code, signals, terminal and open files are CMD's own.
    """
    attrs.setdefault("context_settings", {"allow_interspersed_args": False})
    return attacher(auth, "run", name, cls, params, attrs)


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
    return attacher(auth, "git_credential", name, cls, params, attrs, hooks)


def attach_all(auth: Operations) -> Callable[[G], G]:
    """Return a decorator that adds every standard command whose name is still free."""

    def decorate(group: G) -> G:
        for name, attach in _STANDARD.items():
            if not answers_to(group, name):
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
    return attach_all(auth)(only_below_click(cls(name, **attrs)))
