"""`OAuthProvider`: the facts about a standard OAuth 2 server.

Making one checks the facts, asks nobody and loads nothing: the stories that use them are loaded
when one is told.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from click_auth import oauth
from click_auth.defaults import REVOCATION_SECONDS
from click_auth.errors import BAD_SETTING, TOKEN_EXCHANGE_FAILED, AuthError
from click_auth.http.urls import host_of, origin
from click_auth.oauth.facts import Facts
from click_auth.providers import Binding, unidentified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx

    from click_auth.oauth.dpop import Prover
    from click_auth.oauth.endpoint import EndpointFailed
    from click_auth.oauth.server import Server
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse
    from click_auth.providers.request import BegunLogin, LoginRequest, LoginUI
    from click_auth.record import TokenBundle


def as_refresh_error(error: EndpointFailed) -> Exception:
    """Return what everything raises that asks for tokens without a person."""
    return error.as_refresh_error()


class OAuthProvider(Facts):
    """A standard OAuth 2 server and the client that an application is to it. No I/O until used.

    *issuer* discovers what is not given by hand (RFC 8414, OpenID); without it and any endpoint
    the API at *api_url* is asked who issues its tokens (RFC 9728). Where both
    *authorization_endpoint* and *token_endpoint* are given, nothing is discovered and *issuer*
    only says who must respond. A public client has no *client_secret*, which may be a function,
    called when needed; without *client_id* the client registers itself (RFC 7591). A *client_id*
    that is the URL of a document is used where the server's metadata says that it reads such.
    *redirect_uris* are as registered: without a port any free one is taken, with ports they are
    tried in order. *identify* gets a client with the new token, whose base URL is *api_url*, and
    returns a mapping with `id`. *token_response* gets the JSON object of each response of the token
    endpoint, whatever its status, and returns what a standard server would have said; what it
    raises is a response that makes no sense. *http_timeout* is in seconds, for one whole call.

    Raises `ValueError` for facts that contradict each other.
    """

    _prover: Prover | None = None

    def prover(self) -> Prover:
        """Return what proves that the key of bound tokens is ours. Reads the key, once."""
        if self._prover is None or self._prover.context is not self.context:
            try:
                self._prover = oauth.dpop.Prover(self)
            except ImportError:
                message = "Bound tokens need joserfc: install click-auth[joserfc]."
                raise AuthError(message, code=BAD_SETTING) from None
        return self._prover

    @contextmanager
    def _server(
        self,
        explain: Callable[[EndpointFailed], Exception] = lambda error: error.as_login_error(),
        timeout: float | None = None,
    ) -> Iterator[Server]:
        """Lend the server to one operation, whose failure is raised as *explain* puts it.

        An API that has to be asked which server it has gets *timeout* seconds.
        """
        facts: Facts = self
        try:
            if self.asks_api:
                facts = oauth.protected_resource.describe(self, timeout or self.http_timeout)
            yield oauth.server.Server(facts, self.prover if self.binds_tokens else None)
        except oauth.endpoint.EndpointFailed as error:
            raise explain(error) from None

    @property
    def display_name(self) -> str:
        """The host that a login goes to."""
        return host_of(self.home)

    @property
    def service_url(self) -> str | None:
        """What is asked first where the server is discovered, else the token endpoint."""
        return self.home if self.discovers else self.token_endpoint

    @property
    def binding(self) -> Binding:
        """The issuer, else the token endpoint's origin; and the client id if it is a fixed one.

        Where the issuer is known from the API only, its URL binds.
        """
        if self.asks_api:
            return Binding(self.issuer, self.client_id, self.api_url)
        return Binding(self.issuer or origin(self.home), self.client_id)

    def secret(self) -> str | None:
        """Return the client secret, from the application's function if it is one."""
        return oauth.server.text_of(self.client_secret)

    def discover_binding(self) -> Binding:
        """Return `binding`, with the issuer that the API names where only it does. Blocks."""
        if not self.asks_api:
            return self.binding
        with self._server(as_refresh_error) as server:
            return server.facts.binding

    def check_metadata(self, timeout: float) -> bool:
        """Return whether the server is discovered, once its metadata were found good. Blocks."""
        if self.discovers:
            with self._server(lambda error: error, timeout) as server:
                server.limit(timeout)
                _ = server.metadata
        return self.discovers

    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Return the tokens of a new grant: brought along, by device, or through a browser."""
        with self._server() as server:
            log_in_by_redirect = partial(
                oauth.code_grant.login, server, request, ui, self.authorize, self.exchange
            )
            way = oauth.code_grant.choose_way(server, request, ui)
            if way == "redirect":
                return log_in_by_redirect()
            by_device = oauth.device.DeviceLogin(server, request)
            if way == "device":
                return by_device.begin().wait(ui)
            return oauth.device_race.Race(server, by_device).run(ui, log_in_by_redirect)

    def begin_login(self, request: LoginRequest) -> BegunLogin:
        """Return a login that another call finishes: by device where that is possible. Blocks."""
        with self._server() as server:
            return oauth.resumable.begin(server, request, self.authorize)

    def finish_login(
        self,
        begun: BegunLogin,
        request: LoginRequest,
        respond: Callable[[AuthorizationRequest], AuthorizationResponse],
    ) -> TokenBundle | None:
        """Return the tokens of a login that has *begun*, None while the person has not agreed."""
        with self._server() as server:
            return oauth.resumable.finish(server, begun, request, respond, self.exchange)

    def authorize(self, request: LoginRequest) -> AuthorizationRequest:
        """Return the authorization request for *request*, whose `redirect_uri` is set.

        Blocks when the server must be discovered or the client registered. Raises `LoginFailed`.
        """
        with self._server() as server:
            return oauth.code_grant.authorize(server, request)

    def exchange(
        self, request: AuthorizationRequest, response: AuthorizationResponse
    ) -> TokenBundle:
        """Return the tokens for the code in *response*. Blocks. Raises `LoginFailed`."""
        with self._server(lambda error: error.as_login_error(TOKEN_EXCHANGE_FAILED)) as server:
            return oauth.code_grant.exchange(server, request, response)

    def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
        """Return who logged in: `identify=`, else userinfo, else the ID token, else "default"."""
        if self.identify_with is not None:
            return self.identify_with(client)
        with self._server(lambda error: unidentified(error.status, error.reason)) as server:
            return oauth.userinfo.identify(server, bundle)

    def is_same_account(self, bundle: TokenBundle, account_id: str) -> bool:
        """Return whether a refreshed *bundle* still belongs to the account. No I/O."""
        return bundle.id_token is None or oauth.userinfo.is_same_account(self, bundle, account_id)

    def new_label(self, bundle: TokenBundle, label: str | None) -> str | None:
        """Return the name in a refreshed ID token, where *label* is none of its names any more."""
        return None if bundle.id_token is None else oauth.userinfo.new_label(self, bundle, label)

    def refresh(self, bundle: TokenBundle) -> TokenBundle:
        """Return new tokens for the refresh token of *bundle*, in one POST. Blocks."""
        with self._server(as_refresh_error) as server:
            return oauth.token_endpoint.refresh(server, bundle)

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """End the grant at the server (RFC 7009), in at most 10 seconds.

        Returns False when a token may still be valid, None where the server revokes nothing.
        """
        try:
            with self._server(lambda error: error, REVOCATION_SECONDS) as server:
                return oauth.token_endpoint.revoke(server, bundle)
        except oauth.endpoint.EndpointFailed:
            return False

    def client_credentials(self, client_id: str, client_secret: str) -> TokenBundle:
        """Return a token for the client itself (RFC 6749 section 4.4). Blocks."""
        client = oauth.endpoint.Client(client_id, client_secret)
        del client_secret
        with self._server(as_refresh_error) as server:
            return oauth.token_endpoint.client_credentials(server, client)

    def exchange_id_token(self, id_token: str) -> TokenBundle:
        """Return a token for the ID token of a CI job (RFC 8693). Blocks."""
        with self._server(as_refresh_error) as server:
            return oauth.token_exchange.exchange_id_token(server, id_token)

    def is_challenge(self, response: httpx.Response) -> bool:
        """Return whether the API asks for a proof with the nonce that it has just given."""
        url = str(response.request.url)
        return self.binds_tokens and self.prover().learn(url, response.headers)

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the token on *request*, with a proof where tokens are bound to a key."""
        headers = {"Authorization": f"Bearer {bundle.access_token}"}
        if self.binds_tokens:
            url, token = str(request.url), bundle.access_token
            headers = self.prover().with_token(request.method, url, token)
        request.headers.update(headers)
