"""The `refresh` command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.commands.application import account_options
from click_auth.record import from_posix, local_time, rfc3339

if TYPE_CHECKING:
    from click_auth.commands.command import Parts
    from click_auth.console.console import Console
    from click_auth.operations import Operations


def build(auth: Operations) -> Parts:
    """Return what `refresh` does, and its options."""

    def refresh(console: Console) -> None:
        """Refresh the stored token now."""
        record = auth.stored_credential().renew(forced=True).record
        expires_at = record.access_token_expires_at
        moment = from_posix(expires_at)
        until = "" if moment is None else f"; it expires at {local_time(moment)}"
        console.done(f"Refreshed the token of {record.account.title}{until}.")
        as_json = {"account": record.account.to_json(), "expires_at": rfc3339(expires_at)}
        console.result(lambda: as_json, None)

    return refresh, account_options(auth)
