"""The authorization server behind a provider: configured facts first, discovered ones else."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from click_auth.http.call import TransportFailed
from click_auth.oauth.endpoint import EndpointFailed, EndpointUnfit, ask, granted
from click_auth.oauth.metadata import Metadata, discover

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.http.call import Answer, Call
    from click_auth.oauth.dpop import Prover
    from click_auth.oauth.endpoint import Meaning
    from click_auth.oauth.facts import Facts
    from click_auth.providers.context import ProviderContext

T = TypeVar("T")


class Granted(NamedTuple):
    """The JSON object of a successful answer, and when it was asked for, in POSIX seconds."""

    document: dict[str, Any]
    sent_at: float


class Server:
    """One operation's view of a server. Asks it nothing until it must.

    `prover` gives what proves the key of bound tokens, None where tokens are not bound. Methods
    raise `EndpointFailed`.
    """

    def __init__(
        self,
        facts: Facts,
        context: ProviderContext,
        prover: Callable[[], Prover] | None = None,
    ) -> None:
        self.facts = facts
        self.context = context
        self.prover = prover
        self._deadline = float("inf")

    def limit(self, seconds: float) -> None:
        """Bound the whole operation; each call has the facts' `http_timeout` besides."""
        self._deadline = time.monotonic() + seconds

    def ask(self, call: Call) -> Answer:
        """Return the answer to *call*, whatever its status."""
        return ask(self.context.http, call, self._seconds_left())

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise EndpointFailed("there was no time left to ask the server")
        return min(left, self.facts.http_timeout)

    @cached_property
    def metadata(self) -> Metadata:
        """What the server says about itself; nothing where it is configured by hand."""
        facts = self.facts
        if facts.issuer is None or not facts.discovers:
            return Metadata()
        openid = "openid" in facts.scopes
        return discover(self.context, facts.issuer, openid=openid, timeout=self._seconds_left())

    def check_metadata(self, seconds: float) -> None:
        """Raise `TransportFailed` unless the server publishes good metadata in time."""
        self.limit(seconds)
        try:
            _ = self.metadata
        except EndpointFailed as error:
            raise TransportFailed(error.reason) from None

    def offered(self, endpoint: str) -> str | None:
        """Return the URL of an *endpoint*, by its RFC 8414 name, or None where there is none."""
        configured: str | None = getattr(self.facts, endpoint, None)
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
        if self.facts.issuer is not None:
            self.context.cache.forget(self.facts.issuer)

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
