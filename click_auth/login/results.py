"""What a login returns and what its hooks receive; a module that an application loads cheaply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from click_auth.record import TokenBundle, rfc3339, to_posix

if TYPE_CHECKING:
    from datetime import datetime

    from click_auth.account import Account


@dataclass(frozen=True)
class LoginResult:
    """A login that was stored. `missing_scopes` were asked for and not granted."""

    account: Account
    stored_in: str = "system"
    default: bool = True
    missing_scopes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return `{"account", "stored_in", "default"}`."""
        return {
            "account": self.account.to_json(),
            "stored_in": self.stored_in,
            "default": self.default,
        }


@dataclass(frozen=True)
class LoginContext:
    """What `on_login` receives before anything is stored; raising refuses the login."""

    account: Account
    bundle: TokenBundle = field(repr=False, kw_only=True)
    result: LoginResult | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the account and the grant's facts, and no token."""
        return {
            "account": self.account.to_json(),
            "scopes": None if self.bundle.scopes is None else list(self.bundle.scopes),
            "expires_at": rfc3339(to_posix(self.bundle.expires_at)),
        }


@dataclass(frozen=True)
class PendingLogin:
    """A login that has begun: show *url* (and *user_code*) to the person, then finish it.

    `resume` is the command line that does so, `expires_at` (UTC) is when it is too late.
    """

    id: str
    kind: Literal["device", "redirect"]
    url: str = field(repr=False)
    user_code: str | None
    expires_at: datetime
    resume: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the object of `login --no-wait`."""
        return {"pending": {**vars(self), "expires_at": rfc3339(to_posix(self.expires_at))}}
