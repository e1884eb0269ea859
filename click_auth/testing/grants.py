"""Authorization codes, grants and tokens, in memory; no I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from click_auth.testing.messages import OAuthError

if TYPE_CHECKING:
    from collections.abc import Callable

CODE_LIFETIME = 60.0
S256_LENGTH = 43
_VERIFIER_LENGTHS = range(43, 129)


@dataclass(slots=True, eq=False)
class Grant:
    """What a user (None: the client itself) granted to a client: the family of all its tokens."""

    client_id: str
    user: str | None
    scopes: tuple[str, ...]
    resource: tuple[str, ...] = ()
    nonce: str | None = None
    alive: bool = True


@dataclass(slots=True, eq=False)
class Code:
    """An authorization code and what it is bound to."""

    grant: Grant
    redirect_uri: str
    challenge: str | None
    expires_at: float
    used: bool = False


@dataclass(slots=True, eq=False)
class Token:
    """An access or refresh token; times are monotonic seconds."""

    kind: Literal["access", "refresh"]
    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float | None
    rotated_at: float | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """What a token request brought."""

    grant: Grant
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float
    scopes: tuple[str, ...]


@dataclass(slots=True)
class Policy:
    """How tokens are given out; seconds."""

    access_token_lifetime: float = 3600.0
    refresh_token_lifetime: float | None = None
    rotate: bool = True
    reuse_grace: float = 0.0
    always_refresh: bool = True


class Grants:
    """All grants of a server; thread-safe, each operation atomic."""

    def __init__(self, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self.reuse_count = 0
        self._clock = clock
        self._lock = threading.RLock()
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, Token] = {}

    def open_code(self, grant: Grant, redirect_uri: str, challenge: str | None) -> str:
        """Return a code that is good once, for a minute."""
        value = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[value] = Code(grant, redirect_uri, challenge, self._clock() + CODE_LIFETIME)
        return value

    def redeem(self, value: str, client_id: str, redirect_uri: str, verifier: str | None) -> Issued:
        """Exchange a code; a second use ends the grant (RFC 6749 4.1.2)."""
        with self._lock:
            code = self._codes.get(value)
            if code is None or code.grant.client_id != client_id:
                raise OAuthError("invalid_grant", "no such code")
            if code.used:
                code.grant.alive = False
                raise OAuthError("invalid_grant", "the code was used before")
            code.used = True
            if code.expires_at <= self._clock():
                raise OAuthError("invalid_grant", "the code has expired")
            if code.redirect_uri != redirect_uri:
                raise OAuthError("invalid_grant", "redirect_uri is another one")
            if not _proves(code.challenge, verifier):
                raise OAuthError("invalid_grant", "code_verifier does not match")
            return self.issue(code.grant)

    def refresh(self, value: str, client_id: str, scopes: tuple[str, ...]) -> Issued:
        """Exchange a refresh token; reuse of a rotated one ends the family (RFC 9700 4.14.2)."""
        with self._lock:
            token = self._tokens.get(value)
            if token is None or token.kind != "refresh" or token.grant.client_id != client_id:
                raise OAuthError("invalid_grant", "no such refresh token")
            if not self._is_good(token):
                raise OAuthError("invalid_grant", "the refresh token is no longer valid")
            self._detect_reuse(token)
            if not set(scopes) <= set(token.grant.scopes):
                raise OAuthError("invalid_scope", "more than was granted")
            if not self.policy.rotate:
                return self._access(token.grant, scopes or token.scopes, value)
            token.rotated_at = token.rotated_at or self._clock()
            return self.issue(token.grant, scopes=scopes or token.scopes)

    def issue(
        self,
        grant: Grant,
        *,
        scopes: tuple[str, ...] | None = None,
        refreshable: bool | None = None,
        lifetime: float | None = None,
    ) -> Issued:
        """Make an access token and, unless it is not wanted, a refresh token."""
        policy = self.policy
        if refreshable is None:
            refreshable = policy.always_refresh or "offline_access" in grant.scopes
        refresh_token = secrets.token_urlsafe(32) if refreshable else None
        with self._lock:
            if refresh_token is not None:
                life = policy.refresh_token_lifetime
                expires_at = None if life is None else self._clock() + life
                self._tokens[refresh_token] = Token("refresh", grant, grant.scopes, expires_at)
            return self._access(grant, scopes or grant.scopes, refresh_token, lifetime)

    def find(self, value: str | None) -> Token | None:
        """Return a token that is good now."""
        with self._lock:
            token = self._tokens.get(value or "")
            good = token is not None and self._is_good(token) and token.rotated_at is None
            return token if good else None

    def find_access(self, value: str | None) -> Token | None:
        """Return an access token that is good now."""
        token = self.find(value)
        return token if token is not None and token.kind == "access" else None

    def revoke(self, value: str, client_id: str) -> None:
        """Revoke a token; a refresh token takes its whole grant along (RFC 7009 2.1)."""
        with self._lock:
            token = self._tokens.get(value)
            if token is None:
                return
            if token.grant.client_id != client_id:
                raise OAuthError("unauthorized_client", "the token is another client's")
            token.revoked = True
            if token.kind == "refresh":
                token.grant.alive = False

    def seconds_left(self, token: Token) -> float | None:
        """How long a token lives on; None: for ever."""
        return None if token.expires_at is None else token.expires_at - self._clock()

    def expire_access_tokens(self) -> None:
        """End the life of every access token; the grants live on."""
        with self._lock:
            for token in self._tokens.values():
                if token.kind == "access":
                    token.expires_at = self._clock()

    def revoke_all(self) -> None:
        """End every grant."""
        with self._lock:
            for token in self._tokens.values():
                token.grant.alive = False

    def is_family_alive(self, token_or_user: str) -> bool:
        """Whether the grant of a token, or any grant of a user, is alive."""
        with self._lock:
            token = self._tokens.get(token_or_user)
            if token is not None:
                return token.grant.alive
            return any(
                token.grant.alive
                for token in self._tokens.values()
                if token.grant.user == token_or_user
            )

    def _access(
        self,
        grant: Grant,
        scopes: tuple[str, ...],
        refresh_token: str | None,
        lifetime: float | None = None,
    ) -> Issued:
        life = self.policy.access_token_lifetime if lifetime is None else lifetime
        value = secrets.token_urlsafe(32)
        self._tokens[value] = Token("access", grant, scopes, self._clock() + life)
        return Issued(grant, value, refresh_token, life, scopes)

    def _is_good(self, token: Token) -> bool:
        fresh = token.expires_at is None or token.expires_at > self._clock()
        return token.grant.alive and not token.revoked and fresh

    def _detect_reuse(self, token: Token) -> None:
        if token.rotated_at is None:
            return
        if self._clock() - token.rotated_at < self.policy.reuse_grace:
            return
        self.reuse_count += 1
        token.grant.alive = False
        raise OAuthError("invalid_grant", "the refresh token was used before")


def _proves(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None or verifier is None:
        # A verifier without a challenge is a downgrade (RFC 9700 2.1.1).
        return challenge is verifier
    if len(verifier) not in _VERIFIER_LENGTHS:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(expected, challenge)
