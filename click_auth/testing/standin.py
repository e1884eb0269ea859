"""A test server in the place of the real one: the same addresses, led elsewhere."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from click_auth.testing.parties import LOOPBACK_CALLBACKS, LOOPBACK_HOSTS, Client

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Self

    from click_auth.testing.server import AuthorizationServer

_ENDPOINTS = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "device_authorization_endpoint": "/device_authorization",
    "revocation_endpoint": "/revoke",
    "userinfo_endpoint": "/userinfo",
    "registration_endpoint": "/register",
}


class StandIn:
    """Where each address of a provider leads; called with a URL, it returns the server's.

    The server then speaks in the name of the provider's issuer and knows its client.
    """

    def __init__(self, server: AuthorizationServer, provider: object) -> None:
        given = {name: getattr(provider, name, None) for name in ("issuer", "api_url", *_ENDPOINTS)}
        known = {name: str(url).rstrip("/") for name, url in given.items() if url}
        self._routes = {
            url: server.url + _ENDPOINTS[name] for name, url in known.items() if name in _ENDPOINTS
        }
        if "api_url" in known:
            self._routes[known["api_url"]] = server.api_url
        if "issuer" in known:
            server.claim(str(given["issuer"]))
            self._routes |= _issuer_routes(known["issuer"], server.url)
        _register(server, provider)

    def __call__(self, url: str) -> str:
        """Return where `url` leads; an address that is not the provider's is itself."""
        for prefix in sorted(self._routes, key=len, reverse=True):
            rest = url.removeprefix(prefix)
            if rest != url and (not rest or rest[0] in "/?#"):
                return self._routes[prefix] + rest
        return url


class RoutedTransport:
    """A transport for httpx's clients of both kinds, which reaches the stand-in and nobody else."""

    def __init__(self, route: StandIn) -> None:
        self._route = route
        self._lock = threading.Lock()
        self._inner: Any = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request where it leads."""
        module, routed = self._routed(request)
        with self._lock:
            if self._inner is None:
                self._inner = module.HTTPTransport(verify=False)
        response: httpx.Response = self._inner.handle_request(routed)
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request where it leads, on a connection of its own: pools belong to a loop."""
        module, routed = self._routed(request)
        limits = module.Limits(max_keepalive_connections=0)
        inner = module.AsyncHTTPTransport(verify=False, limits=limits)
        response: httpx.Response = await inner.handle_async_request(routed)
        return response

    def shut(self) -> None:
        """Close all connections; clients that close must not do it, since they share them."""
        with self._lock:
            inner, self._inner = self._inner, None
        if inner is not None:
            inner.close()

    def close(self) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def _routed(self, request: httpx.Request) -> tuple[Any, httpx.Request]:
        # The module that made the request, httpx or httpx2: it need not be known here.
        module = sys.modules[type(request).__module__.partition(".")[0]]
        target = self._route(str(request.url))
        if urlsplit(target).hostname not in LOOPBACK_HOSTS:
            raise module.ConnectError(f"out of reach in this test: {target}", request=request)
        routed = type(request)(
            request.method,
            target,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return module, routed


def _issuer_routes(issuer: str, url: str) -> dict[str, str]:
    parts = urlsplit(issuer)
    well_known = "/.well-known/oauth-authorization-server"
    openid = "/.well-known/openid-configuration"
    origin, real = f"{parts.scheme}://{parts.netloc}", urlsplit(url)
    real_origin = f"{real.scheme}://{real.netloc}"
    return {
        issuer: url,
        f"{origin}{well_known}{parts.path}": f"{real_origin}{well_known}{real.path}",
        f"{origin}{openid}{parts.path}": f"{real_origin}{openid}{real.path}",
    }


def _register(server: AuthorizationServer, provider: object) -> None:
    client_id, secret = (getattr(provider, name, None) for name in ("client_id", "client_secret"))
    uris = getattr(provider, "redirect_uris", ())
    if client_id is None:
        return
    secret = secret() if callable(secret) else secret
    server.add_client(Client(str(client_id), (*LOOPBACK_CALLBACKS, *uris), secret))
