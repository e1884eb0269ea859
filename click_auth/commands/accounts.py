"""The `account` group: list, use, current, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from click_auth.commands.attaching import G, attach, check_free, made_as, watch
from click_auth.commands.options import account_argument, account_options, no_revoke_option
from click_auth.errors import NO_ACCOUNT_SELECTED, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click_auth.account import Account
    from click_auth.console.console import Console
    from click_auth.operations import Operations


def attach_accounts(
    auth: Operations,
    name: str = "account",
    *,
    cls: type[click.Group] | None = None,
    params: Sequence[click.Parameter] = (),
    **attrs: Any,
) -> Callable[[G], G]:
    """Return a decorator that adds a group with `list`, `use`, `current` and `remove` to a group.

    The arguments are as for `attach_login`, and go to the group that is added.
    """

    def decorate(group: G) -> G:
        check_free(group, name)

        def account() -> None:
            """List, choose and remove accounts."""

        made = group.group(name, params=list(params), **made_as(cls), **attrs)(account)
        watch(group, name, made)
        _fill(auth, made)
        return group

    return decorate


def _fill(auth: Operations, group: click.Group) -> None:
    def list_accounts(output: Console, **_: Any) -> None:
        """List the accounts that are stored."""
        accounts, default = auth.context.store.listing()
        rows = [{"account": each.to_json(), "default": each.key == default} for each in accounts]
        text = "\n".join(_line(each, is_default=each.key == default) for each in accounts)
        nobody = f"No accounts. Run `{auth.invocation.login_line()}`."
        output.result(lambda: {"accounts": rows, "default": default}, text or nobody, rows)

    def use(output: Console, *, ref: str, **_: Any) -> None:
        """Make an account the default one."""
        account = auth.use(ref)
        output.done(f"{account.title} is now the default account.")
        output.result(lambda: {"account": account.to_json()}, None)

    def current(output: Console, **_: Any) -> None:
        """Show which account applies."""
        from click_auth.credentials import overriding_variable, select_stored  # noqa: PLC0415 - the edge

        asked = auth.named()
        variable = overriding_variable(auth.context, *asked)
        if variable is not None:
            message = f"{variable} is set and applies; whose credential it is is not known."
            hint = "Name a stored account with --user."
            raise UsageError(message, code=NO_ACCOUNT_SELECTED, hints=[hint])
        account = select_stored(auth.context, *asked).record.account
        output.result(lambda: {"account": account.to_json()}, account.title)

    def remove(output: Console, *, ref: str, no_revoke: bool, **_: Any) -> None:
        """Log an account out and forget it."""
        from click_auth.commands.logout import say_who_acts  # noqa: PLC0415 - the edge

        result = auth.logout(ref, revoke=not no_revoke)
        output.done(f"Removed {', '.join(result.removed)}.")
        output.result(result.to_json, None)
        say_who_acts(auth, output, result)

    ref = account_argument(auth)
    attach(auth, "list", list_accounts, [])(group)
    attach(auth, "use", use, [ref])(group)
    attach(auth, "current", current, account_options(auth))(group)
    attach(auth, "remove", remove, [ref, no_revoke_option()])(group)


def _line(account: Account, *, is_default: bool) -> str:
    """Return what `list` prints of an account: the default one is marked."""
    mark = click.style("*", fg="green") if is_default else " "
    where = f"  on {account.instance}" if account.instance else ""
    return f"{mark} {account.title}{where}" + ("  (default)" if is_default else "")
