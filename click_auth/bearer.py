"""The credential on HTTP requests: `httpx.Auth` as a generator, sync and async.

The token goes to the origins it was made for and to no other. It is held here; the store is asked
again at its expiry, after a 401, or when another process has written.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from click_auth.console.text import printable
from click_auth.errors import AuthError, NotLoggedIn
from click_auth.http.call import can_be_sent_again, host_in, log_request, watch_connections
from click_auth.http.step_up import find_step_up
from click_auth.http.urls import checked_endpoint
from click_auth.record import Rejected, TokenBundle, Unpickled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable
    from contextlib import AbstractContextManager
    from types import ModuleType

    import httpx
    from anyio import Event

    from click_auth.context import Context
    from click_auth.credentials import Credential

    Origin = tuple[bytes, bytes, int | None]
    Header = tuple[bytes, bytes]
    Steps = Generator[httpx.Request | "_Call", Any, None]
    Hinting = Callable[[], AbstractContextManager[None]]

UNAUTHORIZED, FORBIDDEN = 401, 403
# One may wait so long that its new token, good for others meanwhile, has ended too.
MOST_RENEWALS = 2
_SAFE_IN_REDIRECTS = {"authorization", "dpop"}  # httpx strips it; a proof is bound to its URL
_SENT = "click_auth.sent"

logger: logging.Logger = logging.getLogger("click_auth")


@dataclass(eq=False)
class Sent:
    """What *flow* put on a request for *url*: headers with these *names*. Redirects share it."""

    flow: BearerFlow
    bundle: TokenBundle
    url: httpx.URL
    names: Iterable[str]
    held_back: Callable[[], Any] | None = None  # the application's: they may have to see a 401

    def follow(self, request: httpx.Request) -> None:
        """Put the credential that a redirect took along on anew, or take it off away from home."""
        if request.url is self.url:
            return
        if not self.flow.is_home(request.url):
            self.flow.log_held_back(request.url)
            for name in self.names:
                request.headers.pop(name, None)
        elif self.names and all(name in request.headers for name in self.names):
            self.flow.apply(request, self.bundle)  # a proof is bound to its URL


class _Call(NamedTuple):
    """A call that blocks: for a token that is not the *rejected* one, or of a hook."""

    make: Callable[..., Any]
    rejected: Rejected | None = None
    is_hook: bool = False


class _Flight:
    """A call under way, which others wait for: its end, and the error that it ended with."""

    def __init__(self, end: Event) -> None:
        self.end = end
        self.error: AuthError | None = None


class BearerFlow(Unpickled):
    """The flow, whichever of httpx's modules the client is of. Thread-safe; not pickled.

    *hinting* adds to its errors what the reader does next. *guarded* says that the client takes
    the credential off redirects, *raising* that a 401 that stands is raised as `NotLoggedIn`.
    """

    def __init__(
        self,
        credential: Credential,
        origins: frozenset[Origin],
        hinting: Hinting,
        *,
        guarded: bool = False,
        raising: bool = False,
        stepping_up: bool = False,
    ) -> None:
        self._credential, self._origins, self._hinting = credential, origins, hinting
        self._guarded, self._raising, self._stepping_up = guarded, raising, stepping_up
        self._flights: dict[object, _Flight] = {}  # what is under way, by event loop and purpose

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with the token; after a 401, again with another one."""
        watch_connections(request)
        with self._hinting():
            steps, answer = self._steps(request), None
            while (step := _advance(steps, answer)) is not None:
                answer = step.make() if isinstance(step, _Call) else (yield step)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do the same, and never block the event loop: what blocks runs in a worker thread."""
        watch_connections(request, is_async=True)
        with self._hinting():
            steps, answer = self._steps(request), None
            while (step := _advance(steps, answer)) is not None:
                answer = await self._fly(step) if isinstance(step, _Call) else (yield step)

    def _steps(self, request: httpx.Request) -> Steps:
        """Yield what to send, for its response, and what to call, for what that returns."""
        credential = self._credential
        if not self.is_home(request.url):
            self.log_held_back(request.url)
            yield from _send(request)
            return
        bundle = credential.cached() or (yield _Call(credential.bundle))
        self.apply(request, bundle)
        response = yield from _send(request)
        if (
            is_refused(response)
            and can_be_sent_again(request)
            and credential.provider.is_challenge(response)  # the same one, put on anew, may do
        ):
            self.apply(request, bundle)
            response = yield from _send(request)
        renewals = 0
        while is_refused(response) and renewals < MOST_RENEWALS:
            rejected = Rejected(bundle.access_token)
            other = yield _Call(partial(credential.after_401, rejected), rejected)
            if other is None:
                break
            renewals += 1
            if not can_be_sent_again(request):
                break
            bundle = other
            self.apply(request, bundle)
            response = yield from _send(request)
        if is_refused(response):
            yield from self._refuse(response, is_renewed=renewals > 0)
            return
        credential.accepted(bundle.access_token)
        if (lacking := self.find_step_up(response)) is not None:
            raise lacking

    def _refuse(self, response: httpx.Response, *, is_renewed: bool) -> Steps:
        """Show the application's hooks the 401 that stands, and raise it where that is wanted."""
        request, sent = response.request, find_sent(response.request)
        if sent is not None and sent.held_back is not None:
            yield _Call(sent.held_back, is_hook=True)
        if self._raising:
            failure = self.refusal(request)
            if is_renewed and not can_be_sent_again(request):
                failure.with_hints(["The token has been refreshed. Run the command again."])
            raise failure

    async def _fly(self, call: _Call) -> Any:
        """Make *call* in a worker thread, once for all that need it: the others await its end.

        They raise its error too: else each would wait in vain for as long, one after the other.
        A cancellation does not interrupt the thread: a rotated token is stored before the task
        ends. Needs anyio, which httpx itself stands on: asyncio and trio alike.
        """
        if call.is_hook:
            return await call.make()
        import anyio.lowlevel  # noqa: PLC0415 - for async clients only

        purpose = anyio.lowlevel.current_token(), call.rejected
        while (found := self._credential.cached()) is None or found.access_token == call.rejected:
            flight = self._flights.get(purpose)
            if flight is not None:
                await flight.end.wait()
                if flight.error is not None:
                    raise flight.error
                continue
            flight = self._flights[purpose] = _Flight(anyio.Event())
            try:
                return await anyio.to_thread.run_sync(call.make)
            except AuthError as error:
                flight.error = error
                raise
            finally:
                del self._flights[purpose]
                flight.end.set()
        return found

    @property
    def hosts(self) -> list[str]:
        """The hosts that the credential may go to."""
        return sorted({host.decode("ascii") for _, host, _ in self._origins})

    def is_home(self, url: httpx.URL) -> bool:
        """Whether the credential may go to *url*."""
        return _origin_of(url) in self._origins

    def log_held_back(self, url: httpx.URL) -> None:
        """Log that a request to *url* goes without the credential."""
        origin = f"{url.scheme}://{printable(url.netloc.decode('ascii'))}"
        known = ", ".join(self.hosts)
        logger.debug("no token for %s: it goes to %s; hosts= names more", origin, known)

    def find_step_up(self, response: httpx.Response) -> NotLoggedIn | None:
        """Return the error of a *response* that asks for a login that grants more, or None."""
        is_meant = self._stepping_up and response.status_code == FORBIDDEN
        return find_step_up(response) if is_meant else None

    def refusal(self, request: httpx.Request) -> NotLoggedIn:
        """Return the error of a 401 that stands: whose token it was, and what to do."""
        credential, account = self._credential, self._credential.account
        whose = f"the credentials of {account.name}" if account else credential.whose
        message = f"{host_in(request)} rejected {whose} (401)."
        return NotLoggedIn(message, hints=credential.way_out)

    def apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        """Put the credential on *request*, and note which headers that are."""
        before = request.headers.raw  # as bytes: this runs for each request
        self._credential.provider.apply(request, bundle)
        put = [name.decode("ascii").lower() for name in _find_added(before, request.headers.raw)]
        if (earlier := find_sent(request)) is not None:
            put += earlier.names
        if not self._guarded and not _SAFE_IN_REDIRECTS.issuperset(put):
            raise ValueError(
                f"this credential is sent in {', '.join(put)}, which httpx also sends "
                "along redirects to other hosts: use auth.client()"
            )
        request.extensions[_SENT] = Sent(self, bundle, request.url, put)


def _send(request: httpx.Request) -> Generator[httpx.Request, httpx.Response, httpx.Response]:
    """Yield *request*, return its response, and log both."""
    began, outcome = time.monotonic(), "no response"
    try:
        response = yield request
        request, outcome = response.request, str(response.status_code)
        return response
    finally:
        if logger.isEnabledFor(logging.DEBUG):
            url = request.url.copy_with(userinfo=b"", query=None, fragment=None)
            log_request(request.method, url, outcome, began)


def _advance(steps: Steps, answer: Any) -> httpx.Request | _Call | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


@lru_cache
def _bearer_type(module: ModuleType) -> type[Any]:
    return type("Bearer", (BearerFlow, module.Auth), {})


def flow_for(
    context: Context,
    credential: Credential,
    hosts: Iterable[str],
    hinting: Hinting,
    *,
    base_url: object = None,
    module: Any = None,
    **kind: bool,
) -> Any:
    """Return the `Auth` of *module*, or the application's, for *hosts*, `api_url` and *base_url*.

    Raises `ValueError` where no origin is named, `TypeError` for *hosts* that are one text.
    """
    if isinstance(hosts, str):
        raise TypeError(f"hosts must be a list of origins, not {hosts!r}")
    named = [*hosts, *map(str, filter(None, (base_url, credential.provider.api_url)))]
    if not named:
        raise ValueError("say where the token may go: the provider's api_url=, base_url= or hosts=")
    urls = [checked_endpoint(name if "://" in name else f"https://{name}", name) for name in named]
    origins = frozenset(_origin_of(context.http.module.URL(url)) for url in urls)
    return _bearer_type(module or context.http.module)(credential, origins, hinting, **kind)


def _origin_of(url: httpx.URL) -> Origin:
    return url.raw_scheme, url.raw_host, url.port  # None for the scheme's own


def _find_added(before: list[Header], after: list[Header]) -> Iterable[bytes]:
    """Return the names of the headers that *after* has and *before* has not, or not so."""
    if after and after[:-1] == before:  # as almost always
        return after[-1][:1]
    return [header[0] for header in after if header not in before]


def find_sent(request: httpx.Request) -> Sent | None:
    """Return what was put on *request*, None where the credential was never on it."""
    return cast("Sent | None", request.extensions.get(_SENT))


def is_refused(response: httpx.Response) -> bool:
    """Whether this is a 401 to a request with the credential: a redirect may have taken it off."""
    if response.status_code != UNAUTHORIZED:
        return False
    sent = find_sent(response.request)
    return sent is not None and all(name in response.request.headers for name in sent.names)
