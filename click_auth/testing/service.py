"""What the endpoints share: one server's state and addresses."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from click_auth.testing.todo_api import TodoLists

if TYPE_CHECKING:
    from click_auth.testing.devices import Devices
    from click_auth.testing.faults import Faults
    from click_auth.testing.grants import Grants
    from click_auth.testing.parties import Directory


@dataclass(frozen=True, slots=True)
class AuthorizationAsked:
    """An authorization request that was found good."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    challenge: str | None
    resource: tuple[str, ...]
    nonce: str | None
    login_hint: str | None


class Tickets:
    """Authorization requests that wait for a person's decision; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, AuthorizationAsked] = {}

    def keep(self, asked: AuthorizationAsked) -> str:
        """Return a ticket that is good once."""
        ticket = secrets.token_urlsafe(16)
        with self._lock:
            self._waiting[ticket] = asked
        return ticket

    def take(self, ticket: str) -> AuthorizationAsked | None:
        """Return what a ticket stands for."""
        with self._lock:
            return self._waiting.pop(ticket, None)


@dataclass(slots=True)
class Service:
    """A server's state, without its socket; `origin` is set when it is bound."""

    directory: Directory
    grants: Grants
    devices: Devices
    faults: Faults
    auto_approve: bool
    login_as: str | None = None
    client_secret_lifetime: float | None = None
    path: str = ""
    origin: str = ""
    claimed_issuer: str | None = None
    tickets: Tickets = field(default_factory=Tickets)
    lists: TodoLists = field(default_factory=TodoLists)

    @property
    def url(self) -> str:
        """The address beneath which the endpoints are."""
        return self.origin + self.path

    @property
    def issuer(self) -> str:
        """The issuer identifier (RFC 8414 2)."""
        return self.claimed_issuer or self.url
