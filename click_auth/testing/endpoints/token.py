"""The token endpoint (RFC 6749 3.2): one function for each grant type."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from click_auth.testing.endpoints.authorize import check_resource
from click_auth.testing.grants import Grant
from click_auth.testing.messages import Answer, OAuthError, Request
from click_auth.testing.parties import authenticate

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.testing.parties import Client
    from click_auth.testing.service import Service


def token(service: Service, request: Request) -> Answer:
    """Issue tokens; raises `OAuthError` (RFC 6749 5.2)."""
    if request.repeated:
        raise OAuthError("invalid_request", f"repeated: {', '.join(request.repeated)}")
    story = _GRANT_TYPES.get(request.required("grant_type"))
    if story is None:
        raise OAuthError("unsupported_grant_type", "no such grant type is offered")
    client = authenticate(request, service.registered)
    check_resource(request.form.get("resource"))
    return Answer.json(with_id_token(service, story(service, client, request)))


def with_id_token(service: Service, document: dict[str, object]) -> dict[str, object]:
    """Return a token response, with an ID token if its scope has `openid`."""
    issued = service.grants.find(document["access_token"])
    if issued is None or issued.grant.user is None or "openid" not in issued.scopes:
        return document
    now, grant = int(time.time()), issued.grant
    claims: dict[str, object] = {
        "iss": service.issuer,
        "sub": grant.user,
        "aud": grant.client_id,
        "iat": now,
        "exp": now + 3600,
        **({} if grant.nonce is None else {"nonce": grant.nonce}),
        **service.faults.id_token,
    }
    # Unsigned: the code flow's TLS vouches for it (OIDC Context 3.1.3.7, 6).
    return {**document, "id_token": f"{_segment({'alg': 'none'})}.{_segment(claims)}."}


def _code(service: Service, client: Client, request: Request) -> dict[str, object]:
    code, redirect_uri = request.required("code"), request.required("redirect_uri")
    verifier = request.form.get("code_verifier")
    grant = service.grants.redeem(code, client.client_id, redirect_uri, verifier)
    return service.grants.issue(grant)


def _refresh(service: Service, client: Client, request: Request) -> dict[str, object]:
    value = request.required("refresh_token")
    return service.grants.refresh(value, client.client_id, request.scopes)


def _client_credentials(service: Service, client: Client, request: Request) -> dict[str, object]:
    if client.secret is None:
        raise OAuthError("unauthorized_client", "a public client has no credentials")
    return service.grants.issue(Grant(client.client_id, None, request.scopes))


def _device(service: Service, client: Client, request: Request) -> dict[str, object]:
    if service.faults.device_errors:
        raise OAuthError(service.faults.device_errors.pop(0))
    grant = service.devices.poll(request.required("device_code"), client.client_id)
    return service.grants.issue(grant)


def _segment(document: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


_GRANT_TYPES: dict[str, Callable[[Service, Client, Request], dict[str, object]]] = {
    "authorization_code": _code,
    "refresh_token": _refresh,
    "client_credentials": _client_credentials,
    "urn:ietf:params:oauth:grant-type:device_code": _device,
}
GRANT_TYPES = tuple(_GRANT_TYPES)
