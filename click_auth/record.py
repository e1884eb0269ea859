"""What is remembered of one account, in the light form that the context and the hot path use.

`UserRecord` (stores/models.py) is the schema that bytes from a disk must satisfy before a `Record`
is made of them. Both have the same fields, and a test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from click_auth.account import Account, refresh_slot_name
from click_auth.defaults import DEFAULT_MIN_TTL
from click_auth.errors import REFRESH_EXPIRED, NotLoggedIn
from click_auth.tokens import TokenBundle, from_posix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from click_auth.defaults import Binding


SYSTEM = "system"
PLAINTEXT = "plaintext"
ENCRYPTED = "encrypted"
CUSTOM = "custom"

IN_RECORD = (PLAINTEXT, ENCRYPTED)
"""Where `storage` is one of these the tokens lie in the record itself."""


@dataclass(frozen=True)
class Record:
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


def is_same_credential(current: Record | None, expected: Record) -> bool:
    """Return whether *current* is the write of the credential that *expected* was read from.

    The generation starts again after a logout, so the moment of the write counts as well.
    """
    return current is not None and (
        (current.generation, current.access_token_obtained_at)
        == (expected.generation, expected.access_token_obtained_at)
    )


def owns(record: Record | None, slot: str) -> bool:
    """Return whether *slot*, one of those of its account, holds a secret of *record*."""
    if record is None or record.holds_tokens:
        return False
    return record.has_refresh_token is not False or slot != refresh_slot_name(record.key)


def is_fresh(record: Record, *, now: float, min_ttl: float) -> bool:
    """Return whether the access token of *record* may be used without asking the server.

    It may while more than *min_ttl* seconds are left, and while its expiry is not known: the
    server named none, or the clock stands before the moment it was obtained, so that nothing
    can be reckoned. The default *min_ttl* is capped at half of the token's life, so that a
    short-lived token costs one refresh for each expiry and not one for each call.
    """
    expires_at, obtained_at = record.access_token_expires_at, record.access_token_obtained_at
    if expires_at is None:
        return True
    if obtained_at is not None and now < obtained_at:
        return True
    if min_ttl == DEFAULT_MIN_TTL and obtained_at is not None:
        min_ttl = min(min_ttl, max(expires_at - obtained_at, 0.0) / 2)
    return expires_at - now > min_ttl


def check_usable(record: Record, binding: Binding) -> None:
    """Raise `NotLoggedIn` where the credential of *record* must not be shown to anybody."""
    check_binding(record, binding)
    if record.is_rejected:
        raise session_ended(record)


def check_binding(record: Record, binding: Binding) -> None:
    """Raise `NotLoggedIn` where *record* belongs to another issuer or client than *binding*.

    What is None on either side binds nothing; but where an API binds, a login that was bound
    to an issuer only is another one.
    """
    issuer, client_id, resource = binding
    bound_to = record.resource or record.issuer
    if None not in (bound_to, resource) and record.resource != resource:
        raise NotLoggedIn(f"You are logged in at {bound_to}, not at {resource}.")
    if None not in (record.issuer, issuer) and record.issuer != issuer:
        raise NotLoggedIn(f"You are logged in at {record.issuer}, not at {issuer}.")
    if None not in (record.client_id, client_id) and record.client_id != client_id:
        clients = f"as the client {record.client_id}, not as {client_id}"
        raise NotLoggedIn(f"You are logged in at {record.issuer or issuer} {clients}.")


def session_ended(record: Record, hints: Iterable[str] = ()) -> NotLoggedIn:
    """Return the error of a session that the server has ended."""
    message = f"Your session ({record.account.name}) has expired or was revoked."
    return NotLoggedIn(message, code=REFRESH_EXPIRED, hints=hints)
