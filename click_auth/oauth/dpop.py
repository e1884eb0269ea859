"""Tokens that are bound to a key of ours (RFC 9449), on joserfc, an extra.

The key is kept as a registered client's secret is, one for each server and client.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from click_auth.http.urls import origin
from click_auth.oauth.endpoint import error_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.http.call import Answer
    from click_auth.oauth.facts import Facts
    from click_auth.providers import ProviderContext

NONCE_HEADER = "dpop-nonce"
_ALGORITHM = "ES256"


class Prover:
    """Proves that we hold the key, and remembers the nonce that each server gave last.

    The key is made now where there is none.
    """

    def __init__(self, facts: Facts) -> None:
        self.context: ProviderContext = facts.context
        self._home = facts.binding.resource or facts.binding.issuer or ""
        name = f"dpop {self._home} {facts.client_id or ''}".rstrip()
        kept = self.context.registrations.load(name)
        if kept is None:
            made = ECKey.generate_key("P-256", private=True).as_dict(private=True)
            kept = self.context.registrations.insert(name, {"client_secret": json.dumps(made)})
        self._key: ECKey = ECKey.import_key(json.loads(kept["client_secret"]))
        self._nonces: dict[str, str] = {}

    @property
    def thumbprint(self) -> str:
        """What binds an authorization code to the key (section 10)."""
        return str(self._key.thumbprint())

    def proof(self, method: str, url: str, access_token: str | None = None) -> str:
        """Return the `DPoP` header of a request (section 4.2), which may carry a token."""
        server, path = _target(url)
        # An API's own clock is seldom measured.
        clock_difference = self.context.http.clock_difference(server, self._home) or 0.0
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": server + path,
            "iat": int(time.time() + clock_difference),
        }
        if access_token is not None:
            digest = hashlib.sha256(access_token.encode("ascii")).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
        if server in self._nonces:
            claims["nonce"] = self._nonces[server]
        public = self._key.as_dict(private=False)
        header = {"typ": "dpop+jwt", "alg": _ALGORITHM, "jwk": public}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])

    def with_token(self, method: str, url: str, access_token: str) -> dict[str, str]:
        """Return the headers of a request that uses *access_token* (section 7.1)."""
        proof = self.proof(method, url, access_token)
        return {"Authorization": f"DPoP {access_token}", "DPoP": proof}

    def learn(self, url: str, headers: Mapping[str, str]) -> bool:
        """Take over the nonce in a response's *headers*; return whether it is a new one."""
        nonce, server = headers.get(NONCE_HEADER), _target(url)[0]
        if nonce is None or self._nonces.get(server) == nonce:
            return False
        self._nonces[server] = nonce
        return True

    def is_challenged_by(self, answer: Answer) -> bool:
        """Return whether *answer* asks for the same request with its new nonce (sections 8, 9)."""
        if not self.learn(answer.call.url, answer.headers):
            return False
        said = error_code(answer) or answer.headers.get("www-authenticate", "")
        return "use_dpop_nonce" in said


def _target(url: str) -> tuple[str, str]:
    """Return the origin and the path of *url*: what a proof is for.

    It may be any that the application asks, whose query holds what no URL of ours may.
    """
    parts = urlsplit(url)
    return origin(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"), parts.path
