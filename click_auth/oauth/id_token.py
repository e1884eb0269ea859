"""ID tokens (OpenID Connect Core 3.1.3.7), checked by joserfc, an extra: signature and claims."""

from __future__ import annotations

import base64
import contextlib
import hmac
import importlib.util
import time
from typing import TYPE_CHECKING, Any

from click_auth.http.call import Call
from click_auth.http.urls import host_of
from click_auth.oauth.endpoint import SUCCESS, EndpointFailed, ask, granted
from click_auth.oauth.strict_json import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from joserfc.jwk import KeySet

    from click_auth.oauth.server import Server

TOLERANCE = 300.0  # seconds between the server's clock and ours
FURTHEST_OFF = 2 * 86400.0  # seconds; a server that tells another date could revive an old token
_LATEST = 1e12  # POSIX seconds; beyond it a number is no moment
ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
]


def can_be_checked(server: Server) -> bool:
    """Return whether joserfc is installed and the server publishes its keys."""
    installed = importlib.util.find_spec("joserfc") is not None
    return installed and server.offered("jwks_uri") is not None


def validated(server: Server, id_token: str, *, nonce: str | None = None) -> Mapping[str, Any]:
    """Return the claims of *id_token*, every one of them checked, `sub` a text.

    Blocks when the server's keys are not in the cache. Raises `EndpointFailed`.
    """
    claims = _verified(server, id_token)
    _check_parties(claims, server.provider.issuer, server.client.client_id)
    now = time.time() + _clock_difference(server)
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    if expires <= now - TOLERANCE or abs(issued - now) > TOLERANCE:
        raise _refused("it is not of this moment; is this machine's clock right?")
    if nonce is not None and not _same(claims.get("nonce"), nonce):
        raise _refused("it answers another login (nonce)")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise _refused("it names nobody (sub)")
    return claims


def unverified_claims(id_token: str) -> Mapping[str, Any]:
    """Return the claims that *id_token* makes, unchecked; none where it cannot be read."""
    try:
        payload = id_token.split(".")[1]
        return parsed(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return {}


def _check_parties(claims: Mapping[str, Any], issuer: str | None, client_id: str) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != issuer:
        raise _refused("it is another issuer's (iss)")
    if client_id not in audiences:
        raise _refused("it is for another client (aud)")
    if claims.get("azp", client_id if len(audiences) == 1 else None) != client_id:
        raise _refused("it was issued to another client (azp)")


def _verified(server: Server, id_token: str) -> Mapping[str, Any]:
    from joserfc import jwt  # noqa: PLC0415 - an extra
    from joserfc.errors import JoseError  # noqa: PLC0415

    for fresh in (False, True):  # the key may be newer than our copy
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            return jwt.decode(id_token, _keys(server, fresh=fresh), ALGORITHMS).claims
    raise _refused("its signature is not the server's")


def _keys(server: Server, *, fresh: bool) -> KeySet:
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import JWKRegistry, KeySet  # noqa: PLC0415

    keys: list[Any] = []
    for key in _published(server, fresh=fresh):
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            keys.append(JWKRegistry.import_key(key))  # one odd key does not spoil the others
    return KeySet(keys)


def _published(server: Server, *, fresh: bool) -> list[Any]:
    cache = server.context.cache

    def fetched(url: str) -> Mapping[str, Any]:
        answer = ask(server.context.http, Call(url), server.timeout)
        document = granted(answer, host_of(url))
        cache.save(url, document)
        return document

    cached = None if fresh else cache.load(server.endpoint("jwks_uri"))
    document = server.at("jwks_uri", fetched) if fresh else cached
    keys = (document or {}).get("keys")
    return keys if isinstance(keys, list) else []


def _clock_difference(server: Server) -> float:
    """Return how far this server's own clock is ahead; a clock that is too far off is not asked."""
    measured = server.context.http.clock_difference(server.endpoint("token_endpoint"))
    return measured if measured is not None and abs(measured) <= FURTHEST_OFF else 0.0


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value < _LATEST:
        raise _refused(f"it has no proper {name}")
    return max(float(value), 0.0)


def _same(claimed: object, expected: str) -> bool:
    return isinstance(claimed, str) and hmac.compare_digest(claimed.encode(), expected.encode())


def _refused(why: str) -> EndpointFailed:
    return EndpointFailed(f"the ID token was refused: {why}", status=SUCCESS[0])
