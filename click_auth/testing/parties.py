"""Who takes part: users and registered clients."""

from __future__ import annotations

import hmac
import re
import time
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from click_auth.testing.messages import OAuthError, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK = re.compile(r"^(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d{1,5})?(?=[/?]|$)")
LOOPBACK_CALLBACKS = (
    "http://127.0.0.1/callback",
    "http://[::1]/callback",
    "http://localhost/callback",
)


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
        return uri in self.redirect_uris or _LOOPBACK.sub(r"\1", uri) in self.redirect_uris

    def is_proved_by(self, secret: str | None, method: str) -> bool:
        """Whether a request with this secret, sent in this way, is the client's."""
        if self.secret is None or secret is None:
            return self.secret is secret
        if self.secret_expires_at and self.secret_expires_at <= time.time():
            return False
        right = hmac.compare_digest(secret.encode(), self.secret.encode())
        return right and method in self.auth_methods


DEFAULT_USERS = (
    User("ada", "Ada Lovelace", "ada@todo.example"),
    User("bob", "Bob Kahn", "bob@todo.example"),
)
DEFAULT_CLIENTS = (
    Client("todo-cli", LOOPBACK_CALLBACKS),
    Client("todo-ci", LOOPBACK_CALLBACKS, secret="todo-ci-secret"),
)


def may_be_registered(uri: object) -> bool:
    """Whether a redirect URI is https or loopback http, without a fragment."""
    if not isinstance(uri, str) or "#" in uri:
        return False
    return uri.startswith("https://") or _LOOPBACK.match(uri) is not None


def authenticate(request: Request, clients: Mapping[str, Client]) -> Client:
    """Return the client that makes a request (RFC 6749 2.3); raises `OAuthError`."""
    basic = "authorization" in request.headers
    secret = request.form.get("client_secret")
    if basic and secret is not None:
        raise OAuthError("invalid_request", "more than one way of client authentication")
    client_id, method = request.form.get("client_id", ""), "client_secret_post"
    if basic:
        client_id, secret = _basic(request.headers["authorization"])
        method = "client_secret_basic"
    client = clients.get(client_id)
    if client is None or not client.is_proved_by(secret, method):
        challenge = {"WWW-Authenticate": "Basic"} if basic else {}
        raise OAuthError("invalid_client", "client authentication failed", 401, challenge)
    return client


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        pair = b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        pair = ""
    name, _, secret = pair.partition(":")
    return unquote_plus(name), unquote_plus(secret)
