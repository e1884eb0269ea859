"""The accounts that are stored, one line each, from the records alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.binding import check_binding
from click_auth.doctor.subject import document_of, store_of
from click_auth.errors import AuthError
from click_auth.records import CUSTOM, PLAINTEXT, Record
from click_auth.results import Check
from click_auth.tokens import is_fresh, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.core import Core

_MOST_LISTED = 50
_PLACES = {"system": "in the keyring", PLAINTEXT: "in plain text"}
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_SOURCE = "record file"
_LOG_IN = "Log in to it again."


def accounts(core: Core) -> Iterator[Check]:
    """Yield a check for each account."""
    records, default = _records(core)
    if not records:
        yield Check("accounts", "nobody is logged in", _SOURCE)
    for record in records[:_MOST_LISTED]:
        yield _account(core, record, is_default=record.key == default)
    if len(records) > _MOST_LISTED:
        yield Check("accounts", f"and {len(records) - _MOST_LISTED} more", _SOURCE)


def _records(core: Core) -> tuple[list[Record], str | None]:
    document = document_of(core)
    if document is not None:
        return list(document.records.values()), document.default
    identities, default = store_of(core).listing()
    return [Record(each, 0, instance=each.instance, storage=CUSTOM) for each in identities], default


def _account(core: Core, record: Record, *, is_default: bool) -> Check:
    fault, hint = _fault(core, record)
    renewal = "not renewable" if record.has_refresh_token is False else "renews itself"
    facts = [
        fault or "ok",
        _expiry(record, core.clock()),
        "" if fault or record.storage == CUSTOM else renewal,
        _PLACES.get(record.storage, "in the application's own store"),
        "default" if is_default else "",
    ]
    value = f"{record.account.title}: {', '.join(filter(None, facts))}"
    if hint is None and record.storage == PLAINTEXT and _is_downgraded(core):
        hint = "It moves into the keyring when it is next renewed and a keyring can be used."
    return Check("account", value, _SOURCE, "warn" if hint else "ok", hint)


def _fault(core: Core, record: Record) -> tuple[str | None, str | None]:
    """Return what is wrong with an account in a word or two, and the way out."""
    if record.is_rejected:
        return "ended by the server", _LOG_IN
    try:
        check_binding(core.services.provider(record.instance), record)
    except AuthError as error:
        return "bound to another server or client", f"{error.message} {_LOG_IN}"
    now, ends_at = core.clock(), record.refresh_token_expires_at
    is_over = record.has_refresh_token is False or (ends_at is not None and ends_at <= now)
    if is_over and not is_fresh(record, now=now, min_ttl=0.0):
        return "expired", _LOG_IN
    return None, None


def _expiry(record: Record, now: float) -> str:
    expires_at = record.access_token_expires_at
    if expires_at is None:
        return "expiry unknown"
    left = expires_at - now
    size, unit = next((each for each in _UNITS if abs(left) >= each[0]), _UNITS[-1])
    count = int(abs(left) // size)
    span = f"{count} {unit}{'' if count == 1 else 's'}"
    when = f"in {span}" if left > 0 else f"{span} ago"
    return f"token {'expires' if left > 0 else 'expired'} {when} ({rfc3339(expires_at)})"


def _is_downgraded(core: Core) -> bool:
    return getattr(store_of(core), "storage", PLAINTEXT) != PLAINTEXT
