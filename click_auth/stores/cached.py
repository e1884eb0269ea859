"""A record and the access token that belongs to it, as read or written together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from click_auth.errors import NotLoggedIn

if TYPE_CHECKING:
    from click_auth.record import Record
    from click_auth.stores.base import TokenStore
    from click_auth.tokens import TokenBundle


class CachedCredential(NamedTuple):
    """The credential of one account, as it is in this process."""

    record: Record
    bundle: TokenBundle


def read_cached(store: TokenStore, record: Record) -> CachedCredential:
    """Return *record* with its access token, and no other secret.

    Raises `NotLoggedIn` where the token is gone from its place, `StorageUnavailable` where the
    place cannot be read.
    """
    token = store.access_token(record)
    if token is None:
        message = f"The credential of {record.account.name} is missing from where it was kept."
        raise NotLoggedIn(message)
    return CachedCredential(record, record.bundle(token))


def find_cached(store: TokenStore, record: Record) -> CachedCredential | None:
    """Return the same, None where the token is gone."""
    try:
        return read_cached(store, record)
    except NotLoggedIn:
        return None
