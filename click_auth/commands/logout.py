"""The `logout` command."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from click_auth.commands.options import account_options, no_revoke_option
from click_auth.commands.output import ask_for_account
from click_auth.errors import AuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.commands.options import Parts
    from click_auth.console.console import Console
    from click_auth.logout import LogoutContext, LogoutResult
    from click_auth.operations import Operations


def build(
    auth: Operations,
    on_logout: Callable[[LogoutContext], object] | None,
    render_text: Callable[[LogoutContext], str | None] | None,
    render_json: Callable[[LogoutContext], Mapping[str, Any]] | None,
) -> Parts:
    """Return what `logout` does, and its options."""

    def logout(
        console: Console,
        *,
        user: str | None,
        instance: str | None = None,
        all_accounts: bool,
        no_revoke: bool,
    ) -> None:
        """Log out and revoke the session."""
        from click_auth.logout import LogoutContext  # noqa: PLC0415 - not for help

        user, instance = auth.resolve(user, instance)
        is_open = user is None and auth.context.environment.account is None
        if is_open and not all_accounts:
            user = ask_for_account(auth, console, "Log out of", instance, fewest=2)
        result = auth.logout(user, instance=instance, all=all_accounts, revoke=not no_revoke)
        context = LogoutContext(result)
        if on_logout is not None:
            on_logout(context)
        if render_text is None:
            gone = ", ".join(result.removed)
            console.done(
                f"Logged out: {gone}." if gone else "You weren't logged in.", well=bool(gone)
            )
        text = None if render_text is None else render_text(context)
        as_json = result.to_json if render_json is None else lambda: render_json(context)
        console.result(as_json, text)
        say_who_acts(auth, console, result)

    return logout, [*account_options(auth, with_all="Log out of all accounts."), no_revoke_option()]


def say_who_acts(auth: Operations, console: Console, result: LogoutResult) -> None:
    """Say on stderr whose credential commands use from now on, after a logout."""
    variable = auth.overriding_variable()
    if variable is not None:
        console.warn(f"{variable} is still set and is used instead.")
    elif result.removed:
        account = None
        with contextlib.suppress(AuthError):  # several and no default, or nothing can be read
            account = auth.next_account()
        text = "No account is in use." if account is None else f"Account in use: {account.title}."
        console.event("account", text, account=account and account.key)
