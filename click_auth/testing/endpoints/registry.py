"""Discovery (RFC 8414) and dynamic registration (RFC 7591)."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from click_auth.testing.endpoints.token import GRANT_TYPES
from click_auth.testing.messages import Answer, OAuthError, Request
from click_auth.testing.parties import LOOPBACK_HOSTS, Client

if TYPE_CHECKING:
    from click_auth.testing.service import Service

_AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")


def discovery(service: Service, _request: Request) -> Answer:
    """Return the metadata document."""
    issuer = service.issuer.rstrip("/")
    return Answer.json(
        {
            "issuer": service.issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "device_authorization_endpoint": f"{issuer}/device_authorization",
            "revocation_endpoint": f"{issuer}/revoke",
            "introspection_endpoint": f"{issuer}/introspect",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "registration_endpoint": f"{issuer}/register",
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
    uris = _redirect_uris(wanted.get("redirect_uris"))
    method = wanted.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in _AUTH_METHODS:
        raise OAuthError("invalid_client_metadata", "no such token_endpoint_auth_method")
    client_id = f"client-{secrets.token_hex(8)}"
    document: dict[str, object] = {
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        **wanted,
        "client_id": client_id,
        "client_id_issued_at": int(time.time()),
        "token_endpoint_auth_method": method,
    }
    if method == "none":
        service.directory.add(Client(client_id, uris))
        return Answer.json(document, 201)
    life = service.client_secret_lifetime
    expires_at = 0 if life is None else int(time.time() + life)
    secret = secrets.token_urlsafe(32)
    service.directory.add(Client(client_id, uris, secret, (str(method),), expires_at))
    document |= {"client_secret": secret, "client_secret_expires_at": expires_at}
    return Answer.json(document, 201)


def _redirect_uris(wanted: object) -> tuple[str, ...]:
    uris = wanted if isinstance(wanted, list) else []
    if not uris or not all(isinstance(uri, str) and _is_allowed(uri) for uri in uris):
        raise OAuthError("invalid_redirect_uri", "redirect_uris are to be https or loopback http")
    return tuple(uris)


def _is_allowed(uri: str) -> bool:
    parts = urlsplit(uri)
    loopback = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    return (parts.scheme == "https" or loopback) and not parts.fragment
