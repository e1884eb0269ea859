"""Authorization codes, grants and tokens, in memory; no I/O, and no locks: the server has one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Literal

from click_auth.testing.messages import OAuthError

if TYPE_CHECKING:
    from click_auth.testing.service import Policy

CODE_LIFETIME = 60.0
S256_LENGTH = 43
_VERIFIER_LENGTHS = range(43, 129)


@dataclass(slots=True, eq=False)
class Grant:
    """What a user (None: the client itself) granted to a client: the family of all its tokens."""

    client_id: str
    user: str | None
    scopes: tuple[str, ...]
    nonce: str | None = None
    alive: bool = True


@dataclass(slots=True, eq=False)
class Authorization:
    """An authorization request that was found good, and from a user's yes on what its code is."""

    grant: Grant
    redirect_uri: str
    challenge: str | None
    state: str | None
    expires_at: float = 0.0
    used: bool = False


@dataclass(slots=True, eq=False)
class Token:
    """An access or refresh token; times are monotonic seconds."""

    kind: Literal["access", "refresh"]
    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float = math.inf
    rotated_at: float | None = None
    revoked: bool = False

    def is_good(self) -> bool:
        """Whether neither time, nor revocation, nor the end of its family has taken it."""
        return self.grant.alive and not self.revoked and self.expires_at > monotonic()


class Grants:
    """All grants of a server."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.reuse_count: int = 0
        self._codes: dict[str, Authorization] = {}
        self._tokens: dict[str, Token] = {}

    def open_code(self, asked: Authorization, user: str) -> str:
        """Return a code that is good once, for a minute."""
        asked.grant.user = user
        asked.expires_at = monotonic() + CODE_LIFETIME
        value = secrets.token_urlsafe(24)
        self._codes[value] = asked
        return value

    def redeem(self, value: str, client_id: str, redirect_uri: str, verifier: str | None) -> Grant:
        """Exchange a code; a second use ends the grant (RFC 6749 4.1.2)."""
        code = self._codes.get(value)
        if code is None or code.grant.client_id != client_id:
            raise OAuthError("invalid_grant", "no such code")
        if code.used:
            code.grant.alive = False
            raise OAuthError("invalid_grant", "the code was used before")
        code.used = True
        if code.expires_at <= monotonic():
            raise OAuthError("invalid_grant", "the code has expired")
        if code.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri is another one")
        if not _proves(code.challenge, verifier):
            raise OAuthError("invalid_grant", "code_verifier does not match")
        return code.grant

    def refresh(self, value: str, client_id: str, scopes: tuple[str, ...]) -> dict[str, object]:
        """Exchange a refresh token; reuse of a rotated one ends the family (RFC 9700 4.14.2)."""
        token = self._tokens.get(value)
        if token is None or token.kind != "refresh" or token.grant.client_id != client_id:
            raise OAuthError("invalid_grant", "no such refresh token")
        if not token.is_good():
            raise OAuthError("invalid_grant", "the refresh token is no longer valid")
        now = monotonic()
        if token.rotated_at is not None and now - token.rotated_at >= self._policy.reuse_grace:
            self.reuse_count += 1
            token.grant.alive = False
            raise OAuthError("invalid_grant", "the refresh token was used before")
        if not set(scopes) <= set(token.grant.scopes):
            raise OAuthError("invalid_scope", "more than was granted")
        if not self._policy.rotate:
            return self.issue(token.grant, scopes, refresh_token=value)
        token.rotated_at = token.rotated_at or now
        return self.issue(token.grant, scopes)

    def issue(
        self,
        grant: Grant,
        scopes: tuple[str, ...] = (),
        *,
        lifetime: float | None = None,
        refresh_token: str | None = None,
    ) -> dict[str, object]:
        """Return a token response (RFC 6749 5.1), with a refresh token if it is a user's."""
        policy, granted = self._policy, scopes or grant.scopes
        lifetime = policy.access_token_lifetime if lifetime is None else lifetime
        wanted = policy.always_refresh or "offline_access" in grant.scopes
        if refresh_token is None and wanted and grant.user is not None:
            token = Token("refresh", grant, grant.scopes)
            refresh_token = self._add(token, policy.refresh_token_lifetime)
        document = {
            "access_token": self._add(Token("access", grant, granted), lifetime),
            "token_type": "Bearer",
            "expires_in": whole(lifetime),
            "scope": " ".join(granted),
        }
        return document if refresh_token is None else {**document, "refresh_token": refresh_token}

    def find(self, value: object) -> Token | None:
        """Return an access token that is good now."""
        token = self._tokens.get(str(value))
        return token if token is not None and token.kind == "access" and token.is_good() else None

    def revoke(self, value: str, client_id: str) -> None:
        """Revoke a token; a refresh token takes its whole grant along (RFC 7009 2.1)."""
        token = self._tokens.get(value)
        if token is None:
            return
        if token.grant.client_id != client_id:
            raise OAuthError("unauthorized_client", "the token is another client's")
        token.revoked = True
        if token.kind == "refresh":
            token.grant.alive = False

    def expire_access_tokens(self) -> None:
        """End the life of every access token; the grants live on."""
        for token in self._tokens.values():
            if token.kind == "access":
                token.expires_at = monotonic()

    def revoke_all(self) -> None:
        """End every grant."""
        for token in self._tokens.values():
            token.grant.alive = False

    def is_family_alive(self, token_or_user: str) -> bool:
        """Whether the grant of a token, or any grant of a user, is alive."""
        token = self._tokens.get(token_or_user)
        if token is not None:
            return token.grant.alive
        grants = (token.grant for token in self._tokens.values())
        return any(grant.alive for grant in grants if grant.user == token_or_user)

    def _add(self, token: Token, lifetime: float | None) -> str:
        token.expires_at = math.inf if lifetime is None else monotonic() + lifetime
        value = secrets.token_urlsafe(32)
        self._tokens[value] = token
        return value


def whole(seconds: float) -> float:
    """Return seconds as most servers write them: without a point, where there is no fraction."""
    return int(seconds) if seconds == int(seconds) else seconds


def _proves(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None or verifier is None:
        # A verifier without a challenge is a downgrade (RFC 9700 2.1.1).
        return challenge is verifier
    if len(verifier) not in _VERIFIER_LENGTHS:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(expected, challenge)
