"""A credential goes to the server and the client that it was granted to, and to no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.errors import REFRESH_UNAVAILABLE, NotLoggedIn

if TYPE_CHECKING:
    from click_auth.providers.base import Provider
    from click_auth.records import Record


def check_binding(provider: Provider, record: Record) -> None:
    """Raise `NotLoggedIn` where *record* belongs to another server or client than *provider*.

    What is None on either side binds nothing.
    """
    ours = provider.binding
    pairs = ((record.issuer, ours.issuer), (record.client_id, ours.client_id))
    if any(None not in pair and pair[0] != pair[1] for pair in pairs):
        message = (
            f"The credential of {record.account.name} belongs to {record.issuer} (client "
            f"{record.client_id}); this application now uses {ours.issuer} ({ours.client_id})."
        )
        raise NotLoggedIn(message, code=REFRESH_UNAVAILABLE)
