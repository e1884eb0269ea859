"""One server's users, clients, settings and state, without its socket: what endpoints share."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from click_auth.testing.grants import Authorization, Grant, Grants, Policy
from click_auth.testing.messages import Endpoint, Faults, Journal, JournalEntry, OAuthError, Request
from click_auth.testing.parties import LOOPBACK_CALLBACKS, Client, User

_FIRST_TASKS = ("Write the notes on the engine", "Check the numbers", "Post the letter")


_USERS = (
    User("ada", "Ada Lovelace", "ada@todo.example"),
    User("bob", "Bob Kahn", "bob@todo.example"),
)
_CLIENTS = (
    Client("todo-cli", LOOPBACK_CALLBACKS),
    Client("todo-ci", LOOPBACK_CALLBACKS, secret="todo-ci-secret"),
)


@dataclass(kw_only=True, eq=False, repr=False)
class Service(Policy):
    """A server's state; whoever touches grants or tasks holds `lock`."""

    users: Sequence[User] = _USERS
    clients: Sequence[Client] = _CLIENTS
    port: int = 0
    path: str = ""

    def __post_init__(self) -> None:
        self.path = self.path.rstrip("/")
        self.claimed_issuer: str | None = None
        self.lock: threading.Lock = threading.Lock()
        self.journal: Journal = Journal()
        self.faults: Faults = Faults()
        self.grants: Grants = Grants(self)
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

    @property
    def api_url(self) -> str:
        """Where the to-do API is: `/me`, `/tasks`, `/tasks/<id>/done`."""
        return f"{self.origin}/api"

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
        return [
            entry
            for entry in self.journal.snapshot()
            if entry.method == "POST"
            and endpoint in (None, entry.endpoint)
            and grant_type in (None, entry.form.get("grant_type"))
        ]

    def user(self, hint: str | None) -> User:
        """Return the user with this id, name or e-mail address, else the first."""
        name = (hint or "").casefold()
        for user in self.users:
            if name in (user.id.casefold(), user.name.casefold(), user.email.casefold()):
                return user
        return self.users[0]

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
            return self.add_id_token(self.grants.issue(grant, lifetime=lifetime))

    def family_alive(self, token_or_user: str) -> bool:
        """Whether the grant of a token, or any grant of a user, is alive."""
        with self.lock:
            return self.grants.is_family_alive(token_or_user)

    def expire_access_tokens(self) -> None:
        """From now on every access token issued so far is answered with 401."""
        with self.lock:
            for token in self.grants.tokens.values():
                if token.kind == "access":
                    token.expires_at = time.monotonic()

    def revoke_all(self) -> None:
        """End every grant: access tokens get 401, refresh tokens `invalid_grant`."""
        with self.lock:
            for token in self.grants.tokens.values():
                token.grant.alive = False

    def approve_device(self, user_code: str | None = None, user: str = "ada") -> bool:
        """Approve a device code, or whatever waits; False: nothing does."""
        with self.lock:
            return self.grants.decide_device(user_code, self.user(user).id)

    def deny_device(self, user_code: str | None = None) -> bool:
        """Deny a device code, or whatever waits; False: nothing does."""
        with self.lock:
            return self.grants.decide_device(user_code, None)

    def add_client(self, client: Client) -> None:
        """Register a client, in place of one with the same id."""
        self.registered[client.client_id] = client

    def forget_client(self, client_id: str) -> None:
        """Remove a client; it is `invalid_client` from now on."""
        self.registered.pop(client_id, None)

    def authenticate(self, request: Request) -> Client:
        """Return the client that makes a request (RFC 6749 2.3); raises `OAuthError`."""
        header, secret = request.headers.get("authorization"), request.form.get("client_secret")
        if header is not None and secret is not None:
            raise OAuthError("invalid_request", "more than one way of client authentication")
        client_id, method = request.form.get("client_id", ""), "client_secret_post"
        if header is not None:
            (client_id, secret), method = _parse_basic(header), "client_secret_basic"
        client = self.registered.get(client_id)
        if client is None or not client.is_proved_by(secret, method):
            challenge = {} if header is None else {"WWW-Authenticate": "Basic"}
            raise OAuthError("invalid_client", "client authentication failed", 401, challenge)
        return client

    def add_id_token(self, document: dict[str, object]) -> dict[str, object]:
        """Return a token response, with an ID token if its scope has `openid`."""
        issued = self.grants.find(document["access_token"])
        if issued is None or issued.grant.user is None or "openid" not in issued.scopes:
            return document
        now, grant = int(time.time()), issued.grant
        claims: dict[str, object] = {"iss": self.issuer, "sub": grant.user, "aud": grant.client_id}
        claims |= {"iat": now, "exp": now + 3600}
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        claims |= self.faults.id_token
        # Unsigned: the code flow's TLS vouches for it (OIDC Core 3.1.3.7, 6).
        return {**document, "id_token": f"{_encode({'alg': 'none'})}.{_encode(claims)}."}


def _first_tasks() -> list[dict[str, object]]:
    titles = enumerate(_FIRST_TASKS, 1)
    return [{"id": number, "title": title, "done": False} for number, title in titles]


def _parse_basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        pair = b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        pair = ""
    name, _, secret = pair.partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _encode(document: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
