"""A record and the tokens that belong to it, as read or written together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from click_auth.errors import NotLoggedIn

if TYPE_CHECKING:
    from click_auth.errors import StorageUnavailable
    from click_auth.record import Record
    from click_auth.stores.base import TokenStore
    from click_auth.tokens import TokenBundle


class Held(NamedTuple):
    """One account's credential in this process; `unstored` says why it is here only."""

    record: Record
    bundle: TokenBundle
    unstored: StorageUnavailable | None = None


def find_token(store: TokenStore, record: Record) -> str | None:
    """Return the access token of *record*, None where it is gone from its place.

    Raises `StorageUnavailable` where the place cannot be read.
    """
    try:
        return store.access_token(record)
    except NotLoggedIn:
        return None


def find_held(store: TokenStore, record: Record) -> Held | None:
    """Return *record* with its access token, None where that is gone. Raises as `find_token`."""
    token = find_token(store, record)
    return None if token is None else Held(record, record.bundle(token))


def read_held(store: TokenStore, record: Record) -> Held:
    """Return *record* with its access token, and no other secret.

    Raises `NotLoggedIn` where the token is gone from its place, `StorageUnavailable` where the
    place cannot be read.
    """
    token = store.access_token(record)
    if token is None:
        message = f"The credential of {record.account.name} is missing from where it was kept."
        raise NotLoggedIn(message)
    return Held(record, record.bundle(token))
