"""Why a request got no whole answer, in words that hold no query, no header and no body."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from click_auth.console.text import printable
from click_auth.http.certificates import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator


class TransportFailed(Exception):
    """No whole answer came. The text is inert and holds no query, no header, no body.

    `status` is the status that had come, None where none had; `lost` says that the server may
    have done what it was asked, `unsent` that nothing was sent: it was not there, or not trusted.
    """

    def __init__(
        self, reason: str, *, status: int | None = None, lost: bool = False, unsent: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.lost = lost
        self.unsent = unsent


class NotReached(TransportFailed):
    """The network, a proxy or the server was away."""


def explain(
    httpx: Any,
    error: Exception,
    host: str,
    proxy: str | None,
    *,
    status: int | None = None,
    within: str = "in time",
) -> TransportFailed:
    """Return in words what kept *host* from answering: *error* is one of the module *httpx*.

    *proxy* is what the request went through, *status* what had come before, *within* how long
    the answer was waited for.
    """
    causes = list(_chain(error))
    untrusted = next((each for each in causes if isinstance(each, ssl.SSLError)), None)
    through = "" if proxy is None else f", through {proxy}"
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        reason = (
            f"the certificate of {host} is not trusted ({printable(untrusted.verify_message)}); "
            f"{' or '.join(VARIABLES)} says which are"
        )
        return TransportFailed(reason, unsent=True)
    early = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
    if isinstance(error, httpx.ProxyError):
        reason = f"{proxy or 'the proxy'} refused to connect to {host} ({printable(error, 100)})"
        return NotReached(reason, unsent=True)
    if isinstance(error, early):
        known = (each.strerror for each in causes if isinstance(each, OSError))
        why = next((text for text in known if text), type(error).__name__)
        away = host if proxy is None or untrusted is not None else proxy
        return NotReached(f"{away} could not be reached ({printable(why, 100)})", unsent=True)
    if isinstance(error, httpx.TimeoutException):
        what = f"did not answer {within}"
    elif status is None:
        what = "closed the connection without an answer"
    else:
        what = "cut its answer short"
    return TransportFailed(f"{host} {what}{through}", status=status, lost=status is None)


def host_in(request: Any) -> str:
    """Return host and port of where an httpx request goes."""
    netloc: bytes = request.url.netloc
    return printable(netloc.decode("ascii", "replace"))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
