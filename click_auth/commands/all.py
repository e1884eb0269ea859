"""Every standard command at once, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import click

import click_auth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click_auth.commands.attaching import G
    from click_auth.operations import Operations

_STANDARD = {
    "login": "attach_login",
    "logout": "attach_logout",
    "status": "attach_status",
    "token": "attach_token",
    "refresh": "attach_refresh",
    "account": "attach_accounts",
    "doctor": "attach_doctor",
}


def attach_all(auth: Operations) -> Callable[[G], G]:
    """Return a decorator that adds every standard command whose name is still free."""
    from click_auth.commands.attaching import answers_to, check_group  # noqa: PLC0415 - the edge

    def decorate(group: G) -> G:
        check_group(group)
        for name in _STANDARD:
            if not answers_to(group, name):
                _attach(auth, name, group)
        return group

    return decorate


def standard_group(auth: Operations, name: str | None, **attrs: Any) -> click.Group:
    """Return a group with every standard command. *attrs* are those of `click.group`."""
    attrs.setdefault("help", "Log in and out.")
    cls = attrs.pop("cls", None)
    group: click.Group = (cls or click.Group)(name, **attrs)
    _refuse_other_hosts(group)
    if cls is not None or "commands" in attrs:
        return attach_all(auth)(group)
    # Not among *attrs*: a group may look at each command that it is made with.
    group.commands = _Commands(auth, group)
    auth.invocation.attach_login(group, "login")
    return group


def _refuse_other_hosts(group: click.Group) -> None:
    """Raise TypeError as soon as another library than Click runs *group*."""
    make_context = group.make_context

    def checked(info_name: Any, args: Any, parent: Any = None, **extra: Any) -> click.Context:
        from click_auth.commands.attaching import check_host  # noqa: PLC0415 - the edge

        if parent is not None:
            check_host(parent)
        return make_context(info_name, args, parent, **extra)

    group.make_context = checked  # type: ignore[method-assign]


def _attach(auth: Operations, name: str, group: click.Group) -> None:
    getattr(click_auth, _STANDARD[name])(auth, name)(group)


class _Commands(MutableMapping[str, click.Command]):
    """The commands of a group. A run of a CLI asks for one of them, usually for none."""

    def __init__(self, auth: Operations, group: click.Group) -> None:
        self._auth = auth
        self._group = group
        self._made: dict[str, click.Command | None] = dict.fromkeys(_STANDARD)

    def __getitem__(self, name: str) -> click.Command:
        made = self._made[name]
        if made is not None:
            return made
        del self._made[name]  # so that its attacher finds the name free
        _attach(self._auth, name, self._group)
        return self[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._made))

    def __len__(self) -> int:
        return len(self._made)
