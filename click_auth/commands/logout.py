"""The `logout` command."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from click_auth.commands.attaching import G, attach
from click_auth.commands.options import account_options, no_revoke_option
from click_auth.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import click

    from click_auth.console.console import Console
    from click_auth.logout import LogoutContext, LogoutResult
    from click_auth.operations import Operations


def attach_logout(
    auth: Operations,
    name: str = "logout",
    *,
    cls: type[click.Command] | None = None,
    params: Sequence[click.Parameter] = (),
    on_logout: Callable[[LogoutContext], object] | None = None,
    render_text: Callable[[LogoutContext], str | None] | None = None,
    render_json: Callable[[LogoutContext], Mapping[str, Any]] | None = None,
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds `logout` to a group.

    *on_logout* is called when all is removed. The rest is as for `attach_login`.
    """

    def logout(output: Console, *, all_accounts: bool, no_revoke: bool, **_: Any) -> None:
        """Log out, here and at the server."""
        from click_auth.logout import LogoutContext  # noqa: PLC0415 - the edge

        result = auth.logout(all=all_accounts, revoke=not no_revoke)
        context = LogoutContext(result)
        if on_logout is not None:
            on_logout(context)
        if render_text is None:
            gone = ", ".join(result.removed)
            output.done(f"Logged out: {gone}." if gone else "Nobody was logged in.")
        text = None if render_text is None else render_text(context)
        as_json = result.to_json if render_json is None else lambda: render_json(context)
        output.result(as_json, text)
        say_who_acts(auth, output, result)

    own = [*account_options(auth, with_all="Log every account out."), no_revoke_option()]
    return attach(auth, name, logout, own, cls=cls, params=params, **attrs)


def say_who_acts(auth: Operations, output: Console, result: LogoutResult) -> None:
    """Say on stderr whose credential commands use from now on, after a logout."""
    from click_auth.credentials import find_record, overriding_variable  # noqa: PLC0415 - the edge

    variable = overriding_variable(auth.context)
    if variable is not None:
        output.warn(f"{variable} is set and still applies.")
    elif result.removed:
        record = None
        with contextlib.suppress(AuthError):  # several and no default, or nothing can be read
            record = find_record(auth.context)
        who = "No account is" if record is None else f"{record.account.title} is the account"
        key = None if record is None else record.key
        output.event("account", f"{who} in use from now on.", account=key)
