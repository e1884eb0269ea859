"""The credential on HTTP requests: `httpx.Auth` as a generator, sync and async.

The token goes to the origins it was made for and to no other. It is held here; the store is asked
again at its expiry, after a 401, or when another process has written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from click_auth.urls import checked_endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable
    from types import ModuleType

    import httpx

    from click_auth.core import Core
    from click_auth.credentials import Credential
    from click_auth.tokens import TokenBundle

    Origin = tuple[bytes, bytes, int | None]
    Header = tuple[bytes, bytes]

UNAUTHORIZED = 401
_PORTS = {b"https": 443, b"http": 80}
_SAFE_IN_REDIRECTS = {"authorization", "dpop"}  # httpx strips it; a proof is bound to its URL
_PUT_HERE = "click_auth.credential_headers"


class BearerFlow:
    """The flow, whichever of httpx's modules the client is of. Thread-safe; not pickled."""

    def __init__(
        self, credential: Credential, origins: frozenset[Origin], *, guarded: bool
    ) -> None:
        self._credential = credential
        self._origins = origins
        self._guarded = guarded  # our own client strips the credential from redirects

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with the token; after a 401, once more with another one."""
        if not self._is_home(request.url):
            yield request
            return
        bundle = self._credential.at_hand() or self._credential.bundle()
        self._apply(request, bundle)
        response = yield request
        if _refuses_it(response) and self._is_challenged(request, response):
            self._apply(request, bundle)
            response = yield request
        if not _refuses_it(response):
            self._credential.accepted(bundle.access_token)
            return
        other = self._credential.after_401(bundle.access_token)
        if other is not None and _can_be_sent_again(request):
            self._apply(request, other)
            if not _refuses_it((yield request)):
                self._credential.accepted(other.access_token)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do the same, and never block the event loop: what blocks runs in a worker thread."""
        if not self._is_home(request.url):
            yield request
            return
        from click_auth import in_flight  # noqa: PLC0415 - anyio, for async clients only

        bundle = self._credential.at_hand() or await in_flight.first(self._credential)
        self._apply(request, bundle)
        response = yield request
        if _refuses_it(response) and self._is_challenged(request, response):
            self._apply(request, bundle)
            response = yield request
        if not _refuses_it(response):
            self._credential.accepted(bundle.access_token)
            return
        other = await in_flight.another(self._credential, bundle.access_token)
        if other is not None and _can_be_sent_again(request):
            self._apply(request, other)
            if not _refuses_it((yield request)):
                self._credential.accepted(other.access_token)

    def strip_elsewhere(self, request: httpx.Request) -> None:
        """Take the credential off a request that a redirect leads away from home."""
        home, put = request.extensions.get(_PUT_HERE, (request.url, ()))
        if home is not request.url and not self._is_home(request.url):
            for name in put:
                request.headers.pop(name, None)

    async def strip_elsewhere_async(self, request: httpx.Request) -> None:
        """Do the same for an async client."""
        self.strip_elsewhere(request)

    def _is_challenged(self, request: httpx.Request, response: httpx.Response) -> bool:
        """Whether the same credential, put on anew, may do."""
        return _can_be_sent_again(request) and self._credential.provider.challenged(response)

    def _is_home(self, url: httpx.URL) -> bool:
        return _origin_of(url) in self._origins

    def _apply(self, request: httpx.Request, bundle: TokenBundle) -> None:
        before = request.headers.raw  # as bytes: this runs for each request
        self._credential.provider.apply(request, bundle)
        put = [name.decode("ascii").lower() for name in _added(before, request.headers.raw)]
        put += _put_on(request)  # by an earlier attempt
        if not self._guarded and not _SAFE_IN_REDIRECTS.issuperset(put):
            raise ValueError(
                f"this credential travels in {', '.join(put)}, which httpx carries along "
                "redirects to other hosts: use auth.client()"
            )
        request.extensions[_PUT_HERE] = request.url, put

    def __reduce__(self) -> NoReturn:
        raise TypeError("a bearer holds a secret and is not pickled")


@lru_cache
def _bearer_type(module: ModuleType) -> type[Any]:
    return type("Bearer", (BearerFlow, module.Auth), {})


def bearer_for(core: Core, credential: Credential, hosts: Iterable[str]) -> httpx.Auth:
    """Return the `Auth` for a client of the caller's own. Raises ValueError without an origin."""
    origins = _origins(core, credential, hosts)
    bearer: httpx.Auth = _bearer_type(core.http.module)(credential, origins, guarded=False)
    return bearer


def client_for(
    core: Core,
    credential: Credential,
    cls: type[Any] | None,
    hosts: Iterable[str],
    options: dict[str, Any],
) -> Any:
    """Return a client of *cls* that carries the credential to `api_url`, `base_url` and *hosts*."""
    base_url = options.pop("base_url", None) or credential.provider.api_url
    origins = _origins(core, credential, [*hosts, *([str(base_url)] if base_url else [])])
    flow = _bearer_type(_module_of(cls, core))(credential, origins, guarded=True)
    is_async = hasattr(cls, "aclose")
    own, common = options.pop("event_hooks", {}), core.http.options.get("event_hooks", {})
    hooks = {name: [*common.get(name, ()), *own.get(name, ())] for name in {**common, **own}}
    strip = flow.strip_elsewhere_async if is_async else flow.strip_elsewhere
    hooks["request"] = [strip, *hooks.get("request", [])]
    if base_url is not None:
        options["base_url"] = base_url
    return core.http.client(cls, auth=flow, event_hooks=hooks, **options)


def _module_of(cls: type[Any] | None, core: Core) -> Any:
    """Return the module of httpx's API whose `Auth` a client class asks for."""
    import sys  # noqa: PLC0415

    for base in () if cls is None else cls.__mro__:
        module = sys.modules.get(base.__module__.partition(".")[0])
        if module is not None and hasattr(module, "Auth") and hasattr(module, "AsyncClient"):
            return module
    return core.http.module


def _origins(core: Core, credential: Credential, hosts: Iterable[str]) -> frozenset[Origin]:
    api_url = credential.provider.api_url
    named = [*hosts, *([api_url] if api_url else [])]
    if not named:
        raise ValueError("say where the token may go: the provider's api_url=, base_url= or hosts=")
    return frozenset(_checked_origin(core, name) for name in named)


def _checked_origin(core: Core, name: str) -> Origin:
    url = name if "://" in name else f"https://{name}"
    return _origin_of(core.http.module.URL(checked_endpoint(url, name)))


def _origin_of(url: httpx.URL) -> Origin:
    return url.raw_scheme, url.raw_host, url.port or _PORTS.get(url.raw_scheme)


def _added(before: list[Header], after: list[Header]) -> Iterable[bytes]:
    """Return the names of the headers that *after* has and *before* has not, or not so."""
    if after and after[:-1] == before:  # as almost always
        return after[-1][:1]
    return [header[0] for header in after if header not in before]


def _refuses_it(response: httpx.Response) -> bool:
    """Whether this is a 401 to a request with the credential: a redirect may have taken it off."""
    answered = response.request
    if response.status_code != UNAUTHORIZED:
        return False
    return all(name in answered.headers for name in _put_on(answered))


def _put_on(request: httpx.Request) -> Iterable[str]:
    """Return the names of the headers in which the credential was put on *request*."""
    names: Iterable[str] = request.extensions.get(_PUT_HERE, (None, ()))[1]
    return names


def _can_be_sent_again(request: httpx.Request) -> bool:
    """Whether the body is in memory; a stream that is spent would be sent again empty."""
    try:
        return request.content is not None
    except RuntimeError:  # RequestNotRead, of either module
        return False
