"""ID tokens (OpenID Connect Core 3.1.3.7), checked by joserfc, an extra: signature and claims."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from click_auth.http.call import Call
from click_auth.oauth.endpoint import EndpointFailed, granted, unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.oauth.server import Server

TOLERANCE = 300  # seconds between the server's clock and ours
FURTHEST_OFF = 2 * 86400.0  # seconds; a server that tells another date could revive an old token
_LATEST = 1e12  # POSIX seconds; beyond it a number is no moment
ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519", "EdDSA"),
]


def check_id_token(server: Server, id_token: str, nonce: str | None) -> Mapping[str, Any]:
    """Return the claims of *id_token*, every one of them checked, `sub` a text.

    Blocks when the server's keys are not in the cache. Raises `EndpointFailed`.
    """
    claims = _verified(server, id_token)
    now = int(time.time() + _clock_difference(server))
    client_id = server.client_id or server.client().client_id
    expected = {"iss": server.facts.issuer, "aud": client_id, "nonce": nonce}
    options: dict[str, Any] = {name: {"essential": True} for name in ("sub", "exp", "iat")}
    options |= {name: {"essential": True, "value": each} for name, each in expected.items() if each}
    try:
        jwt.JWTClaimsRegistry(now, TOLERANCE, **options).validate(dict(claims))
        is_current = claims["iat"] >= now - TOLERANCE and claims["exp"] < _LATEST
    except ExpiredTokenError:
        is_current = False
    except JoseError as error:
        raise _refused(error.description) from None
    if not is_current:
        raise _refused("it is expired or not valid yet; is this machine's clock right?")
    if not isinstance(claims["sub"], str):
        raise _refused("it has no subject (sub)")
    is_only_ours = claims["aud"] in (client_id, [client_id])
    if claims.get("azp", client_id if is_only_ours else None) != client_id:
        raise _refused("it was issued to another client (azp)")
    return claims


def _verified(server: Server, id_token: str) -> Mapping[str, Any]:
    for fresh in (False, True):  # the key may be newer than our copy
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            return jwt.decode(id_token, _keys(server, fresh=fresh), ALGORITHMS).claims
    raise _refused("its signature is not the server's")


def _keys(server: Server, *, fresh: bool) -> KeySet:
    url = server.endpoint("jwks_uri")
    document = None if fresh else server.facts.context.cache.load(url)
    if fresh:
        document = granted(server.fetch("jwks_uri", Call))
        server.facts.context.cache.save(url, document)
    published, keys = (document or {}).get("keys"), []
    for key in published if isinstance(published, list) else []:
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            keys.append(JWKRegistry.import_key(key))  # one odd key does not spoil the others
    return KeySet(keys)


def _clock_difference(server: Server) -> float:
    """Return how far this server's own clock is ahead; a clock that is too far off is not asked."""
    measured = server.facts.context.http.clock_difference(server.endpoint("token_endpoint"))
    return measured if measured is not None and abs(measured) <= FURTHEST_OFF else 0.0


def _refused(why: str) -> EndpointFailed:
    return unusable(f"the ID token was refused: {why}")
