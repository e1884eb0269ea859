"""A client that registers itself with the server (RFC 7591)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click_auth.errors import DCR_FAILED, LoginFailed
from click_auth.http.call import Call
from click_auth.oauth.endpoint import EndpointFailed, granted
from click_auth.oauth.server import NONE, Client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.oauth.server import Server

_KEPT = (
    *("client_id", "client_secret", "client_secret_expires_at", "token_endpoint_auth_method"),
    *("registration_access_token", "registration_client_uri"),
)


def register(server: Server) -> Client:
    """Return the client that is registered now, or that another login has. Blocks.

    Raises `LoginFailed`.
    """
    body, kind = json.dumps(_metadata(server)).encode(), {"Content-Type": "application/json"}
    try:
        registration = server.fetch(
            "registration_endpoint", lambda url: Call(url, body, kind), granted
        )
    except EndpointFailed as error:
        raise error.as_login_error(DCR_FAILED) from None
    client = Client.registered_as(registration)
    if client is None:
        message = f"{server.facts.display_name} returned an unusable client registration."
        raise LoginFailed(message, code=DCR_FAILED)
    ours = {name: registration[name] for name in _KEPT if registration.get(name) is not None}
    registrations = server.context.registrations
    first = Client.registered_as(registrations.insert(server.registration_name, ours))
    if first is None:
        registrations.save(server.registration_name, ours)
    return first or client


def _metadata(server: Server) -> Mapping[str, Any]:
    facts = server.facts
    grant_types = ["authorization_code", "refresh_token"]
    if server.usable("device_authorization_endpoint") is not None:
        grant_types.append("urn:ietf:params:oauth:grant-type:device_code")
    metadata: dict[str, Any] = {
        "redirect_uris": list(facts.redirect_uris),
        "grant_types": grant_types,
        "response_types": ["code"],
        "application_type": "native",
        "token_endpoint_auth_method": facts.token_endpoint_auth_method or NONE,
    }
    if facts.scopes:
        metadata["scope"] = " ".join(facts.scopes)
    return {**metadata, **facts.client_metadata}
