"""Dynamic client registration (RFC 7591): once for each server and set of redirect URIs."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from click_auth.errors import DCR_FAILED, LoginFailed
from click_auth.http.call import Call
from click_auth.http.urls import host_of
from click_auth.oauth.client import BASIC, NONE, Client
from click_auth.oauth.endpoint import EndpointFailed, ask, granted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.oauth.server import Server

_KEPT = (
    *("client_id", "client_secret", "client_secret_expires_at", "token_endpoint_auth_method"),
    *("registration_access_token", "registration_client_uri"),
)
_MARGIN = 60.0  # seconds before its expiry in which a secret is not begun with


def registered(server: Server) -> Client | None:
    """Return this application's client at *server*, if it was registered and is good still."""
    known = server.context.registrations.load(_name(server))
    return None if known is None else _usable(known)


def register(server: Server) -> Client:
    """Return a client registered just now. Blocks. Raises `LoginFailed`."""
    try:
        registration = _register(server)
    except EndpointFailed as error:
        raise error.as_login_error(DCR_FAILED) from None
    client = _usable(registration)
    if client is None:
        message = f"{server.provider.display_name} registered a client that cannot be used."
        raise LoginFailed(message, code=DCR_FAILED)
    ours = {name: registration[name] for name in _KEPT if registration.get(name) is not None}
    registrations = server.context.registrations
    first = _usable(registrations.insert(_name(server), ours))  # another login's, at times
    if first is None:
        registrations.save(_name(server), ours)
    return first or client


def forget(server: Server) -> None:
    """Forget the registration, so that the next login makes a new one."""
    server.context.registrations.forget(_name(server))


def _name(server: Server) -> str:
    where = server.provider.issuer or server.provider.registration_endpoint
    return " ".join((str(where), *server.provider.redirect_uris))


def _register(server: Server) -> dict[str, Any]:
    body = json.dumps(_metadata(server)).encode()

    def answered(url: str) -> dict[str, Any]:
        call = Call(url, body, {"Content-Type": "application/json"})
        return granted(ask(server.context.http, call, server.timeout), host_of(url))

    return server.at("registration_endpoint", answered)


def _metadata(server: Server) -> Mapping[str, Any]:
    provider = server.provider
    grant_types = ["authorization_code", "refresh_token"]
    if server.usable("device_authorization_endpoint") is not None:
        grant_types.append("urn:ietf:params:oauth:grant-type:device_code")
    metadata: dict[str, Any] = {
        "redirect_uris": list(provider.redirect_uris),
        "grant_types": grant_types,
        "response_types": ["code"],
        "application_type": "native",
        "token_endpoint_auth_method": provider.token_endpoint_auth_method or NONE,
    }
    if provider.scopes:
        metadata["scope"] = " ".join(provider.scopes)
    return {**metadata, **provider.client_metadata}


def _usable(registration: Mapping[str, Any]) -> Client | None:
    """Return the client of *registration*, or None where it is none, or none any longer."""
    client_id, secret = registration.get("client_id"), registration.get("client_secret")
    if not isinstance(client_id, str) or not client_id:
        return None
    if secret is not None and (not isinstance(secret, str) or not secret):
        return None
    expires = registration.get("client_secret_expires_at") or 0
    if isinstance(expires, bool) or not isinstance(expires, (int, float)):
        return None
    if secret is not None and expires and expires <= time.time() + _MARGIN:
        return None
    method = registration.get("token_endpoint_auth_method")
    if secret is None or method == NONE:
        return Client(client_id)
    return Client(client_id, secret, method if isinstance(method, str) else BASIC)
