"""From the arguments of `Auth.login` to one `Login`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from click_auth.chosen import stored_record
from click_auth.errors import AuthError
from click_auth.login.flow import Login
from click_auth.providers.request import LoginRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.core import Core
    from click_auth.records import Record
    from click_auth.results import LoginContext, LoginResult


def log_in(
    core: Core,
    instance: str | None,
    storage: str | None,
    on_login: Callable[[LoginContext], object] | None,
    wishes: Mapping[str, Any],
) -> LoginResult:
    """Log in as `Auth.login` says. *wishes* are the fields of a `LoginRequest`."""
    chosen = core.instance(instance)
    request = LoginRequest(instance=chosen, **wishes)
    store = core.store if storage is None or core.settings.store else core.store_with(storage)
    before = _stored_before(core, request)
    if before is not None and request.scopes and before.scopes:
        request = replace(request, granted_scopes=before.scopes)
    return Login(core, request, core.provider(chosen), store, on_login).run()


def _stored_before(core: Core, request: LoginRequest) -> Record | None:
    """Return the account that this login extends, where there is exactly one such."""
    try:
        return stored_record(core, request.user, request.instance)
    except AuthError:
        return None
