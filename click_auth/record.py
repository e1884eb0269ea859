"""What a grant yields, and what is remembered of it. Pure: the clock is an argument.

`Record` is the light form that the context and the hot path use; `UserRecord` (stores/models.py) is
the schema that bytes from a disk must satisfy before a `Record` is made of them. Both have the same
fields, and a test holds them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from click_auth.account import Account, Value, refresh_slot_name
from click_auth.defaults import DEFAULT_MIN_TTL, Binding
from click_auth.errors import REFRESH_EXPIRED, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


SYSTEM = "system"
PLAINTEXT = "plaintext"
ENCRYPTED = "encrypted"
CUSTOM = "custom"

IN_RECORD = (PLAINTEXT, ENCRYPTED)
"""Where `storage` is one of these the tokens lie in the record itself."""


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


@dataclass(frozen=True, eq=False, repr=False)
class TokenBundle(Value, Unpickled):
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


@dataclass(frozen=True, eq=False, repr=False)
class Record(Value):
    """One account's record. Times are POSIX seconds or None; see design notes in docs/format.md.

    `has_refresh_token` None means unknown: look. `rejected_generation` is the generation whose
    grant the server called dead. `issuer`, `client_id` and, where the issuer
    is known from the API only, its URL `resource` name what the credential is bound to.
    `backend` names the keyring backend that the secrets were written with, where it is known.
    `unknown` are the fields of a later version, kept through every rewrite.
    """

    account: Account
    generation: int = 1
    access_token_expires_at: float | None = None
    refresh_token_expires_at: float | None = None
    access_token_obtained_at: float | None = None
    has_refresh_token: bool | None = None
    rejected_generation: int | None = None
    scopes: tuple[str, ...] | None = None
    issuer: str | None = None
    client_id: str | None = None
    resource: str | None = None
    storage: str = SYSTEM
    backend: str | None = None
    fallback_token: str | None = field(default=None, repr=False)
    fallback_refresh_token: str | None = field(default=None, repr=False)
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """The account's key."""
        return self.account.key

    @property
    def instance(self) -> str | None:
        """The service that the credential is for: the account's, which its slots are named by."""
        return self.account.instance

    @property
    def holds_tokens(self) -> bool:
        """Whether the tokens lie in the record itself, sealed or in plain text."""
        return self.storage in IN_RECORD

    @property
    def is_rejected(self) -> bool:
        """Whether the server has called this very grant dead."""
        return self.rejected_generation == self.generation

    def is_same_credential(self, other: Record | None) -> bool:
        """Return whether *other* is of the very write of the credential that this was read from.

        The generation starts again after a logout, so the moment of the write counts as well.
        """
        return other is not None and (
            (self.generation, self.access_token_obtained_at)
            == (other.generation, other.access_token_obtained_at)
        )

    def is_fresh(self, *, now: float, min_ttl: float) -> bool:
        """Return whether the access token may be used without asking the server.

        It may while more than *min_ttl* seconds are left, and while its expiry is not known: the
        server named none, or the clock stands before the moment it was obtained, so that nothing
        can be reckoned. The default *min_ttl* is capped at half of the token's life, so that a
        short-lived token costs one refresh for each expiry and not one for each call.
        """
        expires_at, obtained_at = self.access_token_expires_at, self.access_token_obtained_at
        if expires_at is None:
            return True
        if obtained_at is not None and now < obtained_at:
            return True
        if min_ttl == DEFAULT_MIN_TTL and obtained_at is not None:
            min_ttl = min(min_ttl, max(expires_at - obtained_at, 0.0) / 2)
        return expires_at - now > min_ttl

    def check_usable(self, binding: Binding) -> None:
        """Raise `NotLoggedIn` where the credential must not be shown to anybody."""
        self.check_binding(binding)
        if self.is_rejected:
            raise self.session_ended()

    def check_binding(self, binding: Binding) -> None:
        """Raise `NotLoggedIn` where this belongs to another issuer or client than *binding*.

        What is None on either side binds nothing; but where an API binds, a login that was bound
        to an issuer only is another one.
        """
        issuer, client_id, resource = binding
        bound_to = self.resource or self.issuer
        if None not in (bound_to, resource) and self.resource != resource:
            raise NotLoggedIn(f"You are logged in at {bound_to}, not at {resource}.")
        if None not in (self.issuer, issuer) and self.issuer != issuer:
            raise NotLoggedIn(f"You are logged in at {self.issuer}, not at {issuer}.")
        if None not in (self.client_id, client_id) and self.client_id != client_id:
            clients = f"as the client {self.client_id}, not as {client_id}"
            raise NotLoggedIn(f"You are logged in at {self.issuer or issuer} {clients}.")

    def session_ended(self, hints: Iterable[str] = ()) -> NotLoggedIn:
        """Return the error of a session that the server has ended."""
        message = f"Your session ({self.account.name}) has expired or was revoked."
        return NotLoggedIn(message, code=REFRESH_EXPIRED, hints=hints)

    def dated(self, bundle: TokenBundle, obtained_at: float | None) -> Record:
        """Return this record with what it is to know of *bundle*, *obtained_at* that moment."""
        return replace(
            self,
            access_token_expires_at=to_posix(bundle.expires_at),
            refresh_token_expires_at=to_posix(bundle.refresh_expires_at),
            access_token_obtained_at=obtained_at,
            has_refresh_token=bundle.refresh_token is not None,
            rejected_generation=None,
            scopes=bundle.scopes,
        )

    def renamed(self, label: str | None) -> Record:
        """Return this record with another label for its account, itself where that is None."""
        return self if label is None else replace(self, account=replace(self.account, label=label))

    def bundle(self, token: str, refresh_token: str | None = None) -> TokenBundle:
        """Return the tokens that belong to this record, with what it knows of them."""
        return TokenBundle(
            token,
            refresh_token,
            from_posix(self.access_token_expires_at),
            from_posix(self.refresh_token_expires_at),
            self.scopes,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as the record file holds it, plaintext tokens included."""
        known = {name: getattr(self, name) for name in FIELDS}
        known["account"] = self.account.to_json()
        if self.resource is None:  # as in most records
            del known["resource"]
        known["scopes"] = None if self.scopes is None else list(self.scopes)
        return {**known, **self.unknown}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Record:
        """Return the record that `to_json` wrote; the fields are already trusted."""
        known = {name: stored[name] for name in _OWN_FIELDS if name in stored}
        known["account"] = Account.from_json(stored["account"])
        if known.get("scopes") is not None:
            known["scopes"] = tuple(known["scopes"])
        unknown = {name: value for name, value in stored.items() if name not in FIELDS}
        return cls(**known, unknown=unknown)


_OWN_FIELDS = tuple(item.name for item in fields(Record) if item.name != "unknown")
FIELDS = (*_OWN_FIELDS, "instance")
"""The names under which the record file holds a record."""


def owns(record: Record | None, slot: str) -> bool:
    """Return whether *slot*, one of those of its account, holds a secret of *record*."""
    if record is None or record.holds_tokens:
        return False
    return record.has_refresh_token is not False or slot != refresh_slot_name(record.key)
