"""Authorization codes, device codes, grants and tokens, in memory; the server holds the lock."""

from __future__ import annotations

import base64
import hashlib
import math
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import Literal, TypeVar

from click_auth.testing.messages import OAuthError

T = TypeVar("T")

S256_LENGTH = 43

_CODE_LIFETIME = 60.0
_VERIFIER_LENGTHS = range(43, 129)
_USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
_POLL_TOLERANCE = 0.05
_SLOW_DOWN = 5.0  # seconds, RFC 8628 3.5


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
class Device:
    """A device code; `approved` is None until a user decides, times are monotonic seconds."""

    grant: Grant
    user_code: str
    interval: float
    expires_at: float
    approved: bool | None = None
    used: bool = False
    polled_at: float = -math.inf


@dataclass(slots=True, eq=False)
class Token:
    """An access or refresh token; times are monotonic seconds."""

    kind: Literal["access", "refresh"]
    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float
    rotated_at: float | None = None
    revoked: bool = False

    def is_good(self) -> bool:
        """Whether neither time, nor revocation, nor the end of its family has taken it."""
        return self.grant.alive and not self.revoked and self.expires_at > monotonic()


class Grants:
    """All grants of a server, given out by its policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.reuse_count: int = 0
        self.tokens: dict[str, Token] = {}
        self.devices: dict[str, Device] = {}
        self.codes: dict[str, Authorization] = {}

    def open_code(self, request: Authorization, user: str) -> str:
        """Return a code that is good once, for a minute."""
        request.grant.user = user
        request.expires_at = monotonic() + _CODE_LIFETIME
        return _keep(self.codes, request)

    def redeem(self, value: str, client_id: str, redirect_uri: str, verifier: str | None) -> Grant:
        """Exchange a code; a second use ends the grant (RFC 6749 4.1.2)."""
        code = self.codes.get(value)
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

    def open_device(self, grant: Grant) -> tuple[str, str]:
        """Return a new device code and its user code."""
        letters = "".join(secrets.choice(_USER_CODE_ALPHABET) for _ in range(8))
        user_code = f"{letters[:4]}-{letters[4:]}"
        expires_at = monotonic() + self._policy.device_lifetime
        device = Device(grant, user_code, self._policy.device_interval, expires_at)
        return _keep(self.devices, device), user_code

    def decide_device(self, user_code: str | None, user: str | None) -> bool:
        """Approve as `user`, or deny (None); without a code, what waits. False: nothing does."""
        is_found = False
        for device in self.devices.values():
            is_meant = user_code is None or _letters(user_code) == _letters(device.user_code)
            if is_meant and device.approved is None and device.expires_at > monotonic():
                device.approved, device.grant.user = user is not None, user
                is_found = True
        return is_found

    def poll_device(self, value: str, client_id: str) -> Grant:
        """Return the grant of a code; raises `OAuthError` until there is one (RFC 8628 3.5)."""
        device = self.devices.get(value)
        if device is None or device.grant.client_id != client_id or device.used:
            raise OAuthError("invalid_grant", "no such device code")
        now = monotonic()
        last, device.polled_at = device.polled_at, now
        if now - last < device.interval - _POLL_TOLERANCE:
            device.interval += _SLOW_DOWN
            raise OAuthError("slow_down", f"wait {device.interval:g} seconds between polls")
        if device.expires_at <= now:
            raise OAuthError("expired_token", "the device code has expired")
        if device.approved is None:
            raise OAuthError("authorization_pending", "the user has not decided yet")
        if not device.approved:
            raise OAuthError("access_denied", "the user said no")
        device.used = True
        return device.grant

    def refresh(self, value: str, client_id: str, scopes: tuple[str, ...]) -> dict[str, object]:
        """Exchange a refresh token; reuse of a rotated one ends the family (RFC 9700 4.14.2)."""
        token = self.tokens.get(value)
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
            return {**self.issue(token.grant, scopes), "refresh_token": value}
        token.rotated_at = token.rotated_at or now
        return self.issue(token.grant, scopes)

    def issue(
        self, grant: Grant, scopes: tuple[str, ...] = (), lifetime: float | None = None
    ) -> dict[str, object]:
        """Return a token response (RFC 6749 5.1), with a refresh token if it is a user's."""
        policy, granted, now = self._policy, scopes or grant.scopes, monotonic()
        lifetime = policy.access_token_lifetime if lifetime is None else lifetime
        document: dict[str, object] = {
            "access_token": _keep(self.tokens, Token("access", grant, granted, now + lifetime)),
            "token_type": "Bearer",
            "expires_in": whole(lifetime),
            "scope": " ".join(granted),
        }
        wanted = policy.always_refresh or "offline_access" in grant.scopes
        if wanted and grant.user is not None:
            life = policy.refresh_token_lifetime
            expires_at = math.inf if life is None else now + life
            refresh = Token("refresh", grant, grant.scopes, expires_at)
            document["refresh_token"] = _keep(self.tokens, refresh)
        return document

    def is_family_alive(self, token_or_user: str) -> bool:
        """Whether the grant of a token, or any grant of a user, is alive."""
        return any(
            token.grant.alive
            for value, token in self.tokens.items()
            if token_or_user in (value, token.grant.user)
        )

    def find(self, value: object) -> Token | None:
        """Return an access token that is good now."""
        token = self.tokens.get(str(value))
        return token if token is not None and token.kind == "access" and token.is_good() else None

    def revoke(self, value: str, client_id: str) -> None:
        """Revoke a token; a refresh token takes its whole grant along (RFC 7009 2.1)."""
        token = self.tokens.get(value)
        if token is None:
            return
        if token.grant.client_id != client_id:
            raise OAuthError("unauthorized_client", "the token is another client's")
        token.revoked = True
        if token.kind == "refresh":
            token.grant.alive = False


def whole(seconds: float) -> float:
    """Return seconds as most servers write them: without a point, where there is no fraction."""
    return int(seconds) if seconds == int(seconds) else seconds


def _keep(values: dict[str, T], thing: T) -> str:
    """Keep something under a new random value, which is returned."""
    value = secrets.token_urlsafe(32)
    values[value] = thing
    return value


def _letters(user_code: str) -> str:
    return "".join(letter for letter in user_code.upper() if letter.isalnum())


def _proves(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None or verifier is None:
        # A verifier without a challenge is a downgrade (RFC 9700 2.1.1).
        return challenge is verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return len(verifier) in _VERIFIER_LENGTHS and expected == challenge
