"""One server's settings and state, without its socket: what the endpoints share."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from click_auth.testing.devices import Devices
from click_auth.testing.faults import Faults
from click_auth.testing.grants import Authorization, Grants
from click_auth.testing.journal import Journal
from click_auth.testing.parties import DEFAULT_CLIENTS, DEFAULT_USERS, Client, User

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_TASKS = ("Write the notes on the engine", "Check the numbers", "Post the letter")


@dataclass(kw_only=True, eq=False, repr=False)
class Policy:
    """How logins are decided and tokens given out; all of it may change while the server runs."""

    #: Whether logins and devices are approved without a page.
    auto_approve: bool = True
    #: Who logs in, whatever `login_hint` says; None: whom the hint means, else the first.
    login_as: str | None = None
    access_token_lifetime: float = 3600.0
    refresh_token_lifetime: float | None = None
    #: Whether each refresh brings a new refresh token, and reuse of the old one ends the grant.
    rotate: bool = True
    #: Seconds for which a rotated refresh token is still good.
    reuse_grace: float = 0.0
    #: Whether a refresh token comes without the scope `offline_access` too.
    always_refresh: bool = True
    client_secret_lifetime: float | None = None
    #: Seconds that a client is to wait between two polls for a device code.
    device_interval: float = 1.0
    device_lifetime: float = 600.0


@dataclass(kw_only=True, eq=False, repr=False)
class Service(Policy):
    """A server's state; whoever touches grants, devices or tasks holds `lock`."""

    users: Sequence[User] = DEFAULT_USERS
    clients: Sequence[Client] = DEFAULT_CLIENTS
    port: int = 0
    path: str = ""

    def __post_init__(self) -> None:
        self.path = self.path.rstrip("/")
        self.claimed_issuer: str | None = None
        self.lock: threading.Lock = threading.Lock()
        self.journal: Journal = Journal()
        self.faults: Faults = Faults()
        self.grants: Grants = Grants(self)
        self.devices: Devices = Devices()
        self.registered: dict[str, Client] = {client.client_id: client for client in self.clients}
        self.tickets: dict[str, Authorization] = {}
        self.tasks: defaultdict[str, list[dict[str, object]]] = defaultdict(_first_tasks)

    @property
    def origin(self) -> str:
        """Scheme, host and port; known once started."""
        if not self.port:
            raise RuntimeError("the server was not started")
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where the endpoints are, `http://127.0.0.1:PORT` and the path; known once started."""
        return self.origin + self.path

    @property
    def issuer(self) -> str:
        """The issuer identifier (RFC 8414 2): `url`, or what the server claims."""
        return self.claimed_issuer or self.url

    def user(self, hint: str | None) -> User:
        """Return the user with this id, name or e-mail address, else the first."""
        meant = (user for user in self.users if hint is not None and user.answers_to(hint))
        return next(meant, self.users[0])


def _first_tasks() -> list[dict[str, object]]:
    titles = enumerate(_FIRST_TASKS, 1)
    return [{"id": number, "title": title, "done": False} for number, title in titles]
