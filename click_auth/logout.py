"""Logging out: the record first, then the secrets, then the grant at the server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from click_auth.console import console
from click_auth.credentials import find_record
from click_auth.defaults import REVOCATION_SECONDS
from click_auth.errors import AuthError, NotLoggedIn, StorageUnavailable
from click_auth.interrupts import TimedOut, call_with_timeout
from click_auth.locks.account_lock import lock_at_best

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.context import Context
    from click_auth.record import Record, TokenBundle

LOCK_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class LogoutResult:
    """What a logout removed. `revoked` is None where there was nothing, or no way, to revoke."""

    removed: tuple[str, ...] = ()
    revoked: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `{"ok", "removed", "revoked"}`."""
        return {"ok": True, "removed": list(self.removed), "revoked": self.revoked}


@dataclass(frozen=True)
class LogoutContext:
    """What `on_logout` and the renderers of `logout` receive, after the fact."""

    result: LogoutResult

    def to_json(self) -> dict[str, Any]:
        """Return what `logout --json` prints."""
        return self.result.to_json()


def log_out(
    context: Context, user: str | None = None, instance: str | None = None, *, revoke: bool = True
) -> LogoutResult:
    """Log one account out. Where not logged in, end what an earlier logout had to leave."""
    try:
        record = find_record(context, user, instance)
    except StorageUnavailable as error:
        if user is None:
            raise
        left_behind = context.store.forget(user)  # its record can't be read: it is a key
        if left_behind is not None:
            raise StorageUnavailable(left_behind, code=error.code, hints=error.hints) from None
        return LogoutResult((user,))
    if record is None:
        context.store.sweep()
        return LogoutResult()
    return _remove(context, record.key, revoke=revoke)


def log_out_everybody(context: Context, *, revoke: bool = True) -> LogoutResult:
    """Log out of all accounts."""
    keys = [account.key for account in context.store.listing()[0]]
    results = [_remove(context, key, revoke=revoke) for key in keys]
    results += [_remove_damaged(context, key) for key in context.store.damaged()]
    if not results:
        context.store.sweep()
    answers = [result.revoked for result in results if result.revoked is not None]
    removed = tuple(key for result in results for key in result.removed)
    return LogoutResult(removed, all(answers) if answers else None)


def _remove(context: Context, key: str, *, revoke: bool) -> LogoutResult:
    """Take the account of *key* out, delete its secrets, and revoke its grant."""
    otherwise = "Another process is refreshing the token; logging out anyway."
    with lock_at_best(context.store.lock, key, LOCK_TIMEOUT_SECONDS, otherwise):
        removal = context.store.take_out(key)
        record = removal.record if revoke else None
        bundle = None if record is None else _read_tokens(context, record)
        left_behind = removal.finish()
    if left_behind is not None:
        console.current().warn(left_behind)
    revoked = None if record is None or bundle is None else _revoke(context, record, bundle)
    return LogoutResult((key,), revoked)


def _remove_damaged(context: Context, key: str) -> LogoutResult:
    """Remove an account of which only the key can be read; its grant cannot be revoked."""
    left_behind = context.store.forget(key)
    lost = f"Couldn't revoke {key}'s session: its record is damaged."
    console.current().warn(left_behind or lost)
    return LogoutResult((key,), revoked=False)


def _read_tokens(context: Context, record: Record) -> TokenBundle | None:
    """Return the tokens of *record* that are there, "" for an access token that is not."""
    access_token = _read(context.store.access_token, record)
    refresh_token = _read(context.store.refresh_token, record)
    if access_token or refresh_token:
        return record.bundle(access_token or "", refresh_token)
    console.current().warn("Couldn't revoke the session: there is no token to revoke it with.")
    return None


def _read(read: Callable[[Record], str | None], record: Record) -> str | None:
    try:
        return read(record)
    except NotLoggedIn:
        return None
    except AuthError as error:
        console.current().warn(f"Couldn't revoke a token: {error.message}")
        return None


def _revoke(context: Context, record: Record, bundle: TokenBundle) -> bool | None:
    """End the grant at its own server, best effort (RFC 7009)."""

    def revoke() -> bool | None:
        provider = context.provider(record.instance)
        record.check_binding(provider.discover_binding())
        return provider.revoke(bundle)

    revoked: bool | None = False
    try:
        with suppress(TimedOut):
            revoked = call_with_timeout(revoke, REVOCATION_SECONDS)
    except AuthError as error:
        console.current().warn(f"Couldn't revoke the session: {error.message}")
        return False
    if revoked is False:
        message = "The server did not confirm the revocation; the token may still be valid."
        console.current().warn(message)
    return revoked
