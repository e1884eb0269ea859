"""Whether a stored credential may be used: it is this server's and client's, and not known dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import REFRESH_EXPIRED, NotLoggedIn

if TYPE_CHECKING:
    from click_auth.context import Context
    from click_auth.providers.base import Provider
    from click_auth.record import Record


def check_usable(context: Context, record: Record) -> None:
    """Raise `NotLoggedIn` where the credential of *record* must not be shown to anybody. No I/O."""
    check_binding(context.services.provider(record.instance), record)
    if record.is_rejected:
        raise ended(record)


def check_binding(provider: Provider, record: Record) -> None:
    """Raise `NotLoggedIn` where *record* belongs to another server or client than *provider*.

    What is None on either side binds nothing.
    """
    theirs, ours = record, provider.binding
    if None not in (theirs.issuer, ours.issuer) and theirs.issuer != ours.issuer:
        raise NotLoggedIn(f"You are logged in at {theirs.issuer}, not at {ours.issuer}.")
    if None not in (theirs.client_id, ours.client_id) and theirs.client_id != ours.client_id:
        clients = f"as the client {theirs.client_id}, not as {ours.client_id}"
        raise NotLoggedIn(f"You are logged in at {theirs.issuer or ours.issuer} {clients}.")


def ended(record: Record, error: NotLoggedIn | None = None) -> NotLoggedIn:
    """Return the error of a session that the server has ended, with the hints of *error*."""
    message = f"The session of {record.account.name} has ended at the server."
    return NotLoggedIn(message, code=REFRESH_EXPIRED, hints=error.hints if error else ())
