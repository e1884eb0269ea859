"""An `Auth` for the length of a test: without this machine, and its addresses led elsewhere."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from click_auth import MemoryTokenStore
from click_auth.http.urls import is_loopback
from click_auth.testing.browser import FakeBrowser
from click_auth.testing.endpoints.registry import ENDPOINTS
from click_auth.testing.parties import LOOPBACK_CALLBACKS, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack
    from pathlib import Path

    import httpx

    from click_auth import Auth, TokenStore
    from click_auth.testing.server import AuthorizationServer


class StandIn:
    """Where each address of a provider leads; called with a URL, it returns the server's.

    The server then speaks in the name of the provider's issuer and knows its client.
    """

    def __init__(self, server: AuthorizationServer, provider: object) -> None:
        def fact(name: str) -> Any:
            return getattr(provider, name, None)

        routes = {fact(name): f"{server.url}/{path}" for name, path in ENDPOINTS.items()}
        routes[fact("api_url")] = server.api_url
        issuer = server.claimed_issuer = fact("issuer")
        if issuer is not None:
            routes[issuer] = server.url
            routes[urljoin(issuer, "/.well-known")] = f"{server.origin}/.well-known"
        self._routes = {str(url).rstrip("/"): target for url, target in routes.items() if url}
        client_id, secret = fact("client_id"), fact("client_secret")
        if client_id is not None:
            uris = (*LOOPBACK_CALLBACKS, *(fact("redirect_uris") or ()))
            server.add_client(Client(client_id, uris, secret() if callable(secret) else secret))

    def __call__(self, url: str) -> str:
        """Return where `url` leads; an address that is not the provider's is itself."""
        for prefix in sorted(self._routes, key=len, reverse=True):
            rest = url.removeprefix(prefix)
            if rest != url and (not rest or rest[0] in "/?#"):
                return self._routes[prefix] + rest
        return url


class RoutedTransport(nullcontext[None]):
    """A transport for clients of httpx and httpx2, which reaches the stand-in and nobody else.

    Each request has a connection of its own, which ends with its response: there is no pool
    that would belong to a thread or an event loop, and nothing to close.
    """

    def __init__(self, route: StandIn) -> None:
        super().__init__()
        self._route = route

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request where it leads."""
        transport, routed = self._routed(request, "HTTPTransport")
        response: httpx.Response = transport.handle_request(routed)
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Do the same."""
        transport, routed = self._routed(request, "AsyncHTTPTransport")
        response: httpx.Response = await transport.handle_async_request(routed)
        return response

    def close(self) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Do nothing."""

    def _routed(self, request: httpx.Request, kind: str) -> tuple[Any, httpx.Request]:
        # The module that made the request, httpx or httpx2: it need not be known here.
        module: Any = sys.modules[type(request).__module__.partition(".")[0]]
        target = self._route(str(request.url))
        if not is_loopback(urlsplit(target).hostname or ""):
            raise module.ConnectError(f"out of reach in this test: {target}", request=request)
        limits = module.Limits(max_keepalive_connections=0)
        transport = getattr(module, kind)(verify=False, limits=limits)
        return transport, type(request)(
            request.method,
            target,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )


class IsolateAuth:
    """What the fixture `isolated_auth` is: call it with an `Auth`, as often as you like.

    The `Auth` then keeps its credentials in memory (or in `store`), its files in a folder of
    the test's, sees no environment variable but those of `environ`, and opens a `FakeBrowser`
    (or `browser`). With a `server` the addresses of the (default) provider lead to that server,
    and anything else is out of reach. It is all undone when the test ends.
    """

    def __init__(self, folder: Path, until_the_end: ExitStack) -> None:
        self._folder = folder
        self._until_the_end = until_the_end

    def __call__(
        self,
        auth: Auth,
        *,
        server: AuthorizationServer | None = None,
        store: TokenStore | None = None,
        environ: Mapping[str, str] | None = None,
        browser: Callable[[str], bool] | None = None,
        http_options: Mapping[str, Any] | None = None,
    ) -> Auth:
        """Isolate `auth` until the test ends, and return it."""
        route = None if server is None else StandIn(server, auth.core.services.provider(None))
        options = dict(http_options or {})
        if route is not None:
            options |= {"transport": RoutedTransport(route), "trust_env": False}
        opener = browser or FakeBrowser()
        if isinstance(opener, FakeBrowser):
            opener.route = opener.route or route
        isolated = auth.override(
            store=MemoryTokenStore() if store is None else store,
            folder=self._folder / "click-auth",
            environ=dict(environ or {}),
            browser=opener,
            http_options=options,
        )
        self._until_the_end.enter_context(isolated)
        return auth
