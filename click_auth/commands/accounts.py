"""The `account` group: list, use, current, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from click_auth.commands.application import account_options, completing_accounts, load
from click_auth.commands.command import ask_for_account, can_ask, no_revoke_option
from click_auth.errors import NO_ACCOUNT_SELECTED, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click_auth.account import StoredAccount
    from click_auth.commands.command import Parts
    from click_auth.console.console import Console
    from click_auth.operations import Operations


def build(auth: Operations) -> Parts:
    """Return the group, what each command of it does, and its options."""

    def account(**_: object) -> None:
        """List, switch and remove accounts."""

    def list_accounts(console: Console) -> None:
        """List stored accounts."""
        _print(console, auth.accounts(), f"No accounts. Run `{auth.invocation.login_line()}`.")

    def use(console: Console, *, ref: str | None) -> None:
        """Set the default account."""
        ref = ref or ask_for_account(auth, console, "Use by default", None)
        if ref is None:
            raise click.MissingParameter(param=required)
        account = auth.use(ref)
        console.done(f"{account.title} is now the default account.")
        console.result(lambda: {"account": account.to_json()}, None)

    def current(console: Console) -> None:
        """Show the account in use."""
        variable = auth.overriding_variable(*auth.resolve())
        if variable is not None:
            message = f"{variable} is set, so the account in use is unknown."
            hint = "Choose a stored account with --user."
            raise UsageError(message, code=NO_ACCOUNT_SELECTED, hints=[hint])
        account = auth.stored_credential().record.account
        console.result(lambda: {"account": account.to_json()}, account.title)

    def remove(console: Console, *, ref: str, no_revoke: bool) -> None:
        """Log out of an account and remove it."""
        result = auth.logout(ref, revoke=not no_revoke)
        console.done(f"Removed {', '.join(result.removed)}.")
        console.result(result.to_json, None)
        load("logout").say_who_acts(auth, console, result)

    required = _account_argument(auth)
    named_or_asked = _account_argument(auth, required=not can_ask())
    return account, {
        "list": (list_accounts, []),
        "use": (use, [named_or_asked]),
        "current": (current, account_options(auth)),
        "remove": (remove, [required, no_revoke_option()]),
    }


def _account_argument(auth: Operations, *, required: bool = True) -> click.Argument:
    """Return the argument REF, completed with the stored accounts.

    Where nobody can be asked it is *required*: the parser's own error is drawn by the framework.
    """
    complete, metavar = completing_accounts(auth), "REF" if required else "[REF]"
    return click.Argument(["ref"], metavar=metavar, required=required, shell_complete=complete)


def _print(console: Console, accounts: Sequence[StoredAccount], nobody: str) -> None:
    """Print the accounts; to a person *nobody* where there is none."""
    rows = [each.to_json() for each in accounts]
    default = next((each.account.key for each in accounts if each.default), None)
    widest = max((len(each.account.title) for each in accounts), default=0)
    text = "\n".join(_line(each, widest) for each in accounts)
    console.result(lambda: {"accounts": rows, "default": default}, text or nobody, rows)


def _line(stored: StoredAccount, widest: int) -> str:
    """Return what `list` prints of an account: the default one is marked."""
    account, mark = stored.account, click.style("*", fg="green") if stored.default else " "
    where = f"  on {account.instance}" if account.instance else ""
    tail = where + ("  (default)" if stored.default else "")
    return f"{mark} {account.title:<{widest}}{tail}".rstrip()
