"""The test server: what tests hold in their hands."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from click_auth.testing.devices import Devices
from click_auth.testing.endpoints.token import describe
from click_auth.testing.faults import Faults
from click_auth.testing.grants import Grant, Grants, Policy
from click_auth.testing.journal import Journal, JournalEntry
from click_auth.testing.listener import Listener
from click_auth.testing.parties import DEFAULT_CLIENTS, DEFAULT_USERS, Client, Directory, User
from click_auth.testing.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from click_auth.testing.messages import Endpoint


class AuthorizationServer:
    """An OAuth 2.1 authorization server with a small to-do API, on 127.0.0.1, for tests and demos.

    It checks what a strict server checks (PKCE, exact redirect URIs, single-use codes,
    reuse of rotated refresh tokens), keeps a `journal` of all requests and misbehaves as
    `faults` say. Lifetimes and intervals are seconds. A context manager; `start()` and
    `stop()` do the same, and a server that is started again keeps its port and its state.
    """

    def __init__(
        self,
        *,
        auto_approve: bool = True,
        access_token_lifetime: float = 3600.0,
        refresh_token_lifetime: float | None = None,
        rotate: bool = True,
        reuse_grace: float = 0.0,
        always_refresh: bool = True,
        users: Sequence[User] = DEFAULT_USERS,
        clients: Sequence[Client] = DEFAULT_CLIENTS,
        client_secret_lifetime: float | None = None,
        device_interval: float = 1.0,
        device_lifetime: float = 600.0,
        port: int = 0,
        path: str = "",
    ) -> None:
        self.policy = Policy(
            access_token_lifetime, refresh_token_lifetime, rotate, reuse_grace, always_refresh
        )
        self.journal = Journal()
        self.faults = Faults()
        self._port = port
        self._listener: Listener | None = None
        self._service = Service(
            Directory(users, clients),
            Grants(self.policy),
            Devices(device_interval, device_lifetime),
            self.faults,
            auto_approve,
            client_secret_lifetime=client_secret_lifetime,
            path=path.rstrip("/"),
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Bind and serve, in daemon threads."""
        if self._listener is None:
            self._listener = Listener(self._port, self._service, self.journal)
            self._port = self._listener.server_port
            self._service.origin = f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """Close the port and all connections; the state stays."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Nobody listens inside of the block; afterwards the server is back on the same port."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @property
    def issuer(self) -> str:
        """The issuer identifier: `url`, or what the server claims; known once started."""
        self._check_started()
        return self._service.issuer

    @property
    def url(self) -> str:
        """Where the server is, `http://127.0.0.1:PORT` and the path; known once started."""
        self._check_started()
        return self._service.url

    def claim(self, issuer: str) -> None:
        """Speak in the name of another issuer, whose addresses a client routes to `url`."""
        self._service.claimed_issuer = issuer

    @property
    def api_url(self) -> str:
        """Where the to-do API is: `/me`, `/tasks`, `/tasks/<id>/done`."""
        self._check_started()
        return f"{self._service.origin}/api"

    @property
    def auto_approve(self) -> bool:
        """Whether logins and devices are approved without a page."""
        return self._service.auto_approve

    @auto_approve.setter
    def auto_approve(self, value: bool) -> None:
        self._service.auto_approve = value

    @property
    def login_as(self) -> str | None:
        """Who logs in, whatever `login_hint` says; None: whom the hint means, else the first."""
        return self._service.login_as

    @login_as.setter
    def login_as(self, user: str | None) -> None:
        self._service.login_as = user

    @property
    def device_interval(self) -> float:
        """Seconds that a client is to wait between two polls for a device code."""
        return self._service.devices.interval

    @device_interval.setter
    def device_interval(self, seconds: float) -> None:
        self._service.devices.interval = seconds

    @property
    def refresh_count(self) -> int:
        """How many refresh requests came, good or bad."""
        return len(self.posts("token", grant_type="refresh_token"))

    @property
    def reuse_count(self) -> int:
        """How often a rotated refresh token came again and ended its family."""
        return self._service.grants.reuse_count

    def posts(
        self, endpoint: Endpoint | None = None, *, grant_type: str | None = None
    ) -> list[JournalEntry]:
        """Return the journal's POST requests to an endpoint, of one `grant_type` if it is given."""
        return self.journal.posts(endpoint, grant_type=grant_type)

    def issue(
        self,
        user: str = "ada",
        *,
        scopes: Sequence[str] = (),
        lifetime: float | None = None,
        client_id: str = "todo-cli",
    ) -> dict[str, object]:
        """Return a token response, as after a login; `lifetime` is the access token's."""
        grant = Grant(client_id, self._service.directory.user(user).id, tuple(scopes))
        issued = self._service.grants.issue(grant, lifetime=lifetime)
        return describe(self._service, issued)

    def user(self, user: str) -> User:
        """Return the user with this id, name or e-mail address, else the first."""
        return self._service.directory.user(user)

    def family_alive(self, token_or_user: str) -> bool:
        """Whether the grant of a token, or any grant of a user, is alive."""
        return self._service.grants.is_family_alive(token_or_user)

    def expire_access_tokens(self) -> None:
        """From now on every access token issued so far is answered with 401."""
        self._service.grants.expire_access_tokens()

    def revoke_all(self) -> None:
        """End every grant: access tokens get 401, refresh tokens `invalid_grant`."""
        self._service.grants.revoke_all()

    def approve_device(self, user_code: str | None = None, user: str = "ada") -> bool:
        """Approve a device code, or whatever waits; False: nothing does."""
        return self._service.devices.decide(user_code, self.user(user).id)

    def deny_device(self, user_code: str | None = None) -> bool:
        """Deny a device code, or whatever waits; False: nothing does."""
        return self._service.devices.decide(user_code, None)

    def add_client(self, client: Client) -> None:
        """Register a client, in place of one with the same id."""
        self._service.directory.add(client)

    def forget_client(self, client_id: str) -> None:
        """Remove a client; it is `invalid_client` from now on."""
        self._service.directory.forget(client_id)

    def _check_started(self) -> None:
        if not self._service.origin:
            raise RuntimeError("the server was not started")
