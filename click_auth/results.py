"""What operations return, and what hooks receive. Frozen; `to_json()` is what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from click_auth.identity import Identity, identity_of
from click_auth.tokens import rfc3339, to_posix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from click_auth.models import Account
    from click_auth.tokens import TokenBundle

State = Literal["ok", "none", "expired", "invalid", "unreachable", "locked"]
Verdict = Literal["ok", "warn", "fail"]

EXIT_CODES: Mapping[State, int] = {
    "ok": 0,
    "none": 4,
    "expired": 4,
    "invalid": 4,
    "unreachable": 5,
    "locked": 6,
}


class AccountField:
    """A dataclass field that may be set to an `Identity` and always reads as an `Account`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Account | None:
        if instance is None:  # dataclasses ask the class for a default: there is none
            raise AttributeError(self._name)
        value = instance.__dict__[self._name]
        if isinstance(value, Identity):
            from click_auth.models import Account  # noqa: PLC0415 - the point of this class

            value = instance.__dict__[self._name] = Account.of(value)
        return value  # type: ignore[no-any-return]

    def __set__(self, instance: object, value: Identity | Account | None) -> None:
        instance.__dict__[self._name] = value


def light(owner: object, name: str) -> Identity | None:
    """Return the `AccountField` *name* of *owner* in its light form; loads nothing."""
    account = owner.__dict__[name]
    return None if account is None else identity_of(account)


def account_json(owner: object) -> dict[str, Any] | None:
    """Return the `account` of a result as JSON, without loading pydantic for it."""
    identity = light(owner, "account")
    return None if identity is None else identity.to_json()


@dataclass(frozen=True)
class StoredAccount:
    """One account of `Auth.accounts()`; `default` says whether it is the default one."""

    account: Account = AccountField()  # type: ignore[assignment]
    default: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return `{"account", "default"}`."""
        return {"account": account_json(self), "default": self.default}


@dataclass(frozen=True)
class LoginResult:
    """A login that was stored. `missing_scopes` were asked for and not granted."""

    account: Account = AccountField()  # type: ignore[assignment]
    stored_in: str = "system"
    default: bool = True
    missing_scopes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return `{"account", "stored_in", "default"}`."""
        return {
            "account": account_json(self),
            "stored_in": self.stored_in,
            "default": self.default,
        }


@dataclass(frozen=True)
class LogoutResult:
    """What a logout removed. `revoked` is None where there was nothing, or no way, to revoke."""

    removed: tuple[str, ...] = ()
    revoked: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `{"ok", "removed", "revoked"}`."""
        return {"ok": True, "removed": list(self.removed), "revoked": self.revoked}


@dataclass(frozen=True)
class Status:
    """Who is logged in and how well. `reason` is a sentence for a person, or None.

    `source` is where the token comes from: "env", "system", "plaintext", "client_credentials",
    "custom", or None. `refreshable` says whether there is a refresh token that may still work.
    """

    state: State
    account: Account | None = AccountField()  # type: ignore[assignment]
    default: bool = False
    source: str | None = None
    expires_at: datetime | None = None
    refreshable: bool = False
    scopes: tuple[str, ...] | None = None
    reason: str | None = None

    @property
    def exit_code(self) -> int:
        """What the `status` command exits with."""
        return EXIT_CODES[self.state]

    def to_json(self) -> dict[str, Any]:
        """Return the object of `status --json`."""
        return {
            "state": self.state,
            "account": account_json(self),
            "default": self.default,
            "source": self.source,
            "expires_at": rfc3339(to_posix(self.expires_at)),
            "refreshable": self.refreshable,
            "scopes": None if self.scopes is None else list(self.scopes),
        }


@dataclass(frozen=True)
class Check:
    """One line of `doctor`: a value, where it comes from, and what to think of it."""

    name: str
    value: str
    source: str
    verdict: Verdict = "ok"
    hint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `{"name", "value", "source", "verdict", "hint"}`."""
        return dict(vars(self))


@dataclass(frozen=True)
class Report:
    """What `doctor` found."""

    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(check.verdict != "fail" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return `{"ok", "checks"}`."""
        return {"ok": self.ok, "checks": [check.to_json() for check in self.checks]}


@dataclass(frozen=True)
class MigrationResult:
    """How the migration of an older credential ended; `reason` says why it was skipped."""

    state: Literal["migrated", "already-migrated", "no-legacy-state", "skipped"]
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return `{"state", "reason"}`."""
        return {"state": self.state, "reason": self.reason}


@dataclass(frozen=True)
class LoginContext:
    """What `on_login` receives before anything is stored; raising refuses the login."""

    account: Account = AccountField()  # type: ignore[assignment]
    bundle: TokenBundle = field(repr=False, kw_only=True)
    result: LoginResult | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the identity and the grant's facts, and no token."""
        return {
            "account": account_json(self),
            "scopes": None if self.bundle.scopes is None else list(self.bundle.scopes),
            "expires_at": rfc3339(to_posix(self.bundle.expires_at)),
        }


@dataclass(frozen=True)
class LogoutContext:
    """What `on_logout` and the renderers of `logout` receive, after the fact."""

    result: LogoutResult

    def to_json(self) -> dict[str, Any]:
        """Return what `logout --json` prints."""
        return self.result.to_json()


@dataclass(frozen=True)
class StatusContext:
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
