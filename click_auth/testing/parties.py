"""Who takes part in a login beside the server: users, and the clients that are registered."""

from __future__ import annotations

import hmac
import re
import time
from dataclasses import dataclass

_LOOPBACK = re.compile(r"^(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d{1,5})?(?=[/?]|$)")
_HOSTS = ("127.0.0.1", "[::1]", "localhost")
LOOPBACK_CALLBACKS = tuple(f"http://{host}/callback" for host in _HOSTS)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in; `email` is also the label that the API and userinfo give."""

    id: str
    name: str
    email: str


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


def may_be_registered(uri: object) -> bool:
    """Whether a redirect URI is https or loopback http, without a fragment."""
    if not isinstance(uri, str) or "#" in uri:
        return False
    return uri.startswith("https://") or _LOOPBACK.match(uri) is not None
