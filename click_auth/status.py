"""Who is logged in, and how well: from the records alone, or asked at the service."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from click_auth.binding import check_usable
from click_auth.credentials import StoredCredential, applying
from click_auth.errors import (
    BAD_SETTING,
    NOT_AUTHENTICATED,
    AuthError,
    LoginFailed,
    NotLoggedIn,
    StorageUnavailable,
    Unreachable,
)
from click_auth.record import is_fresh
from click_auth.standing import State, Status, StatusContext
from click_auth.tokens import from_posix

if TYPE_CHECKING:
    from click_auth.context import Context
    from click_auth.credentials import Credential
    from click_auth.record import Record
    from click_auth.tokens import TokenBundle


def look(
    context: Context, user: str | None = None, instance: str | None = None, *, offline: bool = False
) -> StatusContext:
    """Return the status of the credential that applies, and unless *offline* its token.

    Offline it reads the record file and no secret. Raises `UsageError` where *user* means no
    account or several, `StorageUnavailable` where the record file cannot be read.
    """
    try:
        credential = applying(context, user, instance)
    except NotLoggedIn as error:
        return StatusContext(Status("none", None, reason=error.message))
    status = _recorded(context, credential)
    if offline or status.state != "ok":
        return StatusContext(status)
    return _asked(context, credential)


def look_at_all(context: Context, *, offline: bool = False) -> list[StatusContext]:
    """Return the status of every stored account."""
    return [look(context, each.key, offline=offline) for each in context.store.listing()[0]]


def _recorded(context: Context, credential: Credential) -> Status:
    if not isinstance(credential, StoredCredential):
        return Status("ok", None, source=credential.source)
    record = credential.record
    valid = is_fresh(record, now=context.clock(), min_ttl=0.0)
    refreshable, reason = _refreshable(context, record)
    try:
        check_usable(context, record)
    except AuthError as error:
        valid, refreshable, reason = False, False, error.message
    return Status(
        "ok" if valid or refreshable else "expired",
        record.account,
        default=context.store.default() == record.key,
        source=record.storage,
        expires_at=from_posix(record.access_token_expires_at),
        refreshable=refreshable,
        scopes=record.scopes,
        reason=reason,
    )


def _refreshable(context: Context, record: Record) -> tuple[bool, str | None]:
    """Return whether a refresh may still work, and why not."""
    if record.has_refresh_token is False:
        return False, None
    ends_at = record.refresh_token_expires_at
    if ends_at is not None and ends_at <= context.clock():
        return False, "The session is over: its refresh token has expired."
    return True, None


def _asked(context: Context, credential: Credential) -> StatusContext:
    """Renew the token if it must be, and show it to the service."""
    from click_auth.identify import identified  # noqa: PLC0415 - HTTP, when online

    bundle: TokenBundle | None = None
    state: State = "ok"
    reason: str | None = None
    try:
        bundle = credential.bundle()
        if credential.source != "client_credentials":  # it is nobody whom a service knows
            identified(context, credential, credential.instance)
            bundle = credential.bundle()  # another one where a 401 was answered by a refresh
    except AuthError as error:
        state, reason = _state_after(error), error.message
    status = _recorded(context, credential)
    if bundle is not None:
        status = replace(status, expires_at=bundle.expires_at, scopes=bundle.scopes)
    refreshable = status.refreshable and state != "expired"  # nobody has read its record again
    reason = reason or status.reason
    return StatusContext(
        replace(status, state=state, refreshable=refreshable, reason=reason), bundle
    )


def _state_after(error: AuthError) -> State:
    if isinstance(error, StorageUnavailable):
        return "locked"
    if isinstance(error, Unreachable) or error.code == BAD_SETTING:
        return "unreachable"
    if isinstance(error, LoginFailed) or error.code == NOT_AUTHENTICATED:
        return "invalid"
    return "expired"
