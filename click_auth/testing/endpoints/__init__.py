"""The endpoints of the test server: from a path to the function that answers."""

from __future__ import annotations

from collections.abc import Callable

from click_auth.testing.endpoints.authorize import authorize
from click_auth.testing.endpoints.device import device_authorization, device_page
from click_auth.testing.endpoints.registry import discovery, register
from click_auth.testing.endpoints.resources import api, introspect, revoke, userinfo
from click_auth.testing.endpoints.token import token
from click_auth.testing.messages import Answer, Endpoint, OAuthError, Request
from click_auth.testing.service import Service

_Function = Callable[[Service, Request], Answer]
_FUNCTIONS: dict[Endpoint, tuple[_Function, tuple[str, ...]]] = {
    "discovery": (discovery, ("GET",)),
    "authorize": (authorize, ("GET", "POST")),
    "token": (token, ("POST",)),
    "device_authorization": (device_authorization, ("POST",)),
    "device": (device_page, ("GET", "POST")),
    "revoke": (revoke, ("POST",)),
    "userinfo": (userinfo, ("GET", "POST")),
    "register": (register, ("POST",)),
    "introspect": (introspect, ("POST",)),
    "api": (api, ("GET", "POST")),
}
_PATHS: dict[str, Endpoint] = {
    "/authorize": "authorize",
    "/token": "token",
    "/device_authorization": "device_authorization",
    "/device": "device",
    "/revoke": "revoke",
    "/userinfo": "userinfo",
    "/register": "register",
    "/introspect": "introspect",
}


def find_endpoint(path: str, issuer_path: str) -> Endpoint:
    """Return what is at a path; metadata is wherever clients look for it (RFC 8414 3.1, 5)."""
    well_known = "/.well-known"
    if path in (
        f"{well_known}/oauth-authorization-server{issuer_path}",
        f"{well_known}/openid-configuration{issuer_path}",
        f"{issuer_path}{well_known}/openid-configuration",
    ):
        return "discovery"
    if path == "/api" or path.startswith("/api/"):
        return "api"
    # Pages post to paths without the issuer's, which a browser need not know.
    if path == "/consent":
        return "authorize"
    if path == "/device":
        return "device"
    if not path.startswith(issuer_path):
        return "unknown"
    return _PATHS.get(path.removeprefix(issuer_path), "unknown")


def answer(service: Service, request: Request) -> Answer:
    """Return what the server itself says to a request."""
    if request.endpoint == "unknown":
        return Answer(404)
    function, methods = _FUNCTIONS[request.endpoint]
    if request.method not in methods:
        return Answer(405, {"Allow": ", ".join(methods)})
    try:
        return function(service, request)
    except OAuthError as error:
        return error.answer()
