"""`OAuthProvider`: the facts about a standard OAuth 2 server.

Making one checks the facts, asks nobody and loads nothing: the stories that use them are loaded
when one is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from click_auth.http.urls import host_of, origin
from click_auth.oauth import facts as settings
from click_auth.providers.base import Binding, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx
    from typing_extensions import Self

    from click_auth.oauth.dpop import Prover
    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse
    from click_auth.providers.context import ProviderContext
    from click_auth.providers.request import LoginRequest, LoginUI
    from click_auth.tokens import TokenBundle


class OAuthProvider(Provider):
    """A standard OAuth 2 server and the client that an application is to it. No I/O until used.

    *issuer* discovers what is not given by hand (RFC 8414, OpenID); where both
    *authorization_endpoint* and *token_endpoint* are given, nothing is discovered and *issuer*
    only says who must answer. A public client has no *client_secret*, which may be a function,
    called when needed; without *client_id* the client registers itself (RFC 7591).
    *redirect_uris* are as registered: without a port any free one is taken, with ports they are
    tried in order. *identify* gets a client with the new token, whose base URL is *api_url*, and
    returns a mapping with `id`. *token_response* gets the JSON object of every answer of the token
    endpoint, whatever its status, and returns what a standard server would have said; what it
    raises is an answer that makes no sense. *http_timeout* is in seconds, for one whole call.

    Raises `ValueError` for facts that contradict each other.
    """

    def __init__(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | Callable[[], str] | None = None,
        issuer: str | None = None,
        api_url: str | None = None,
        authorization_endpoint: str | None = None,
        token_endpoint: str | None = None,
        device_authorization_endpoint: str | None = None,
        revocation_endpoint: str | None = None,
        userinfo_endpoint: str | None = None,
        registration_endpoint: str | None = None,
        token_endpoint_auth_method: str | None = None,
        client_metadata: Mapping[str, Any] | None = None,
        scopes: Sequence[str] = (),
        read_only_scopes: Sequence[str] | None = None,
        scope_separator: str = " ",
        resource: str | None = None,
        authorize_params: Mapping[str, str] | None = None,
        token_params: Mapping[str, str] | None = None,
        identify: Callable[[httpx.Client], Mapping[str, Any]] | None = None,
        token_response: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
        redirect_uris: Sequence[str] = ("http://127.0.0.1/callback",),
        http_timeout: float = 30.0,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.issuer = issuer
        self.api_url = api_url
        self.authorization_endpoint = authorization_endpoint
        self.token_endpoint = token_endpoint
        self.device_authorization_endpoint = device_authorization_endpoint
        self.revocation_endpoint = revocation_endpoint
        self.userinfo_endpoint = userinfo_endpoint
        self.registration_endpoint = registration_endpoint
        self.token_endpoint_auth_method = token_endpoint_auth_method
        self.client_metadata: Mapping[str, Any] = client_metadata or {}
        self.scopes: tuple[str, ...] = settings.scopes(scopes, scope_separator)
        self.read_only_scopes: tuple[str, ...] | None = (
            None if read_only_scopes is None else settings.scopes(read_only_scopes, scope_separator)
        )
        self.scope_separator = scope_separator
        self.resource = resource
        self.authorize_params: Mapping[str, str] = authorize_params or {}
        self.token_params: Mapping[str, str] = token_params or {}
        self.identify_with = identify
        self.token_response = token_response
        self.redirect_uris: tuple[str, ...] = tuple(redirect_uris)
        self.http_timeout = http_timeout
        settings.check(self)
        self.options: frozenset[str] = settings.offered(self)
        self._prover: Prover | None = None

    @property
    def discovers(self) -> bool:
        """Whether the server is asked for what is not given by hand."""
        by_hand = self.authorization_endpoint and self.token_endpoint
        return self.issuer is not None and not by_hand

    @property
    def display_name(self) -> str:
        """The host that a login goes to."""
        return host_of(self._home)

    @property
    def binding(self) -> Binding:
        """The issuer, else the token endpoint's origin; and the client id if it is a fixed one."""
        return Binding(self.issuer or origin(self._home), self.client_id)

    @property
    def _home(self) -> str:
        known = (self.issuer, self.token_endpoint, self.authorization_endpoint)
        return next(url for url in known if url is not None)

    def secret(self) -> str | None:
        """Return the client secret, from the application's function if it is one."""
        return self.client_secret() if callable(self.client_secret) else self.client_secret

    @property
    def binds_tokens(self) -> bool:
        """Whether tokens are to be bound to a key of ours: RFC 9449's own client metadata."""
        return self.client_metadata.get("dpop_bound_access_tokens") is True

    def bound(self, context: ProviderContext) -> Self:
        """Return a copy of this provider that speaks through *context*, with its own key."""
        clone = super().bound(context)
        clone._prover = None  # noqa: SLF001 - our own copy
        return clone

    def prover(self) -> Prover:
        """Return what proves that the key of bound tokens is ours. Reads the key, once."""
        if self._prover is None:
            from click_auth.oauth.dpop import Prover  # noqa: PLC0415

            self._prover = Prover(self)
        return self._prover

    def requested_scopes(self, request: LoginRequest) -> tuple[str, ...]:
        """Return the scopes of a login: the provider's, those granted before, those asked for."""
        if request.read_only and self.read_only_scopes is not None:
            wanted = (*self.read_only_scopes, *request.scopes)
        else:
            wanted = (*self.scopes, *request.granted_scopes, *request.scopes)
        return tuple(dict.fromkeys(wanted))

    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Return the tokens of a new grant: brought along, by device, or through the browser."""
        from click_auth.oauth import code_grant as login  # noqa: PLC0415

        return login.login(self, request, ui)

    def authorize(self, request: LoginRequest) -> AuthorizationRequest:
        """Return the authorization request for *request*, whose `redirect_uri` is set.

        Blocks when the server must be discovered or the client registered. Raises `LoginFailed`.
        """
        from click_auth.oauth import code_grant as login  # noqa: PLC0415

        return login.authorize(self, request)

    def exchange(
        self, request: AuthorizationRequest, response: AuthorizationResponse
    ) -> TokenBundle:
        """Return the tokens for the code in *response*. Blocks. Raises `LoginFailed`."""
        from click_auth.oauth import code_grant as login  # noqa: PLC0415

        return login.exchange(self, request, response)

    def identify(self, client: httpx.Client, bundle: TokenBundle) -> Mapping[str, Any]:
        """Return who logged in: `identify=`, else userinfo, else the ID token, else "default"."""
        from click_auth.oauth import userinfo as identity  # noqa: PLC0415

        return identity.identify(self, client, bundle)

    def same_account(self, bundle: TokenBundle, account_id: str) -> bool:
        """Return whether a refreshed *bundle* still belongs to the account. No I/O."""
        from click_auth.oauth import userinfo as identity  # noqa: PLC0415

        return identity.same_account(self, bundle, account_id)

    def renamed(self, bundle: TokenBundle, label: str | None) -> str | None:
        """Return the name in a refreshed ID token, where *label* is none of its names any more."""
        from click_auth.oauth import userinfo as identity  # noqa: PLC0415

        return identity.renamed(self, bundle, label)

    def refresh(self, bundle: TokenBundle) -> TokenBundle:
        """Return new tokens for the refresh token of *bundle*, in one POST. Blocks."""
        from click_auth.oauth import grant  # noqa: PLC0415

        return grant.refresh(self, bundle)

    def revoke(self, bundle: TokenBundle) -> bool | None:
        """End the grant at the server (RFC 7009), in at most 10 seconds.

        Returns False when a token may still be valid, None where the server revokes nothing.
        """
        from click_auth.oauth import grant  # noqa: PLC0415

        return grant.revoke(self, bundle)

    def challenged(self, response: httpx.Response) -> bool:
        """Return whether the API asks for a proof with the nonce that it has just given."""
        if not self.binds_tokens:
            return False
        return self.prover().learn(str(response.request.url), response.headers)

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the token on *request*, with a proof where tokens are bound to a key."""
        if not self.binds_tokens:
            super().apply(request, bundle)
            return
        from click_auth.oauth import dpop  # noqa: PLC0415

        dpop.apply(self, request, bundle)

    def client_credentials(self, client_id: str, client_secret: str) -> TokenBundle:
        """Return a token for the client itself (RFC 6749 section 4.4). Blocks."""
        from click_auth.oauth import client as client_auth  # noqa: PLC0415
        from click_auth.oauth import grant  # noqa: PLC0415

        client = client_auth.Client(client_id, client_secret)
        del client_secret
        return grant.client_credentials(self, client)
