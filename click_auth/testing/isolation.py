"""An `Auth` in a test: cut off from this machine, its addresses led elsewhere, logged in."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, timedelta, timezone
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from click_auth import Account, MemoryTokenStore, TokenBundle
from click_auth.http.urls import is_loopback
from click_auth.testing.browser import FakeBrowser
from click_auth.testing.endpoints import METADATA
from click_auth.testing.parties import LOOPBACK_CALLBACKS, Client, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import httpx

    from click_auth import Auth, TokenStore
    from click_auth.testing.server import AuthorizationServer
_TOKENS = ("access_token", "refresh_token")


class StandIn:
    """Where each address of a provider leads; called with a URL, it returns the server's.

    The server then speaks in the name of the provider's issuer and knows its client.
    """

    def __init__(self, server: AuthorizationServer, provider: object) -> None:
        def fact(name: str) -> Any:
            return getattr(provider, name, None)

        routes = {fact(name): f"{server.url}/{path}" for name, path in METADATA.items()}
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

    def handle_request(self, request: httpx.Request) -> Any:
        """Send a request where it leads, and return the response of its module."""
        transport, routed = self._routed(request, "HTTPTransport")
        return transport.handle_request(routed)

    async def handle_async_request(self, request: httpx.Request) -> Any:
        """Do the same."""
        transport, routed = self._routed(request, "AsyncHTTPTransport")
        return await transport.handle_async_request(routed)

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
        kept = {name: getattr(request, name) for name in ("headers", "stream", "extensions")}
        return transport, type(request)(request.method, target, **kept)


@contextmanager
def isolated(
    auth: Auth,
    folder: Path,
    *,
    server: AuthorizationServer | None = None,
    store: TokenStore | None = None,
    environ: Mapping[str, str] | None = None,
    browser: Callable[[str], bool] | None = None,
    http_options: Mapping[str, Any] | None = None,
) -> Iterator[Auth]:
    """Isolate `auth` inside of the block; `isolated_auth` does it until a test ends.

    The `Auth` then keeps its credentials in memory (or in `store`), its files in `folder`,
    sees no environment variable but those of `environ`, and opens a `FakeBrowser` (or
    `browser`). With a `server` the addresses of the (default) provider lead to that server,
    and anything else is out of reach.
    """
    environ, options = dict(environ or {}), dict(http_options or {})
    store = MemoryTokenStore() if store is None else store
    opener = FakeBrowser() if browser is None else browser
    if server is not None:
        route = StandIn(server, auth.context.services.provider(None))
        options |= {"transport": RoutedTransport(route), "trust_env": False}
        if isinstance(opener, FakeBrowser):
            opener.route = opener.route or route
    with auth.override(
        store=store, folder=folder, environ=environ, browser=opener, http_options=options
    ):
        yield auth


class logged_in(ExitStack):  # noqa: N801 - it reads as what it does: `with logged_in(auth):`
    """Put a credential into the store of `auth`, at once; as a context manager, until it ends.

    With a `server` the tokens are good there and can be refreshed, otherwise they are made
    up. `scopes` are by default the provider's. `expires_in` is seconds, None for an expiry that
    nobody knows and negative for a token that has expired. `account` and `bundle` replace what
    would be made. The store is whatever `auth` has: isolate it first. The credential becomes the
    default account's.
    """

    def __init__(
        self,
        auth: Auth,
        user: str = "ada",
        *,
        server: AuthorizationServer | None = None,
        account: Account | None = None,
        bundle: TokenBundle | None = None,
        scopes: Sequence[str] | None = None,
        expires_in: float | None = 3600.0,
    ) -> None:
        super().__init__()
        if account is None:
            one = User(user, user, f"{user}@todo.example") if server is None else server.user(user)
            account = Account(id=one.id, label=one.email)
        if scopes is None:
            scopes = getattr(auth.context.services.provider(account.instance), "scopes", None)
        self.account: Account = account
        self.bundle: TokenBundle = bundle or _issue(user, server, scopes, expires_in)
        auth.store.set_bundle(account, self.bundle, promote_default=True)
        self.callback(auth.store.clear, account.key)


def _issue(
    user: str,
    server: AuthorizationServer | None,
    scopes: Sequence[str] | None,
    expires_in: float | None,
) -> TokenBundle:
    # Apart from what stores it: a store's traceback with locals would show the tokens.
    tokens: dict[str, Any] = {name: token_urlsafe(32) for name in _TOKENS}
    if server is not None:
        tokens = server.issue(user, scopes=scopes or (), lifetime=expires_in)
    expires_at, granted = None, None if scopes is None else tuple(scopes)
    if expires_in is not None:
        expires_at = datetime.now(timezone.utc) + timedelta(seconds=expires_in)
    pair = tokens["access_token"], tokens.get("refresh_token")
    return TokenBundle(*pair, expires_at, scopes=granted)
