"""The authorization server behind a provider: configured facts first, discovered ones else."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from click_auth.http.urls import host_of
from click_auth.oauth.client import Client, method_for
from click_auth.oauth.endpoint import EndpointFailed, EndpointUnfit, Granted, ask, granted
from click_auth.oauth.metadata import Metadata, discover
from click_auth.oauth.token_response import bundle_from
from click_auth.tokens import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from click_auth.oauth.provider import OAuthProvider
    from click_auth.providers.context import ProviderContext
    from click_auth.tokens import TokenBundle

T = TypeVar("T")

# Where a proof goes along (RFC 9449 sections 5 and 10.1).
_PROVEN = ("token_endpoint", "pushed_authorization_request_endpoint")


class Server:
    """One operation's view of a provider's server. Asks it nothing until it must.

    *seconds* bounds the operation as a whole; each call has the provider's `http_timeout`
    besides. Methods raise `EndpointFailed`.
    """

    def __init__(self, provider: OAuthProvider, seconds: float | None = None) -> None:
        self.provider = provider
        self.context: ProviderContext = provider.lent
        self._deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def timeout(self) -> float:
        """How many seconds the next call may take."""
        if self._deadline is None:
            return self.provider.http_timeout
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise EndpointFailed("there was no time left to ask the server")
        return min(left, self.provider.http_timeout)

    @cached_property
    def metadata(self) -> Metadata:
        """What the server says about itself; nothing where it is configured by hand."""
        provider = self.provider
        if provider.issuer is None or not provider.discovers:
            return Metadata()
        openid = "openid" in provider.scopes
        return discover(self.context, provider.issuer, openid=openid, timeout=self.timeout)

    def offered(self, endpoint: str) -> str | None:
        """Return the URL of an *endpoint*, by its RFC 8414 name, or None where there is none."""
        configured: str | None = getattr(self.provider, endpoint, None)
        if configured is not None:
            return configured
        try:
            return self.metadata.endpoint(endpoint)
        except EndpointUnfit:
            self.forget_metadata()  # it may be mended soon
            raise

    def usable(self, endpoint: str) -> str | None:
        """Return the URL of an *endpoint* that one can do without, None where it is no good."""
        try:
            return self.offered(endpoint)
        except EndpointUnfit:
            return None

    def endpoint(self, endpoint: str) -> str:
        """Return the URL of an *endpoint* that the server must have."""
        url = self.offered(endpoint)
        if url is None:
            raise EndpointUnfit(f"{self.provider.display_name} has no {endpoint}")
        return url

    def at(self, endpoint: str, use: Callable[[str], T]) -> T:
        """Return what *use* gets from the URL of *endpoint*.

        Where nothing is there any more, the document that says so is dropped: it may be a day
        old, and the next call discovers the server anew.
        """
        try:
            return use(self.endpoint(endpoint))
        except EndpointFailed as error:
            if error.not_here:
                self.forget_metadata()
            raise

    def forget_metadata(self) -> None:
        """Drop what is remembered of the server, so that the next call asks it."""
        if self.provider.issuer is not None:
            self.context.cache.forget(self.provider.issuer)

    @cached_property
    def client(self) -> Client:
        """The client that the application is, registered now if it has to be."""
        client = self.known_client()
        if client is not None:
            return client
        from click_auth.oauth.registration import register  # noqa: PLC0415 - rare

        return register(self)

    def known_client(self) -> Client | None:
        """Return the client that a grant may already have been given to; None: not registered."""
        provider = self.provider
        if provider.client_id is not None:
            return self.with_method(Client(provider.client_id, provider.secret()))
        from click_auth.oauth.registration import registered  # noqa: PLC0415 - rare

        return registered(self)

    def with_method(self, client: Client) -> Client:
        """Return *client* with the method by which the server lets it authenticate."""
        configured = self.provider.token_endpoint_auth_method
        is_told = client.secret is None or configured is not None
        supported = None if is_told else self.metadata.auth_methods
        return replace(client, method=method_for(client.secret, configured, supported))

    def as_client(self, use: Callable[[Client], T]) -> T:
        """Return what *use* gets as the client, registered anew where the server forgot it."""
        try:
            return use(self.client)
        except EndpointFailed as error:
            if not error.rejects_client or self.provider.client_id is not None:
                raise
        self.forget_client()
        return use(self.client)

    def forget_client(self) -> None:
        """Forget a registered client that the server no longer knows; a fixed one stays."""
        if self.provider.client_id is None:
            from click_auth.oauth.registration import forget  # noqa: PLC0415 - rare

            forget(self)
            self.__dict__.pop("client", None)

    def post(self, endpoint: str, form: Mapping[str, str], client: Client) -> Granted:
        """Return what an *endpoint* grants *client*."""
        is_proven = self.provider.binds_tokens and endpoint in _PROVEN
        post = self._post_with_proof if is_proven else self._post
        return self.at(endpoint, lambda url: post(url, form, client))

    def _post_with_proof(self, url: str, form: Mapping[str, str], client: Client) -> Granted:
        prover = self.provider.prover()
        try:
            return self._post(url, form, client, {"DPoP": prover.proof("POST", url)})
        except EndpointFailed as error:
            if not prover.learn(url, error.headers) or error.error != "use_dpop_nonce":
                raise
        return self._post(url, form, client, {"DPoP": prover.proof("POST", url)})

    def _post(
        self,
        url: str,
        form: Mapping[str, str],
        client: Client,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> Granted:
        call = client.call(url, form, more)
        answer = ask(self.context.http, call, self.timeout)
        # Only what the token endpoint is asked has a grant type.
        meaning = self.provider.token_response if "grant_type" in form else None
        return Granted(granted(answer, host_of(url), call.secrets, meaning), answer.sent_at)

    def tokens(
        self,
        form: Mapping[str, str],
        client: Client,
        requested_scopes: tuple[str, ...] | None = None,
        renews: TokenBundle | None = None,
    ) -> TokenBundle:
        """Return the tokens that the token endpoint grants for *form*.

        *requested_scopes* and *renews* are as in `bundle_from`.
        """
        provider = self.provider
        resource = {} if provider.resource is None else {"resource": provider.resource}
        body = Hidden({**provider.token_params, **resource, **form})
        document, sent_at = self.post("token_endpoint", body, client)
        return bundle_from(
            document,
            sent_at=sent_at,
            requested_scopes=requested_scopes,
            separator=provider.scope_separator,
            token_type="DPoP" if provider.binds_tokens else "Bearer",
            renews=renews,
        )
