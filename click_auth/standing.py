"""Who is logged in, and how well: what `status` returns, and what its hooks receive. Frozen.

Apart from the other results because this much is loaded by each `status`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from click_auth.tokens import rfc3339, to_posix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from click_auth.account import Account
    from click_auth.tokens import TokenBundle

State = Literal["ok", "none", "expired", "invalid", "unreachable", "locked"]

EXIT_CODES: Mapping[State, int] = {
    "ok": 0,
    "none": 4,
    "expired": 4,
    "invalid": 4,
    "unreachable": 5,
    "locked": 6,
}


@dataclass(frozen=True)
class Status:
    """Who is logged in and how well. `reason` is a sentence for a person, or None.

    `source` is where the token comes from: "env", "system", "plaintext", "client_credentials",
    "custom", or None. `refreshable` says whether there is a refresh token that may still work.
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
        return EXIT_CODES[self.state]

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
