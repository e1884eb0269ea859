"""A record and the access token that belongs to it, as read or written together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from click_auth.errors import NotLoggedIn

if TYPE_CHECKING:
    from click_auth.record import Record
    from click_auth.stores.account_store import AccountStore
    from click_auth.tokens import TokenBundle


class CachedCredential(NamedTuple):
    """The credential of one account, as it is in this process."""

    record: Record
    bundle: TokenBundle


def read_cached(store: AccountStore, record: Record) -> CachedCredential:
    """Return *record* with its access token, and no other secret.

    Raises `NotLoggedIn` where the token is gone from its place, `StorageUnavailable` where the
    place cannot be read.
    """
    return CachedCredential(record, record.bundle(store.access_token(record)))


def find_cached(store: AccountStore, record: Record) -> CachedCredential | None:
    """Return the same, None where the token is gone."""
    try:
        return read_cached(store, record)
    except NotLoggedIn:
        return None
