"""The authorization server behind a provider: configured facts first, discovered ones else.

Discovery is RFC 8414's and OpenID Connect's.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from click_auth.console.text import printable
from click_auth.http.call import Call
from click_auth.http.urls import checked_endpoint, host_of, named_by, origin, split
from click_auth.oauth.endpoint import EndpointFailed, EndpointUnfit, ask, granted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from click_auth.http.call import Answer
    from click_auth.oauth.dpop import Prover
    from click_auth.oauth.endpoint import Meaning
    from click_auth.oauth.facts import Facts
    from click_auth.providers.context import ProviderContext

T = TypeVar("T")

OAUTH = "oauth-authorization-server"
OPENID = "openid-configuration"
# What only OpenID's document may say; a server may put one of them into the other document too.
_OPENIDS_OWN = {"jwks_uri", "userinfo_endpoint"}


class Granted(NamedTuple):
    """The JSON object of a successful response, and when it was asked for, in POSIX seconds."""

    document: dict[str, Any]
    sent_at: float


class Server:
    """One operation's view of a server. Asks it nothing until it must.

    `prover` gives what proves the key of bound tokens, None where tokens are not bound. Methods
    raise `EndpointFailed`.
    """

    def __init__(
        self, facts: Facts, context: ProviderContext, prover: Callable[[], Prover] | None = None
    ) -> None:
        self.facts = facts
        self.context = context
        self.prover = prover
        self._deadline = float("inf")

    def limit(self, seconds: float) -> None:
        """Bound the whole operation; each call has the facts' `http_timeout` besides."""
        self._deadline = time.monotonic() + seconds

    def ask(self, call: Call) -> Answer:
        """Return the response to *call*, whatever its status."""
        return ask(self.context.http, call, self._seconds_left())

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise EndpointFailed("no time was left to ask the server")
        return min(left, self.facts.http_timeout)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """What the server says about itself; nothing where it is configured by hand."""
        facts = self.facts
        if facts.issuer is None or not facts.discovers:
            return {}
        openid = "openid" in facts.scopes
        try:
            return discover(self.context, facts.issuer, openid=openid, timeout=self._seconds_left())
        except EndpointFailed:
            self.forget_metadata()  # the API may name another server by now
            raise

    @cached_property
    def client_id(self) -> str | None:
        """The id of a client that is fixed, None where the application registers itself.

        An id that is the https URL of a document about the client is for servers that read such
        documents; another one that registers clients registers this one. Blocks for such a URL.
        """
        facts = self.facts
        if not (facts.discovers and facts.has_client_document):
            return facts.client_id
        if self.promises("client_id_metadata_document_supported"):
            return facts.client_id
        return facts.client_id if self.usable("registration_endpoint") is None else None

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
        for url in filter(None, (self.facts.issuer, self.facts.resource_metadata_url)):
            self.context.cache.forget(url)

    def fetch(
        self, endpoint: str, call_to: Callable[[str], Call], meaning: Meaning | None = None
    ) -> Granted:
        """Return what an *endpoint* grants to the call that *call_to* makes for its URL.

        The call is made once more where its proof has to hold a nonce that the server gave just
        now (RFC 9449 section 8). *meaning* is as in `granted`.
        """

        def fetched(url: str) -> Granted:
            call = call_to(url)
            answer = self.ask(call)
            if self.prover and "DPoP" in call.headers and self.prover().is_challenged_by(answer):
                answer = self.ask(call_to(url))
            return Granted(granted(answer, meaning), answer.sent_at)

        return self.at(endpoint, fetched)

    def proof(self, url: str) -> dict[str, str]:
        """Return the header that proves the key in a POST to *url*; none is needed for bearers."""
        return {} if self.prover is None else {"DPoP": self.prover().proof("POST", url)}


def discover(
    context: ProviderContext, issuer: str, *, openid: bool, timeout: float
) -> Mapping[str, Any]:
    """Return the metadata of *issuer*, from the cache if it is there.

    Blocks at most *timeout* seconds. Raises `EndpointFailed`, also for metadata that names
    another issuer.
    """
    cached = context.cache.load(issuer)
    if cached is not None and cached.get("issuer") == issuer:  # else something else wrote it
        return cached
    found: dict[str, Any] = {}
    other, deadline = None, time.monotonic() + timeout
    for kind, url in well_known(issuer):
        if found and (kind == OAUTH or not openid or found.keys() >= _OPENIDS_OWN):
            continue
        try:
            left = max(deadline - time.monotonic(), 0.1)
            document = granted(ask(context.http, Call(url), left))
        except EndpointFailed as error:
            if error.status is None and not found:
                raise
            continue
        if document.get("issuer") == issuer:
            found = {**document, **found}
        else:
            other = document.get("issuer")
    if found:
        context.cache.save(issuer, found)
        return found
    if other is not None:
        raise EndpointFailed(
            f"issuer mismatch: expected {issuer}, but {host_of(issuer)} says {printable(other)}"
        )
    raise EndpointFailed(f"{host_of(issuer)} has no OAuth metadata for {issuer}")


def well_known(issuer: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the URL of each place where *issuer* may publish its metadata.

    RFC 8414 inserts the well-known part before the issuer's path, OpenID appends it (RFC 8414
    section 5); servers are found that do either with the other's name.
    """
    base = issuer.rstrip("/")
    path = split(base).path
    yield OAUTH, f"{origin(issuer)}/.well-known/{OAUTH}{path}"
    yield OPENID, f"{base}/.well-known/{OPENID}"
    if path:
        yield OAUTH, f"{base}/.well-known/{OAUTH}"
        yield OPENID, f"{origin(issuer)}/.well-known/{OPENID}{path}"
