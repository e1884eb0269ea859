"""Who is logged in, and how well: from the records alone, or asked at the service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from click_auth import errors
from click_auth.account import Value
from click_auth.credentials import Credential, find_credential
from click_auth.errors import AuthError, LoginFailed, NotLoggedIn, StorageUnavailable, Unreachable
from click_auth.record import Record, TokenBundle, from_posix, rfc3339, to_posix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from click_auth.account import Account
    from click_auth.context import Context

NOBODYS = ("client_credentials", "workload")
"""Sources of tokens that belong to no account: no service can say whose they are."""

State = Literal["ok", "none", "expired", "invalid", "unreachable", "locked"]


@dataclass(frozen=True, eq=False, repr=False)
class Status(Value):
    """Who is logged in and how well. `reason` is a sentence for a person, or None.

    `source` is where the token comes from: "env", "system", "encrypted", "plaintext",
    "client_credentials", "workload", "custom", or None. `refreshable` says whether there is a
    refresh token that may still work.
    """

    state: State
    account: Account | None
    default: bool = False
    source: str | None = None
    expires_at: datetime | None = None
    refreshable: bool = False
    scopes: tuple[str, ...] | None = None
    reason: str | None = None

    @property
    def exit_code(self) -> int:
        """What the `status` command exits with."""
        codes: dict[State, int] = {"ok": 0, "unreachable": 5, "locked": 6}
        return codes.get(self.state, NotLoggedIn.exit_code)

    def to_json(self) -> dict[str, Any]:
        """Return the object of `status --json`."""
        return {
            "state": self.state,
            "account": None if self.account is None else self.account.to_json(),
            "default": self.default,
            "source": self.source,
            "expires_at": rfc3339(to_posix(self.expires_at)),
            "refreshable": self.refreshable,
            "scopes": None if self.scopes is None else list(self.scopes),
        }


@dataclass(frozen=True, eq=False, repr=False)
class StatusContext(Value):
    """What `fetch_live` and the renderers of `status` receive.

    `bundle` holds the token in effect (None offline or logged out); `live` is what `fetch_live`
    returned.
    """

    status: Status
    bundle: TokenBundle | None = field(default=None, repr=False)
    live: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `status --json` prints: the status and, where there is one, `live`."""
        live = {} if self.live is None else {"live": dict(self.live)}
        return {**self.status.to_json(), **live}


def look(
    context: Context, user: str | None = None, instance: str | None = None, *, offline: bool = False
) -> StatusContext:
    """Return the status of the credential that applies, and unless *offline* its token.

    Offline it reads the record file and no secret. Raises `UsageError` where *user* means no
    account or several, `StorageUnavailable` where the record file cannot be read.
    """
    try:
        credential = find_credential(context, user, instance)
    except NotLoggedIn as error:
        return StatusContext(Status("none", None, reason=error.format_message()))
    status = _recorded(context, credential)
    return StatusContext(status) if offline or status.state != "ok" else _asked(context, credential)


def look_at_all(context: Context, *, offline: bool = False) -> list[StatusContext]:
    """Return the status of every stored account."""
    return [look(context, each.key, offline=offline) for each in context.store.listing()[0]]


def _recorded(context: Context, credential: Credential) -> Status:
    """Return the status as far as it is known without a question to anybody."""
    record = credential.record
    if record is None:
        return Status("ok", None, source=credential.source)
    return judge_record(context, record, is_default=context.store.default() == record.key)


def judge_record(context: Context, record: Record, *, is_default: bool) -> Status:
    """Return the status of an account as far as its *record* knows it. No I/O."""
    now, ends_at, reason = context.clock(), record.refresh_token_expires_at, None
    is_valid = record.is_fresh(now=now, min_ttl=0.0)
    is_refreshable = record.has_refresh_token is not False
    if is_refreshable and ends_at is not None and ends_at <= now:
        is_refreshable, reason = False, "The session has ended: its refresh token has expired."
    try:
        record.check_usable(context.services.provider(record.instance).binding)
    except AuthError as refusal:
        is_valid, is_refreshable, reason = False, False, refusal.message
    return Status(
        "ok" if is_valid or is_refreshable else "expired",
        record.account,
        default=is_default,
        source=record.storage,
        expires_at=from_posix(record.access_token_expires_at),
        refreshable=is_refreshable,
        scopes=record.scopes,
        reason=reason,
    )


def _asked(context: Context, credential: Credential) -> StatusContext:
    """Renew the token if it must be, and show it to the service."""
    from click_auth.api_client import identify_account  # noqa: PLC0415 - HTTP, when online

    bundle: TokenBundle | None = None
    state: State = "ok"
    reason: str | None = None
    try:
        bundle = credential.bundle()
        if credential.source not in NOBODYS:  # it is nobody whom a service knows
            identify_account(context, credential)
            bundle = credential.bundle()  # another one where a 401 led to a refresh
    except AuthError as error:
        state = _state_after(error)
        way_out = credential.way_out if state == "invalid" else ()
        reason = " ".join((error.message, *way_out))
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
    if isinstance(error, Unreachable) or error.code == errors.BAD_SETTING:
        return "unreachable"
    if isinstance(error, LoginFailed) or error.code == errors.NOT_AUTHENTICATED:
        return "invalid"
    return "expired"
