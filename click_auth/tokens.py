"""What a grant yields, and when it is still good. Pure: the clock is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator


class Unpickled:
    """What holds secrets: pickle would show them to whoever reads the file or the queue."""

    def __reduce__(self) -> NoReturn:
        message = f"a {type(self).__name__} holds secrets and can't be pickled"
        raise TypeError(message)


class Hidden(Mapping[str, Any], Unpickled):
    """A mapping of which a traceback that prints the variables of its frames shows nothing."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Rejected(Unpickled):
    """An access token that a server rejected (401): equal to its text, which is not shown."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __eq__(self, other: object) -> bool:
        return other == self._token

    def __hash__(self) -> int:
        return hash(self._token)


@dataclass(frozen=True)
class TokenBundle(Unpickled):
    """The tokens of one grant. Never shown: no token is in its `repr`, and it is not pickled.

    `expires_at` and `refresh_expires_at` are aware UTC datetimes, or None when the server did
    not say. `scopes` is None when nobody said. `id_token` and `extra` (the response's other
    fields) reach hooks and `identify`, and are not stored.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    id_token: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)


def carried_forward(old: TokenBundle, fresh: TokenBundle) -> TokenBundle:
    """Return *fresh* with what of *old* the response does not replace (RFC 6749 section 6)."""
    if fresh.refresh_token is None:
        expiry = old.refresh_expires_at
        fresh = replace(fresh, refresh_token=old.refresh_token, refresh_expires_at=expiry)
    return fresh if fresh.scopes is not None else replace(fresh, scopes=old.scopes)


def usable(secret: object) -> str | None:
    """Return *secret* if a request can carry it (RFC 6749 appendix A.12), None of any other."""
    if not isinstance(secret, str) or not (secret.isascii() and secret.isprintable()):
        return None
    return secret if secret and secret == secret.strip() else None


def to_posix(moment: datetime | None) -> float | None:
    """Return *moment* as POSIX seconds."""
    return None if moment is None else moment.timestamp()


def from_posix(seconds: float | None) -> datetime | None:
    """Return POSIX *seconds* as an aware UTC datetime, or None where no calendar reaches."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def local_time(moment: datetime) -> str:
    """Return *moment* for a person: in this machine's zone, which is named, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %z")


def rfc3339(seconds: float | None) -> str | None:
    """Return POSIX *seconds* as an RFC 3339 text in UTC, to the second."""
    moment = from_posix(seconds)
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
