"""Every standard command at once, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click_auth.auth import Auth

G = TypeVar("G", bound=click.Group)

_STANDARD = {
    "login": "login.attach_login",
    "logout": "logout.attach_logout",
    "status": "status.attach_status",
    "token": "token.attach_token",
    "refresh": "refresh.attach_refresh",
    "account": "accounts.attach_accounts",
    "doctor": "doctor.attach_doctor",
}


def attach_all(auth: Auth) -> Callable[[G], G]:
    """Return a decorator that adds every standard command whose name is still free."""
    from click_auth.commands.attaching import answers_to, check_group  # noqa: PLC0415 - the edge

    def decorate(group: G) -> G:
        check_group(group)
        for name in _STANDARD:
            if not answers_to(group, name):
                _attach(auth, name, group)
        return group

    return decorate


def standard_group(auth: Auth, name: str, **attrs: Any) -> click.Group:
    """Return a group with every standard command. *attrs* are those of `click.group`."""
    attrs.setdefault("help", "Log in and out.")
    cls = attrs.pop("cls", None)
    if cls is not None or "commands" in attrs:
        return attach_all(auth)((cls or click.Group)(name, **attrs))
    commands = _Commands(auth)
    commands.group = click.Group(name, commands=commands, **attrs)
    auth.login_path.attached(commands.group, "login")
    return commands.group


def _attach(auth: Auth, name: str, group: click.Group) -> None:
    module, _, attacher = _STANDARD[name].partition(".")
    getattr(import_module(f"click_auth.commands.{module}"), attacher)(auth, name)(group)


class _Commands(MutableMapping[str, click.Command]):
    """The commands of `group`. A run of a CLI asks for one of them, usually for none."""

    group: click.Group

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._made: dict[str, click.Command] = {}
        self._left = dict.fromkeys(_STANDARD)

    def __getitem__(self, name: str) -> click.Command:
        if name in self._left:
            del self._left[name]
            _attach(self._auth, name, self.group)
        return self._made[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._left.pop(name, None)
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._made, *self._left])

    def __len__(self) -> int:
        return len(self._made) + len(self._left)
