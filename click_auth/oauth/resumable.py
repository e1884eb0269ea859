"""A login in two calls: by a code for another device, or through a browser that is elsewhere."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from click_auth.oauth import device
from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse
from click_auth.providers.request import BegunLogin, LoginRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.oauth.server import Server
    from click_auth.record import TokenBundle

REDIRECT_SECONDS = 600.0
"""How long a person has in the browser: no server tells."""
_PORTS = (49152, 65535)


def begin(
    server: Server, request: LoginRequest, authorize: Callable[[LoginRequest], AuthorizationRequest]
) -> BegunLogin:
    """Return a login by device; by redirect where the server or *request* has no use for that."""
    is_open = request.device is None and not request.needs_browser
    if request.device or (is_open and server.usable(device.ENDPOINT)):
        code = device.DeviceLogin(server, request).begin().code
        secrets = {"device_code": code.device_code}
        url = code.complete_uri or code.uri
        return BegunLogin(url, code.lifetime, secrets, code.user_code, code.interval)
    uri = _redirect_uri(server.facts.redirect_uris[0])
    asked = authorize(replace(request, redirect_uri=uri))
    return BegunLogin(
        asked.url,
        REDIRECT_SECONDS,
        {"state": asked.state, "code_verifier": asked.code_verifier, "nonce": asked.nonce},
        redirect_uri=uri,
        iss_required=asked.iss_required,
    )


def finish(
    server: Server,
    begun: BegunLogin,
    request: LoginRequest,
    respond: Callable[[AuthorizationRequest], AuthorizationResponse],
    exchange: Callable[[AuthorizationRequest, AuthorizationResponse], TokenBundle],
) -> TokenBundle | None:
    """Return the tokens, or None where the device code was not entered yet."""
    if begun.redirect_uri is None:
        device_code, user_code = begun.secrets["device_code"] or "", begun.user_code or ""
        code = device.DeviceCode(
            device_code, user_code, begun.url, None, begun.lifetime, begun.interval
        )
        return device.DeviceLogin(server, request).resume(code)
    asked = AuthorizationRequest(
        begun.url,
        begun.redirect_uri,
        begun.secrets["state"] or "",
        begun.secrets["code_verifier"] or "",
        begun.secrets["nonce"],
        server.requested_scopes(request),
        issuer=server.facts.issuer,
        iss_required=begun.iss_required,
    )
    return exchange(asked, respond(asked))


def _redirect_uri(registered: str) -> str:
    """Return the URI to ask for: as registered, or where that has no port, at any."""
    parts = urlsplit(registered)
    if parts.port is not None or parts.scheme != "http":
        return registered
    port = random.randint(*_PORTS)  # noqa: S311 - the browser is to fail there, no secret
    return parts._replace(netloc=f"{parts.netloc}:{port}").geturl()
