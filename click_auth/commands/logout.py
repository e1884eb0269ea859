"""The `logout` command."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from click_auth.commands.application import account_options
from click_auth.commands.command import ask_for_account, flag, no_revoke_option, show_outcome
from click_auth.errors import AuthError

if TYPE_CHECKING:
    from click_auth.commands.command import AsJson, AsText, Hook, Parts
    from click_auth.console.console import Console
    from click_auth.logout import LogoutResult
    from click_auth.operations import Operations


def build(auth: Operations, on_logout: Hook, render_text: AsText, render_json: AsJson) -> Parts:
    """Return what `logout` does, and its options."""

    def logout(console: Console, *, all_accounts: bool, no_revoke: bool) -> None:
        """Log out and revoke the session."""
        from click_auth.logout import LogoutContext  # noqa: PLC0415 - not for help

        user, instance = auth.resolve()
        is_open = user is None and auth.context.environment.account is None
        if is_open and not all_accounts:
            user = ask_for_account(auth, console, "Log out of", instance, fewest=2)
        result = auth.logout(user, instance=instance, all=all_accounts, revoke=not no_revoke)
        context = LogoutContext(result)
        if on_logout is not None:
            on_logout(context)
        gone = ", ".join(result.removed)
        sentence = f"Logged out: {gone}." if gone else "You weren't logged in."
        show_outcome(console, context, sentence, render_text, render_json, well=bool(gone))
        say_who_acts(auth, console, result)

    everybody = flag("--all all_accounts", "Log out of all accounts.")
    return logout, [*account_options(auth), everybody, no_revoke_option()]


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
