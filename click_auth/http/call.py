"""One call of the library itself to a server: bounded, never redirected, its failure in words."""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from dataclasses import KW_ONLY, dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from click_auth import http as guard
from click_auth._version import __version__
from click_auth.console import console
from click_auth.console.text import printable
from click_auth.http.client import CERTIFICATE_VARIABLES, Http, mute_http_loggers
from click_auth.http.urls import Url, checked_endpoint, host_of, is_loopback, origin
from click_auth.interrupts import Deadline, TimedOut, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx


MOST_BYTES = 1 << 20  # of a decoded body
LONGEST_RETRY_AFTER = 3600.0  # seconds
SILENT_SECONDS = 4.0  # then a person is told whom we wait for

logger: logging.Logger = logging.getLogger("click_auth")


@dataclass(frozen=True)
class Call:
    """One request of the library itself: a POST where there is a *body*, else a GET."""

    url: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What is hidden where the response quotes it."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True)
class Answer:
    """What a server returned: header names in lower case, the body decoded and whole.

    `sent_at` is this machine's clock, in POSIX seconds, just before the request was sent.
    """

    call: Call = field(repr=False)
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent_at: float


@dataclass(eq=False, repr=False)
class TransportFailed(Exception):
    """No whole response came. *reason* is inert and holds no query, no header, no body.

    `status` is the status that had come, None where none had; `lost` says that the server may
    have done what it was asked, `unsent` that nothing was sent: it was not there, or not trusted;
    `away` that the network, a proxy or the server was not there.
    """

    reason: str
    _: KW_ONLY
    status: int | None = None
    lost: bool = False
    unsent: bool = False
    away: bool = False


def send(http: Http, call: Call, timeout: float) -> Answer:
    """Return the response to *call*, whatever its status; redirects are not followed.

    Blocks at most *timeout* seconds, name resolution and every byte of the body included.
    Raises `TransportFailed`, and `ValueError` for a URL to which no secret may go.
    """
    checked_endpoint(call.url)
    exchange, began = _Exchange(http, call, timeout), time.monotonic()
    try:
        answer = call_with_timeout(exchange.run, exchange.deadline())
    except TimedOut:
        failure = exchange.give_up()
    except TransportFailed as error:
        failure = error
    else:
        log_request(call.method, call.url, answer.status, began)
        return answer
    log_request(call.method, call.url, failure.reason, began)
    raise failure  # out here, where httpx's own exception is not in its context


def log_request(method: str, url: object, outcome: object, began: float) -> None:
    """Log a request sent at *began* (monotonic) and its status, or why it has none: no query."""
    if logger.isEnabledFor(logging.DEBUG):
        place, seconds = printable(str(url).partition("?")[0]), time.monotonic() - began
        logger.debug("%s %s: %s, %d ms", method, place, outcome, 1000 * seconds)


def watch_connections(request: httpx.Request, *, is_async: bool = False) -> None:
    """Let *request* fail before it opens a socket to another machine, in a test run only."""
    if guard.network_guard is not None:
        request.extensions.setdefault("trace", _ask_guard_async if is_async else _ask_guard)


def _ask_guard(event: str, details: Mapping[str, Any]) -> None:
    """Raise where a test run is about to connect to another machine: httpcore's "trace"."""
    is_start, refuse = event.endswith("connect_tcp.started"), guard.network_guard
    if is_start and refuse is not None and not is_loopback(details["host"]):
        refuse(details["host"])


async def _ask_guard_async(event: str, details: Mapping[str, Any]) -> None:
    _ask_guard(event, details)


class _Exchange:
    """One call on its way, and how far it has come."""

    def __init__(self, http: Http, call: Call, timeout: float) -> None:
        self._http = http
        self._call = call
        self._host = host_of(call.url)
        self._timeout = timeout
        self._given_up = False
        self._sending = False
        self._status: int | None = None

    def deadline(self) -> Deadline:
        """Return when the call is over; after a silence a person is told whom we wait for."""
        silence = min(self._timeout, SILENT_SECONDS)
        say = partial(console.say_on_terminal, f"Waiting for {self._host}.")
        return Deadline(silence, self._timeout - silence, say)

    def give_up(self) -> TransportFailed:
        """Let the call end by itself, and return the failure that there was no time left."""
        self._given_up = True
        lost = self._sending and self._status is None
        return self._failure(f"didn't respond within {self._timeout:g} seconds", lost=lost)

    def run(self) -> Answer:
        """Return the response. Raises `TransportFailed`."""
        module, parts = self._http.module, Url(self._call.url)
        with mute_http_loggers(module.__name__):
            try:
                return self._answer()
            except module.HTTPError as error:
                proxy = self._http.proxy_of(parts.scheme, parts.host)
                within = f"within {self._timeout:g} seconds"
                failure = explain(
                    module, error, self._host, proxy, status=self._status, within=within
                )
        raise failure

    def _answer(self) -> Answer:
        call = self._call
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **call.headers}
        given = dict(self._http.options.get("headers") or {})
        options: dict[str, Any] = {"headers": {"User-Agent": f"click-auth/{__version__}", **given}}
        if is_loopback(Url(call.url).host):
            options.update(trust_env=False, proxy=None)
        sent_at = time.time()
        with (
            self._http.client(timeout=self._timeout, **options) as client,
            client.stream(
                call.method,
                call.url,
                content=call.body,
                headers=headers,
                auth=None,
                follow_redirects=False,
                extensions={"trace": self._trace},
            ) as response,
        ):
            self._status = response.status_code
            named = {name.lower(): value for name, value in response.headers.items()}
            self._measure_clock(named.get("date", ""), sent_at)
            body = self._body(response)
        return Answer(call, response.status_code, named, body, sent_at)

    def _trace(self, event: str, details: Mapping[str, Any]) -> None:
        _ask_guard(event, details)
        if ".send_request_headers." in event:
            self._sending = True

    def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                raise self._failure("sent more than 1 MiB")
            # No look at the clock: whoever was stopped meanwhile still wants what has come.
            if self._given_up:
                raise self._failure("took too long")
        return bytes(body)

    def _measure_clock(self, date: str, sent_at: float) -> None:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            halfway = (sent_at + time.time()) / 2
            difference = parsedate_to_datetime(date).timestamp() - halfway
            self._http.clocks[origin(self._call.url)] = difference

    def _failure(self, what: str, *, lost: bool = False) -> TransportFailed:
        return TransportFailed(f"{self._host} {what}", status=self._status, lost=lost)


def explain(
    httpx: Any,
    error: Exception,
    host: str,
    proxy: str | None,
    *,
    status: int | None = None,
    within: str = "in time",
) -> TransportFailed:
    """Return in words what kept *host* from responding: *error* is one of the module *httpx*.

    *proxy* is what the request went through, *status* what had come before, *within* how long
    the response was waited for.
    """
    causes = list(_chain(error))
    untrusted = next((each for each in causes if isinstance(each, ssl.SSLError)), None)
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        why, names = printable(untrusted.verify_message), " or ".join(CERTIFICATE_VARIABLES)
        reason = f"the certificate of {host} is not trusted ({why}); {names} can name trusted ones"
        return TransportFailed(reason, unsent=True)
    if isinstance(error, httpx.ProxyError):
        reason = f"{proxy or 'the proxy'} refused to connect to {host} ({printable(error, 100)})"
        return TransportFailed(reason, unsent=True, away=True)
    early = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
    if isinstance(error, early):
        known = (each.strerror for each in causes if isinstance(each, OSError))
        why = printable(next(filter(None, known), type(error).__name__), 100)
        away = host if proxy is None or untrusted is not None else proxy
        return TransportFailed(f"{away} can't be reached ({why})", unsent=True, away=True)
    if isinstance(error, httpx.TimeoutException):
        what = f"didn't respond {within}"
    elif isinstance(error, httpx.TooManyRedirects):
        what = "redirected the request too many times"
    elif isinstance(error, httpx.DecodingError):
        what = "sent a response that can't be decoded"
    elif status is None:
        what = "closed the connection without responding"
    else:
        what = "sent an incomplete response"
    through = "" if proxy is None else f", through {proxy}"
    return TransportFailed(f"{host} {what}{through}", status=status, lost=status is None)


def retry_after_seconds(value: str | None) -> float | None:
    """Return for how many seconds a server wants to be left alone (RFC 9110 section 10.2.3).

    At most `LONGEST_RETRY_AFTER`; None for what cannot be read and for the past.
    """
    value = (value or "").strip()
    try:
        digits = value.isascii() and value.isdecimal()
        seconds = float(value) if digits else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else None


def host_in(request: Any) -> str:
    """Return host and port of where an httpx request goes."""
    netloc: bytes = request.url.netloc
    return printable(netloc.decode("ascii", "replace"))


def can_be_sent_again(request: Any) -> bool:
    """Whether the body is in memory, or made of files that httpx rewinds (multipart).

    A stream that is spent would be sent again empty.
    """
    fields = getattr(request.stream, "fields", None)
    if fields is not None:
        return all(_is_seekable(getattr(field, "file", b"")) for field in fields)
    try:
        return request.content is not None
    except RuntimeError:  # RequestNotRead, of either module
        return False


def _is_seekable(file: Any) -> bool:
    return isinstance(file, (str, bytes)) or (hasattr(file, "seekable") and file.seekable())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
