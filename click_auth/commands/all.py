"""Every standard command at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from click_auth.commands.accounts import attach_accounts
from click_auth.commands.attaching import answers_to, check_group
from click_auth.commands.doctor import attach_doctor
from click_auth.commands.login import attach_login
from click_auth.commands.logout import attach_logout
from click_auth.commands.refresh import attach_refresh
from click_auth.commands.status import attach_status
from click_auth.commands.token import attach_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.auth import Auth

G = TypeVar("G", bound=click.Group)

_STANDARD: dict[str, Any] = {
    "login": attach_login,
    "logout": attach_logout,
    "status": attach_status,
    "token": attach_token,
    "refresh": attach_refresh,
    "account": attach_accounts,
    "doctor": attach_doctor,
}


def attach_all(auth: Auth) -> Callable[[G], G]:
    """Return a decorator that adds every standard command whose name is still free."""

    def decorate(group: G) -> G:
        check_group(group)
        for name, attach in _STANDARD.items():
            if not answers_to(group, name):
                attach(auth, name)(group)
        return group

    return decorate


def standard_group(auth: Auth, name: str, **attrs: Any) -> click.Group:
    """Return a group with every standard command. *attrs* are those of `click.group`."""
    attrs.setdefault("help", "Log in and out.")
    cls = attrs.pop("cls", None) or click.Group
    return attach_all(auth)(cls(name, **attrs))
