"""The authorization server behind a provider, and the client that the application is to it.

What is configured counts first, else what the server says of itself (RFC 8414, OpenID Connect).
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from click_auth.console.text import printable
from click_auth.http.call import Call
from click_auth.http.urls import Url, checked_endpoint, host_of, named_by, origin
from click_auth.oauth.endpoint import (
    Client,
    EndpointFailed,
    EndpointUnfit,
    ask,
    granted,
    method_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from click_auth.http.call import Answer
    from click_auth.oauth.dpop import Prover
    from click_auth.oauth.facts import Facts
    from click_auth.oauth.registration import Registration
    from click_auth.providers.request import LoginRequest

T = TypeVar("T")

OAUTH = "oauth-authorization-server"
OPENID = "openid-configuration"
# What only OpenID's document may say; a server may put one of them into the other document too.
_OPENIDS_OWN = {"jwks_uri", "userinfo_endpoint"}
_NOT_HERE = frozenset({404, 405, 410, *range(300, 400)})


class Server:
    """One operation's view of a server. Asks it nothing until it must.

    `prover` gives what proves the key of bound tokens, None where tokens are not bound. Methods
    raise `EndpointFailed`.
    """

    def __init__(self, facts: Facts, prover: Callable[[], Prover] | None) -> None:
        self.facts = facts
        self.prover = prover
        self._deadline = float("inf")

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """What the server says about itself; nothing where it is configured by hand."""
        issuer = self.facts.issuer
        if issuer is None or not self.facts.discovers:
            return {}
        cached = self.facts.context.cache.load(issuer)
        if cached is not None and cached.get("issuer") == issuer:  # else something else wrote it
            return cached
        try:
            found = self._discover(issuer, time.monotonic() + self._seconds_left())
        except EndpointFailed:
            self.forget_metadata()  # the API may name another server by now
            raise
        self.facts.context.cache.save(issuer, found)
        return found

    def _discover(self, issuer: str, deadline: float) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        other = None
        needed = set() if "openid" not in self.facts.scopes else _OPENIDS_OWN
        for kind, url in well_known(issuer):
            if found and (kind == OAUTH or found.keys() >= needed):
                continue
            try:
                left = max(deadline - time.monotonic(), 0.1)
                document = granted(ask(self.facts.context.http, Call(url), left))
            except EndpointFailed as error:
                if error.status is None and not found:
                    raise
                continue
            if document.get("issuer") == issuer:
                found = {**document, **found}
            else:
                other = document.get("issuer")
        if found:
            return found
        host, said = host_of(issuer), printable(other)
        if other is None:
            raise EndpointFailed(f"{host} has no OAuth metadata for {issuer}")
        raise EndpointFailed(f"issuer mismatch: expected {issuer}, but {host} says {said}")

    def forget_metadata(self) -> None:
        """Drop what is remembered of the server, so that the next call asks it."""
        for url in filter(None, (self.facts.issuer, self.facts.described_at)):
            self.facts.context.cache.forget(url)

    def promises(self, name: str) -> bool:
        """Return whether the server's metadata says that *name* is so."""
        return self.metadata.get(name) is True

    def offered(self, endpoint: str) -> str | None:
        """Return the URL of an *endpoint*, by its RFC 8414 name, or None where there is none.

        Raises `EndpointUnfit` for one to which no secret may go. The machine's own services are
        no business of a server elsewhere.
        """
        configured: str | None = getattr(self.facts, endpoint, None)
        if configured is not None:
            return configured
        url = self.metadata.get(endpoint) or None
        if url is None:
            return None
        try:
            return checked_endpoint(named_by(self.facts.issuer or "", url, endpoint))
        except ValueError as error:
            reason = f"the server's metadata is unusable: {str(error).rstrip('.')}"
        self.forget_metadata()  # it may be mended soon
        raise EndpointUnfit(reason)

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
            raise EndpointUnfit(f"{self.facts.display_name} has no {endpoint}")
        return url

    def limit(self, seconds: float) -> None:
        """Bound the whole operation; each call has the facts' `http_timeout` besides."""
        self._deadline = time.monotonic() + seconds

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise EndpointFailed("no time was left to ask the server")
        return min(left, self.facts.http_timeout)

    def fetch(self, endpoint: str, call_to: Callable[[str], Call]) -> Answer:
        """Return the answer to the call that *call_to* makes for the URL of *endpoint*.

        The call is made once more where its proof has to hold a nonce that the server gave just
        now (RFC 9449 section 8). Where nothing is at the URL any more, the document that names
        it is dropped: it may be a day old, and the next call discovers the server anew.
        """
        url = self.endpoint(endpoint)
        try:
            call = call_to(url)
            answer = ask(self.facts.context.http, call, self._seconds_left())
            if self.prover and "DPoP" in call.headers and self.prover().is_challenged_by(answer):
                answer = ask(self.facts.context.http, call_to(url), self._seconds_left())
        except EndpointFailed as error:
            if error.unsent:
                self.forget_metadata()
            raise
        if answer.status in _NOT_HERE:
            self.forget_metadata()
        return answer

    def post(self, endpoint: str, client: Client, form: Mapping[str, str]) -> Answer:
        """Return the answer to *form*, posted to *endpoint* as *client*."""

        def call_to(url: str) -> Call:
            proof = {} if self.prover is None else {"DPoP": self.prover().proof("POST", url)}
            return client.call(url, form, proof)

        return self.fetch(endpoint, call_to)

    def request_fields(self, scopes: Sequence[str] = ()) -> dict[str, str]:
        """Return the fields that ask for *scopes*, if any, and for the resource (RFC 8707)."""
        fields = {"scope": self.facts.scope_separator.join(scopes), "resource": self.facts.resource}
        return {name: value for name, value in fields.items() if value}

    def requested_scopes(self, request: LoginRequest) -> tuple[str, ...]:
        """Return the scopes of a login: the provider's, those granted before, those asked for."""
        if request.read_only and self.facts.read_only_scopes is not None:
            wanted = (*self.facts.read_only_scopes, *request.scopes)
        else:
            wanted = (*self.facts.scopes, *request.granted_scopes, *request.scopes)
        return tuple(dict.fromkeys(wanted))

    @cached_property
    def client_id(self) -> str | None:
        """The id of a client that is fixed, None where the application registers itself.

        An id that is the https URL of a document about the client is for servers that read such
        documents; another one that registers clients registers this one. Blocks for such a URL.
        """
        given = self.facts.client_id or ""
        is_url = given.startswith("https://") and "/" in given.removeprefix("https://")
        is_document = is_url and self.facts.client_secret is None and self.facts.discovers
        if not is_document or self.promises("client_id_metadata_document_supported"):
            return self.facts.client_id
        return self.facts.client_id if self.usable("registration_endpoint") is None else None

    @cached_property
    def _registration(self) -> Registration:
        from click_auth.oauth.registration import Registration  # noqa: PLC0415 - an option

        return Registration(self.facts)

    def with_method(self, client: Client) -> Client:
        """Return *client* with the method by which the server lets it authenticate."""
        configured, supported = self.facts.token_endpoint_auth_method, None
        if client.secret is not None and configured is None:
            supported = self.metadata.get("token_endpoint_auth_methods_supported")
        return replace(client, method=method_for(client.secret, configured, supported))

    def known_client(self) -> Client | None:
        """Return the client that a grant may already have been given to; None: not registered."""
        if self.client_id is None:
            return self._registration.load()
        return self.with_method(Client(self.client_id, text_of(self.facts.client_secret)))

    def client(self) -> Client:
        """Return the client, registered now if it has to be. Blocks. Raises `LoginFailed`."""
        return self.known_client() or self._registration.register(
            lambda call_to: granted(self.fetch("registration_endpoint", call_to)),
            by_device=self.usable("device_authorization_endpoint") is not None,
        )

    def as_client(self, use: Callable[[Client], T]) -> T:
        """Return what *use* gets as the client, registered anew where the server forgot it."""
        try:
            return use(self.client())
        except EndpointFailed as error:
            if not self.drop_client(error):
                raise
        return use(self.client())

    def drop_client(self, error: EndpointFailed) -> bool:
        """Forget a registered client that the server, as *error* says, no longer knows.

        Returns whether it was that; a fixed client stays.
        """
        is_gone = error.rejects_client and self.client_id is None
        if is_gone:
            self._registration.forget()
        return is_gone


def text_of(secret: str | Callable[[], str] | None) -> str | None:
    """Return a client's *secret*, from the application's function if it is one."""
    return secret() if callable(secret) else secret


def well_known(issuer: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the URL of each place where *issuer* may publish its metadata.

    RFC 8414 inserts the well-known part before the issuer's path, OpenID appends it (RFC 8414
    section 5); servers are found that do either with the other's name.
    """
    base = issuer.rstrip("/")
    path = Url(base).path
    yield OAUTH, f"{origin(issuer)}/.well-known/{OAUTH}{path}"
    yield OPENID, f"{base}/.well-known/{OPENID}"
    if path:
        yield OAUTH, f"{base}/.well-known/{OAUTH}"
        yield OPENID, f"{origin(issuer)}/.well-known/{OPENID}{path}"
