"""Who takes part: users and registered clients."""

from __future__ import annotations

import hmac
import threading
import time
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus, urlsplit

from click_auth.testing.messages import OAuthError, Request

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in; `email` is also the label that the API and userinfo give."""

    id: str
    name: str
    email: str

    def answers_to(self, hint: str) -> bool:
        """Whether a `login_hint` means this user."""
        return hint.casefold() in {self.id.casefold(), self.email.casefold(), self.name.casefold()}


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client, public if without a secret; that expires at POSIX seconds, 0: never."""

    client_id: str
    redirect_uris: tuple[str, ...] = ()
    secret: str | None = None
    auth_methods: tuple[str, ...] = ("client_secret_basic", "client_secret_post")
    secret_expires_at: float = 0.0

    def accepts_redirect(self, uri: str) -> bool:
        """Whether a redirect URI is registered; loopback ones at any port (RFC 8252 7.3)."""
        return any(_matches(registered, uri) for registered in self.redirect_uris)


LOOPBACK_CALLBACKS = (
    "http://127.0.0.1/callback",
    "http://[::1]/callback",
    "http://localhost/callback",
)
DEFAULT_USERS = (
    User("ada", "Ada Lovelace", "ada@todo.example"),
    User("bob", "Bob Kahn", "bob@todo.example"),
)
DEFAULT_CLIENTS = (
    Client("todo-cli", LOOPBACK_CALLBACKS),
    Client("todo-ci", LOOPBACK_CALLBACKS, secret="todo-ci-secret"),
)


class Directory:
    """The users and clients that a server knows; thread-safe."""

    def __init__(self, users: Iterable[User], clients: Iterable[Client]) -> None:
        self.users = tuple(users)
        self._clients = {client.client_id: client for client in clients}
        self._lock = threading.Lock()

    def user(self, hint: str | None) -> User:
        """Return the user whom a hint means, else the first."""
        meant = (user for user in self.users if hint is not None and user.answers_to(hint))
        return next(meant, self.users[0])

    def client(self, client_id: str) -> Client | None:
        """Return the client with this id."""
        with self._lock:
            return self._clients.get(client_id)

    def add(self, client: Client) -> None:
        """Register a client."""
        with self._lock:
            self._clients[client.client_id] = client

    def forget(self, client_id: str) -> None:
        """Remove a client, as servers do with registrations that grew old."""
        with self._lock:
            self._clients.pop(client_id, None)

    def authenticate(self, request: Request) -> Client:
        """Return the client that makes a request (RFC 6749 2.3); raises `OAuthError`."""
        client_id, secret, method = _credentials(request)
        client = self.client(client_id)
        if client is None or not _proves(client, secret, method):
            challenge = {"WWW-Authenticate": "Basic"} if method == "client_secret_basic" else {}
            raise OAuthError(
                "invalid_client", "client authentication failed", status=401, headers=challenge
            )
        return client


def _credentials(request: Request) -> tuple[str, str | None, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    posted = request.form.get("client_secret")
    if scheme and posted is not None:
        raise OAuthError("invalid_request", "more than one way of client authentication")
    if not scheme:
        method = "none" if posted is None else "client_secret_post"
        return request.form.get("client_id", ""), posted, method
    try:
        pair = b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        pair = ""
    name, _, secret = pair.partition(":")
    return unquote_plus(name), unquote_plus(secret), "client_secret_basic"


def _proves(client: Client, secret: str | None, method: str) -> bool:
    if client.secret is None:
        return method == "none"
    if client.secret_expires_at and client.secret_expires_at <= time.time():
        return False
    return (
        method in client.auth_methods
        and secret is not None
        and hmac.compare_digest(secret.encode(), client.secret.encode())
    )


def _matches(registered: str, given: str) -> bool:
    if registered == given:
        return True
    try:
        left, right = urlsplit(registered), urlsplit(given)
        ports = left.port, right.port
    except ValueError:
        return False
    if left.scheme != "http" or left.hostname not in LOOPBACK_HOSTS or ports[0] is not None:
        return False
    return given == registered.replace(left.netloc, right.netloc, 1) and right.netloc == (
        left.netloc if ports[1] is None else f"{left.netloc}:{ports[1]}"
    )
