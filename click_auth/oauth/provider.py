"""`OAuthProvider`: the facts about a standard OAuth 2 server.

Making one checks the facts, asks nobody and loads nothing: the stories that use them are loaded
when one is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.errors import BAD_SETTING, OAUTH_FAILED, AuthError
from click_auth.oauth.facts import Facts
from click_auth.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from click_auth.oauth.dpop import Prover
    from click_auth.oauth.endpoint import EndpointFailed
    from click_auth.oauth.server import Server
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse
    from click_auth.providers.base import Binding
    from click_auth.providers.request import BegunLogin, LoginRequest, LoginUI
    from click_auth.tokens import TokenBundle

    Explain = Callable[[EndpointFailed], Exception]


def as_login_error(error: EndpointFailed) -> Exception:
    """Return what a login raises where the API does not say which its server is."""
    return error.as_login_error(OAUTH_FAILED)


def as_refresh_error(error: EndpointFailed) -> Exception:
    """Return what a refresh raises where the API does not say which its server is."""
    return error.as_refresh_error()


def as_it_is(error: EndpointFailed) -> Exception:
    """Return the *error* itself."""
    return error


class OAuthProvider(Facts, Provider):
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
                from click_auth.oauth.dpop import Prover  # noqa: PLC0415 - an extra
            except ImportError:
                message = "Bound tokens need joserfc: install click-auth[joserfc]."
                raise AuthError(message, code=BAD_SETTING) from None
            self._prover = Prover(self, self.context)
        return self._prover

    def _server(self, explain: Explain = as_login_error, timeout: float | None = None) -> Server:
        """Return the server; an API that has to be asked for it has *timeout* seconds.

        What *explain* makes of its failure is raised.
        """
        from click_auth.oauth.server import Server  # noqa: PLC0415

        return Server(
            self._described(explain, timeout or self.http_timeout) if self.asks_api else self,
            self.context,
            self.prover if self.binds_tokens else None,
        )

    def _described(self, explain: Explain, timeout: float) -> Facts:
        from click_auth.oauth.endpoint import EndpointFailed  # noqa: PLC0415
        from click_auth.oauth.protected_resource import describe  # noqa: PLC0415 - an option

        try:
            return describe(self, self.context, timeout)
        except EndpointFailed as error:
            failure = explain(error)
        raise failure

    def discover_binding(self) -> Binding:
        """Return `binding`, with the issuer that the API names where only it does. Blocks."""
        return self._server(as_refresh_error).facts.binding if self.asks_api else self.binding

    def check_metadata(self, timeout: float) -> bool:
        """Return whether the server is discovered, once its metadata were found good. Blocks."""
        if self.discovers:
            server = self._server(as_it_is, timeout)
            server.limit(timeout)
            _ = server.metadata
        return self.discovers

    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Return the tokens of a new grant: brought along, by device, or through a browser."""
        from click_auth.oauth import code_grant  # noqa: PLC0415

        server = self._server()

        def log_in_by_redirect() -> TokenBundle:
            return code_grant.login(server, request, ui, self.authorize, self.exchange)

        way = code_grant.choose_way(server, request, ui)
        if way == "redirect":
            return log_in_by_redirect()
        from click_auth.oauth import device  # noqa: PLC0415 - an option

        if way == "device":
            return device.login(server, request, ui)
        return device.race(server, request, ui, log_in_by_redirect)

    def begin_login(self, request: LoginRequest) -> BegunLogin:
        """Return a login that another call finishes: by device where that is possible. Blocks."""
        from click_auth.oauth import resumable  # noqa: PLC0415 - an option

        return resumable.begin(self._server(), request, self.authorize)

    def finish_login(
        self,
        begun: BegunLogin,
        request: LoginRequest,
        respond: Callable[[AuthorizationRequest], AuthorizationResponse],
    ) -> TokenBundle | None:
        """Return the tokens of a login that has *begun*, None while the person has not agreed."""
        from click_auth.oauth import resumable  # noqa: PLC0415 - an option

        return resumable.finish(self._server(), begun, request, respond, self.exchange)

    def authorize(self, request: LoginRequest) -> AuthorizationRequest:
        """Return the authorization request for *request*, whose `redirect_uri` is set.

        Blocks when the server must be discovered or the client registered. Raises `LoginFailed`.
        """
        from click_auth.oauth import code_grant  # noqa: PLC0415

        return code_grant.authorize(self._server(), request)

    def exchange(
        self, request: AuthorizationRequest, response: AuthorizationResponse
    ) -> TokenBundle:
        """Return the tokens for the code in *response*. Blocks. Raises `LoginFailed`."""
        from click_auth.oauth import code_grant  # noqa: PLC0415

        return code_grant.exchange(self._server(), request, response)

    def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
        """Return who logged in: `identify=`, else userinfo, else the ID token, else "default"."""
        if self.identify_with is not None:
            return self.identify_with(client)
        from click_auth.oauth import userinfo  # noqa: PLC0415

        return userinfo.identify(self._server(), bundle)

    def is_same_account(self, bundle: TokenBundle, account_id: str) -> bool:
        """Return whether a refreshed *bundle* still belongs to the account. No I/O."""
        if bundle.id_token is None:
            return True
        from click_auth.oauth import userinfo  # noqa: PLC0415

        return userinfo.is_same_account(self, bundle, account_id)

    def new_label(self, bundle: TokenBundle, label: str | None) -> str | None:
        """Return the name in a refreshed ID token, where *label* is none of its names any more."""
        if bundle.id_token is None:
            return None
        from click_auth.oauth import userinfo  # noqa: PLC0415

        return userinfo.new_label(self, bundle, label)

    def refresh(self, bundle: TokenBundle) -> TokenBundle:
        """Return new tokens for the refresh token of *bundle*, in one POST. Blocks."""
        from click_auth.oauth import token_endpoint  # noqa: PLC0415

        return token_endpoint.refresh(self._server(as_refresh_error), bundle)

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """End the grant at the server (RFC 7009), in at most 10 seconds.

        Returns False when a token may still be valid, None where the server revokes nothing.
        """
        from click_auth.oauth import token_endpoint  # noqa: PLC0415

        try:
            server = self._server(timeout=token_endpoint.REVOCATION_SECONDS)
        except AuthError:
            return False
        return token_endpoint.revoke(server, bundle)

    def client_credentials(self, client_id: str, client_secret: str) -> TokenBundle:
        """Return a token for the client itself (RFC 6749 section 4.4). Blocks."""
        from click_auth.oauth import registration, token_endpoint  # noqa: PLC0415

        client = registration.Client(client_id, client_secret)
        del client_secret
        return token_endpoint.client_credentials(self._server(as_refresh_error), client)

    def exchange_id_token(self, id_token: str) -> TokenBundle:
        """Return a token for the ID token of a CI job (RFC 8693). Blocks."""
        from click_auth.oauth import token_exchange  # noqa: PLC0415 - an option

        return token_exchange.exchange_id_token(self._server(as_refresh_error), id_token)

    def is_challenge(self, response: httpx.Response) -> bool:
        """Return whether the API asks for a proof with the nonce that it has just given."""
        if not self.binds_tokens:
            return False
        return self.prover().learn(str(response.request.url), response.headers)

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the token on *request*, with a proof where tokens are bound to a key."""
        headers = {"Authorization": f"Bearer {bundle.access_token}"}
        if self.binds_tokens:
            url, token = str(request.url), bundle.access_token
            headers = self.prover().with_token(request.method, url, token)
        request.headers.update(headers)
