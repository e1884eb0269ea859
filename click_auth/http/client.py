"""HTTP as this application speaks it. The one module that knows httpx, or its successor httpx2."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import ssl
import time
import zlib
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from click_auth._version import __version__
from click_auth.console import console
from click_auth.http.certificates import load_certificate, trust_context, trust_source
from click_auth.http.loggers import mute_http2, mute_http_loggers
from click_auth.http.proxies import proxy_of, unusable
from click_auth.http.transport import TransportFailed, explain
from click_auth.http.urls import checked_endpoint, host_of, is_loopback, origin, shown, split
from click_auth.timeouts import TimedOut, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import httpx

C = TypeVar("C")

MOST_BYTES = 1 << 20  # of a decoded body
SILENT_SECONDS = 4.0  # then a person is told whom we wait for
_LOOPBACK_PATTERNS = ("all://127.0.0.1", "all://localhost", "all://[::1]")

logger: logging.Logger = logging.getLogger("click_auth")


@dataclass(frozen=True)
class Call:
    """One request of the library itself: a POST where there is a *body*, else a GET."""

    url: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What is hidden where the answer quotes it."""


@dataclass(frozen=True)
class Answer:
    """What a server answered: header names in lower case, the body decoded and whole.

    `sent_at` is this machine's clock, in POSIX seconds, just before the request was sent.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent_at: float


class Http:
    """Makes clients and the library's own calls, with the application's options in both.

    *module* is the name of the module that speaks, *options* go to every client; both are
    looked at when first needed. *environ* says which certificates are trusted.
    """

    def __init__(
        self,
        module: str = "httpx",
        options: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._module_name = module
        self._given = options
        self._environ = os.environ if environ is None else environ
        self._options: dict[str, Any] | None = None
        self._clocks: dict[str, float] = {}

    def clock_difference(self, *urls: str) -> float | None:
        """Return a server's clock minus this machine's, in seconds, as of its last answer.

        It is that of the first of *urls* whose origin has answered: a server tells the time for
        nobody else.
        """
        measured = (self._clocks.get(origin(url)) for url in urls)
        return next((seconds for seconds in measured if seconds is not None), None)

    @property
    def module(self) -> Any:
        """The module that speaks, imported now if it was not."""
        return importlib.import_module(self._module_name)

    @property
    def trust(self) -> str:
        """Which certificates are trusted: a variable's name, "truststore", or the module's."""
        return trust_source(self._environ) or self._module_name

    @property
    def trusted(self) -> str | None:
        """What tells one set of trusted certificates from another; None where any is trusted."""
        verify = self._application_options.get("verify", True)
        if verify is True:
            source = trust_source(self._environ)
            return f"{source} {self._environ.get(source or '', '')}"
        if isinstance(verify, ssl.SSLContext):
            return str(verify.cert_store_stats()) if verify.verify_mode else None
        return str(verify) if verify else None

    @cached_property
    def _application_options(self) -> Mapping[str, Any]:
        return dict((self._given() if callable(self._given) else self._given) or {})

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of every client. Raises `AuthError` for certificates that are not there."""
        if self._options is None:
            options = dict(self._application_options)
            if "transport" not in options:
                if options.get("verify", True) is True:  # once for all clients: it takes 15 ms
                    options["verify"] = trust_context(self._environ, self.module)
                if isinstance(options["verify"], ssl.SSLContext) and options.get("cert"):
                    load_certificate(options["verify"], options.pop("cert"))
            self._options = options
        return self._options

    @overload
    def client(
        self, cls: None = None, *, hosts: Iterable[str] = (), **options: Any
    ) -> httpx.Client: ...
    @overload
    def client(self, cls: type[C], *, hosts: Iterable[str] = (), **options: Any) -> C: ...
    def client(
        self, cls: type[Any] | None = None, *, hosts: Iterable[str] = (), **options: Any
    ) -> Any:
        """Return a client of class *cls* (default: the module's `Client`).

        It has the application's options, and *options* over them. `localhost`, `127.0.0.1`,
        `[::1]` and whatever else of *hosts* is a loopback address is never proxied. Raises
        `AuthError` for certificates and proxies in the environment that cannot be used.
        """
        common = dict(self.options)
        for name in ("headers", "mounts"):
            if name in common and options.get(name) is not None:
                options[name] = {**dict(common[name]), **dict(options[name])}
        merged = {**common, **options}
        direct = [f"all://{host}" for host in hosts if is_loopback(host) and ":" not in host]
        mounts = dict.fromkeys((*_LOOPBACK_PATTERNS, *direct))
        merged["mounts"] = {**mounts, **(merged.get("mounts") or {})}
        mute_http2()
        try:
            return (self.module.Client if cls is None else cls)(**merged)
        except Exception:
            failure = unusable(self.module) if merged.get("trust_env", True) else None
            if failure is None:
                raise
        raise failure

    def check_settings(self) -> None:
        """Raise `AuthError` where the environment names what no client can be made of."""
        self.client().close()

    def proxy_of(self, scheme: str, host: str) -> str | None:
        """Return in words which proxy a request to *host* goes through, None for no proxy."""
        options = self.options
        if is_loopback(host) or "transport" in options:
            return None
        if options.get("proxy"):
            return "the application's proxy"
        return proxy_of(scheme, host) if options.get("trust_env", True) else None

    def call(self, request: Call, *, timeout: float) -> Answer:
        """Return the answer to one call, whatever its status; redirects are not followed.

        Blocks at most *timeout* seconds, name resolution and every byte of the body included.
        Raises `TransportFailed`, and `ValueError` for a URL to which no secret may go.
        """
        checked_endpoint(request.url)
        exchange = _Exchange(self, request, timeout)
        try:
            answer = call_with_timeout(exchange.run, min(timeout, SILENT_SECONDS), exchange.go_on)
        except TimedOut:
            failure = exchange.timed_out()
        except TransportFailed as error:
            failure = error
        else:
            logger.debug("%s: status %s", shown(request.url), answer.status)
            return answer
        logger.debug("%s: %s", shown(request.url), failure.reason)
        raise failure  # out here, where httpx's own exception is not in its context


class _Exchange:
    """One call on its way, and how far it has come."""

    def __init__(self, http: Http, request: Call, timeout: float) -> None:
        self._http = http
        self._request = request
        self._timeout = timeout
        self._left = timeout - SILENT_SECONDS
        self._given_up = False
        self._sending = False
        self.status: int | None = None

    def run(self) -> Answer:
        httpx = self._http.module
        with mute_http_loggers(httpx.__name__):
            try:
                return self._answer()
            except httpx.HTTPError as error:
                failure = self._explained(httpx, error)
        raise failure

    def go_on(self) -> float:
        """Return how many seconds are left after a silence, and say once whom we wait for."""
        left, self._left = self._left, 0.0
        if left > 0:
            console.say_on_terminal(f"Waiting for {host_of(self._request.url)}.")
        return left

    def timed_out(self) -> TransportFailed:
        self._given_up = True
        lost = self._sending and self.status is None
        reason = f"{host_of(self._request.url)} did not answer within {self._timeout:g} seconds"
        return TransportFailed(reason, status=self.status, lost=lost)

    def _answer(self) -> Answer:
        request = self._request
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **request.headers}
        sent_at = time.time()
        with (
            self._client() as client,
            client.stream(
                "GET" if request.body is None else "POST",
                request.url,
                content=request.body,
                headers=headers,
                auth=None,
                follow_redirects=False,
                extensions={"trace": self._trace},
            ) as response,
        ):
            self.status = response.status_code
            self._measure(response.headers.get("date"), sent_at)
            named = {name.lower(): value for name, value in response.headers.items()}
            body = self._body(response, named.get("content-encoding", "identity"))
        return Answer(response.status_code, named, body, sent_at)

    def _client(self) -> httpx.Client:
        options: dict[str, Any] = {"timeout": self._timeout}
        given = self._http.options.get("headers") or {}
        options["headers"] = {"User-Agent": f"click-auth/{__version__}", **dict(given)}
        if is_loopback(split(self._request.url).host):
            options.update(trust_env=False, proxy=None)
        client: httpx.Client = self._http.client(**options)
        return client

    def _trace(self, event: str, details: Mapping[str, Any]) -> None:
        del details
        if ".send_request_headers." in event:
            self._sending = True

    def _body(self, response: httpx.Response, encoding: str) -> bytes:
        if response.is_stream_consumed:  # a transport for tests answers with ready content
            return response.content
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MOST_BYTES:
                raise self._broken("answered with more than 1 MiB")
            # No look at the clock: whoever was stopped meanwhile still wants what has come.
            if self._given_up:
                raise self._broken("is not waited for any more")
        return bytes(body) if encoding == "identity" else self._decoded(bytes(body), encoding)

    def _decoded(self, body: bytes, encoding: str) -> bytes:
        if encoding not in ("gzip", "deflate"):
            raise self._broken("answered in an encoding that was not asked for")
        try:
            decoded = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MOST_BYTES + 1)
        except zlib.error:
            decoded = None
        if decoded is None or len(decoded) > MOST_BYTES:
            raise self._broken("answered with what cannot be decoded")
        return decoded

    def _measure(self, date: str | None, sent_at: float) -> None:
        if date is None:
            return
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            halfway = (sent_at + time.time()) / 2
            difference = parsedate_to_datetime(date).timestamp() - halfway
            self._http._clocks[origin(self._request.url)] = difference  # noqa: SLF001 - of this module

    def _broken(self, what: str) -> TransportFailed:
        return TransportFailed(f"{host_of(self._request.url)} {what}", status=self.status)

    def _explained(self, httpx: Any, error: Exception) -> TransportFailed:
        within = f"within {self._timeout:g} seconds"
        host, parts = host_of(self._request.url), split(self._request.url)
        proxy = self._http.proxy_of(parts.scheme, parts.host)
        return explain(httpx, error, host, proxy, status=self.status, within=within)
