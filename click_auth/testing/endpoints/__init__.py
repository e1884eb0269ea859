"""The endpoints of the test server: from a path to the function that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from click_auth.testing.endpoints.authorize import authorize
from click_auth.testing.endpoints.device import device_authorization, device_page
from click_auth.testing.endpoints.registry import discovery, register
from click_auth.testing.endpoints.resources import api, revoke, userinfo
from click_auth.testing.endpoints.token import token
from click_auth.testing.messages import Answer, Endpoint, OAuthError, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.testing.service import Service

_FUNCTIONS: dict[Endpoint, tuple[Callable[[Service, Request], Answer], tuple[str, ...]]] = {
    "discovery": (discovery, ("GET",)),
    "authorize": (authorize, ("GET", "POST")),
    "token": (token, ("POST",)),
    "device_authorization": (device_authorization, ("POST",)),
    "device": (device_page, ("GET", "POST")),
    "revoke": (revoke, ("POST",)),
    "userinfo": (userinfo, ("GET", "POST")),
    "register": (register, ("POST",)),
    "api": (api, ("GET", "POST")),
}


def find_endpoint(service: Service, path: str) -> Endpoint:
    """Return what is at a path; metadata is wherever clients look for it (RFC 8414 3.1, 5)."""
    well_known, tenant = "/.well-known", urlsplit(service.issuer).path.rstrip("/")
    if path in (
        f"{well_known}/oauth-authorization-server{tenant}",
        f"{well_known}/openid-configuration{tenant}",
        f"{service.path}{well_known}/openid-configuration",
    ):
        return "discovery"
    if f"{path}/".startswith("/api/"):
        return "api"
    name = path.removeprefix(f"{service.path}/")
    known = name != path and name in _FUNCTIONS and name not in ("api", "discovery")
    return cast("Endpoint", name) if known else "unknown"


def answer(service: Service, request: Request) -> Answer:
    """Return what the server itself says to a request."""
    if request.endpoint == "unknown":
        return Answer(404)
    function, methods = _FUNCTIONS[request.endpoint]
    if request.method not in methods:
        return Answer(405, {"Allow": ", ".join(methods)})
    try:
        with service.lock:
            return function(service, request)
    except OAuthError as error:
        return Answer.json(error.parameters(), error.status, error.headers)
