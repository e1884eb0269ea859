"""Discovery (RFC 8414) and dynamic registration (RFC 7591)."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from click_auth.testing.endpoints.token import GRANT_TYPES
from click_auth.testing.messages import Answer, Endpoint, OAuthError, Request
from click_auth.testing.parties import Client, may_be_registered

if TYPE_CHECKING:
    from click_auth.testing.service import Service

_AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")
ENDPOINTS: dict[str, Endpoint] = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "device_authorization_endpoint": "device_authorization",
    "revocation_endpoint": "revoke",
    "userinfo_endpoint": "userinfo",
    "registration_endpoint": "register",
}


def discovery(service: Service, _request: Request) -> Answer:
    """Return the metadata document."""
    base = service.issuer.rstrip("/")
    return Answer.json(
        {
            "issuer": service.issuer,
            **{name: f"{base}/{endpoint}" for name, endpoint in ENDPOINTS.items()},
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANT_TYPES),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": list(_AUTH_METHODS),
            "revocation_endpoint_auth_methods_supported": list(_AUTH_METHODS),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }
    )


def register(service: Service, request: Request) -> Answer:
    """Register a client; it gets a secret unless its authentication method is `none`."""
    wanted = request.json()
    uris = wanted.get("redirect_uris")
    if not isinstance(uris, list) or not uris or not all(map(may_be_registered, uris)):
        raise OAuthError("invalid_redirect_uri", "redirect_uris are to be https or loopback http")
    method = wanted.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in _AUTH_METHODS:
        raise OAuthError("invalid_client_metadata", "no such token_endpoint_auth_method")
    client_id, now = f"client-{secrets.token_hex(8)}", int(time.time())
    life = service.client_secret_lifetime
    secret = None if method == "none" else secrets.token_urlsafe(32)
    expires_at = 0 if life is None else int(now + life)
    service.registered[client_id] = Client(client_id, tuple(uris), secret, (method,), expires_at)
    document = {
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        **wanted,
        "client_id": client_id,
        "client_id_issued_at": now,
        "token_endpoint_auth_method": method,
    }
    if secret is not None:
        document |= {"client_secret": secret, "client_secret_expires_at": expires_at}
    return Answer.json(document, 201)
