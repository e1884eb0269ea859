"""The test server: what tests hold in their hands."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from click_auth.testing.endpoints.token import with_id_token
from click_auth.testing.grants import Grant
from click_auth.testing.listener import Listener
from click_auth.testing.service import Policy, Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Self

    from click_auth.testing.journal import JournalEntry
    from click_auth.testing.messages import Endpoint
    from click_auth.testing.parties import Client


class AuthorizationServer(Service):
    """An OAuth 2.1 authorization server with a small to-do API, on 127.0.0.1, for tests and demos.

    It checks what a strict server checks (PKCE, exact redirect URIs, single-use codes,
    reuse of rotated refresh tokens), keeps a `journal` of all requests and misbehaves as
    `faults` say. Lifetimes and intervals are seconds. A context manager; `start()` and
    `stop()` do the same, and a server that is started again keeps its port and its state.
    """

    _listener: Listener | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Bind and serve, in daemon threads."""
        if self._listener is None:
            self._listener = Listener(self)
            self.port: int = self._listener.port

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
            with socket.socket() as ours:  # bound, so that no other process is given the port
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                ours.bind(("127.0.0.1", self.port))
                yield
        finally:
            self.start()

    @property
    def api_url(self) -> str:
        """Where the to-do API is: `/me`, `/tasks`, `/tasks/<id>/done`."""
        return f"{self.origin}/api"

    @property
    def policy(self) -> Policy:
        """The server's own settings."""
        return self

    @property
    def refresh_count(self) -> int:
        """How many refresh requests came, good or bad."""
        return len(self.posts("token", grant_type="refresh_token"))

    @property
    def reuse_count(self) -> int:
        """How often a rotated refresh token came again and ended its family."""
        return self.grants.reuse_count

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
        grant = Grant(client_id, self.user(user).id, tuple(scopes))
        with self.lock:
            return with_id_token(self, self.grants.issue(grant, lifetime=lifetime))

    def family_alive(self, token_or_user: str) -> bool:
        """Whether the grant of a token, or any grant of a user, is alive."""
        with self.lock:
            return self.grants.is_family_alive(token_or_user)

    def expire_access_tokens(self) -> None:
        """From now on every access token issued so far is answered with 401."""
        with self.lock:
            self.grants.expire_access_tokens()

    def revoke_all(self) -> None:
        """End every grant: access tokens get 401, refresh tokens `invalid_grant`."""
        with self.lock:
            self.grants.revoke_all()

    def approve_device(self, user_code: str | None = None, user: str = "ada") -> bool:
        """Approve a device code, or whatever waits; False: nothing does."""
        with self.lock:
            return self.devices.decide(user_code, self.user(user).id)

    def deny_device(self, user_code: str | None = None) -> bool:
        """Deny a device code, or whatever waits; False: nothing does."""
        with self.lock:
            return self.devices.decide(user_code, None)

    def add_client(self, client: Client) -> None:
        """Register a client, in place of one with the same id."""
        self.registered[client.client_id] = client

    def forget_client(self, client_id: str) -> None:
        """Remove a client; it is `invalid_client` from now on."""
        self.registered.pop(client_id, None)
