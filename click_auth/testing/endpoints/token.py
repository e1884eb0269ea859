"""The token endpoint (RFC 6749 3.2): one function for each grant type."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from click_auth.testing.endpoints.authorize import check_resource
from click_auth.testing.grants import Grant, Issued
from click_auth.testing.messages import Answer, OAuthError, Request, split_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.testing.parties import Client
    from click_auth.testing.service import Service

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def token(service: Service, request: Request) -> Answer:
    """Issue tokens; raises `OAuthError` (RFC 6749 5.2)."""
    if request.repeated:
        raise OAuthError("invalid_request", f"repeated: {', '.join(request.repeated)}")
    grant_type = request.form.get("grant_type", "")
    if not grant_type:
        raise OAuthError("invalid_request", "grant_type is missing")
    story = _GRANT_TYPES.get(grant_type)
    if story is None:
        raise OAuthError("unsupported_grant_type", "no such grant type is offered")
    client = service.directory.authenticate(request)
    check_resource(request.form.get("resource"))
    issued = story(service, client, request)
    return Answer.json(describe(service, issued))


def describe(service: Service, issued: Issued) -> dict[str, object]:
    """Return the fields of a token response (RFC 6749 5.1)."""
    seconds = issued.expires_in
    document: dict[str, object] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": int(seconds) if seconds == int(seconds) else seconds,
        "scope": " ".join(issued.scopes),
    }
    if issued.refresh_token is not None:
        document["refresh_token"] = issued.refresh_token
    if "openid" in issued.scopes and issued.grant.user is not None:
        document["id_token"] = _id_token(service, issued.grant)
    return document


def _code(service: Service, client: Client, request: Request) -> Issued:
    form = request.form
    if "code" not in form or "redirect_uri" not in form:
        raise OAuthError("invalid_request", "code and redirect_uri are required")
    return service.grants.redeem(
        form["code"], client.client_id, form["redirect_uri"], form.get("code_verifier")
    )


def _refresh(service: Service, client: Client, request: Request) -> Issued:
    form = request.form
    if "refresh_token" not in form:
        raise OAuthError("invalid_request", "refresh_token is missing")
    scopes = split_scope(form.get("scope", ""))
    return service.grants.refresh(form["refresh_token"], client.client_id, scopes)


def _client_credentials(service: Service, client: Client, request: Request) -> Issued:
    if client.secret is None:
        raise OAuthError("unauthorized_client", "a public client has no credentials")
    scopes = split_scope(request.form.get("scope", ""))
    resource = tuple(filter(None, [request.form.get("resource")]))
    grant = Grant(client.client_id, None, scopes, resource)
    return service.grants.issue(grant, refreshable=False)


def _device(service: Service, client: Client, request: Request) -> Issued:
    error = service.faults.next_device_error()
    if error is not None:
        raise OAuthError(error)
    if "device_code" not in request.form:
        raise OAuthError("invalid_request", "device_code is missing")
    grant = service.devices.poll(request.form["device_code"], client.client_id)
    return service.grants.issue(grant)


def _id_token(service: Service, grant: Grant) -> str:
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": service.issuer,
        "sub": grant.user,
        "aud": grant.client_id,
        "iat": now,
        "exp": now + 3600,
    }
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    claims.update(service.faults.id_token)
    # Unsigned: the code flow's TLS vouches for it (OIDC Core 3.1.3.7, 6).
    return f"{_segment({'alg': 'none'})}.{_segment(claims)}."


def _segment(document: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


_GRANT_TYPES: dict[str, Callable[[Service, Client, Request], Issued]] = {
    "authorization_code": _code,
    "refresh_token": _refresh,
    "client_credentials": _client_credentials,
    DEVICE_CODE: _device,
}
GRANT_TYPES = tuple(_GRANT_TYPES)
