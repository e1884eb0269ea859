"""Which account is meant: the one place that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.console.text import printable
from click_auth.errors import NO_ACCOUNT_SELECTED, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click_auth.account import Account


def select(
    accounts: Iterable[Account],
    ref: str | None,
    *,
    default: str | None = None,
    instance: str | None = None,
) -> Account | None:
    """Return the account that *ref* means; without a *ref* the default one, else the only one.

    An exact key wins; then ids; then labels, case-folded. *instance* leaves only its accounts.
    Returns None when there is no account at all and none was named. Raises `UsageError`:
    ACCOUNT_NOT_FOUND when *ref* matches none, NO_ACCOUNT_SELECTED when it matches several or
    when there are several and none was named.
    """
    among = [each for each in accounts if instance is None or each.instance == instance]
    if ref is None:
        return _unnamed(among, default)
    found = matching(among, ref)
    if not found:
        raise UsageError(f"There is no account {printable(ref, 80)!r} here.", hints=[_known(among)])
    if len(found) > 1:
        message = f"{printable(ref, 80)!r} means several accounts."
        raise UsageError(message, code=NO_ACCOUNT_SELECTED, hints=[_known(found)])
    return found[0]


def _unnamed(among: list[Account], default: str | None) -> Account | None:
    for account in among:
        if account.key == default:
            return account
    if len(among) > 1:
        message = "There are several accounts and none of them is the default."
        hints = [_known(among), "`account use` makes one of them the default."]
        raise UsageError(message, code=NO_ACCOUNT_SELECTED, hints=hints)
    return among[0] if among else None


def matching(among: Iterable[Account], ref: str) -> list[Account]:
    """Return every account that *ref* may mean."""
    among, label = list(among), ref.casefold()
    return (
        [each for each in among if each.key == ref]
        or [each for each in among if each.id == ref]
        or [each for each in among if each.label is not None and each.label.casefold() == label]
    )


def _known(among: list[Account]) -> str:
    if not among:
        return "Nobody is logged in."
    shown = ", ".join(printable(each.key, 60) for each in among[:5])
    return f"Name one with --user: {shown}{', …' if len(among) > 5 else '.'}"  # noqa: PLR2004
