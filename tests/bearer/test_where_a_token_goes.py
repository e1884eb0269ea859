"""A token goes to the origins that it was made for, and to no other."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import httpx
import pytest

from click_auth import (
    ApiKeyProvider,
    Auth,
    MemoryTokenStore,
    NotLoggedIn,
    OAuthProvider,
    Provider,
    Unreachable,
)
from click_auth.testing import Answer, logged_in
from refresh.crowd import Place


class Stranger:
    """A server that remembers the headers it was sent, and redirects where it is told to."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.location: str | None = None
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.headers.append({n.lower(): v for n, v in self.headers.items()})
                self.send_response(302 if stranger.location else 200)
                if stranger.location:
                    self.send_header("Location", stranger.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Somebody else's server."""
    server = Stranger()
    yield server
    server.close()


def test_token_goes_to_the_api(place: Place) -> None:
    """A relative URL goes to `api_url`, with the token."""
    auth = place.log_in(expires_in=3600)
    with auth.client() as api:
        assert api.get("/me").json()["id"] == "ada"


def test_absolute_url_of_a_stranger_goes_without_the_token(
    place: Place, stranger: Stranger
) -> None:
    """An absolute URL to another origin is sent, without the token."""
    auth = place.log_in(expires_in=3600)
    with auth.client() as api:
        api.get(stranger.url + "/")
    with httpx.Client(auth=auth.bearer()) as client:
        client.get(stranger.url + "/")
    assert ["authorization" in headers for headers in stranger.headers] == [False, False]


@pytest.mark.parametrize("kind", ["client", "bearer"])
def test_redirect_to_a_stranger_goes_without_the_token(
    place: Place, stranger: Stranger, kind: str
) -> None:
    """A redirect that leads away is followed without the token."""
    auth = place.log_in(expires_in=3600)
    place.server.faults.hooks["api"] = lambda _request: Answer.redirect(stranger.url, 302)
    if kind == "client":
        client = auth.client(follow_redirects=True)
    else:
        client = httpx.Client(
            auth=auth.bearer(), base_url=place.server.api_url, follow_redirects=True
        )
    with client as api:
        assert api.get("/tasks").status_code == 200
    assert "authorization" not in stranger.headers[0]


def test_api_key_is_not_carried_along_a_redirect(stranger: Stranger) -> None:
    """A key in a header that httpx would carry along is taken off before it leaves home."""
    home = Stranger()
    try:
        home.location = stranger.url
        auth = Auth(
            "todo",
            ApiKeyProvider(api_url=home.url, header="X-Api-Key", scheme=""),
            store=MemoryTokenStore(),
        )
        logged_in(auth, expires_in=None)
        with auth.client(follow_redirects=True) as api:
            api.get("/")
        assert "x-api-key" in home.headers[0]
        assert "x-api-key" not in stranger.headers[0]
        with (
            httpx.Client(auth=auth.bearer()) as client,
            pytest.raises(ValueError, match=r"auth\.client"),
        ):
            client.get(home.url)
    finally:
        home.close()


class WithHooks(httpx.Client):
    """A client that sets its own hooks when it is made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "event_hooks": {"request": [lambda _request: None]}})


class WithHooksAfterwards(httpx.Client):
    """A client that sets them a moment later."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.event_hooks = {"response": [lambda _response: None]}


def no_hooks(client: Any) -> None:
    """Leave a client as it is."""


def new_hooks(client: Any) -> None:
    """Replace its hooks as httpx's documentation does."""
    client.event_hooks = {"response": []}


def no_request_hooks(client: Any) -> None:
    """Take all of them out."""
    client.event_hooks["request"].clear()
    client.event_hooks["request"] = []


@pytest.mark.parametrize("cls", [None, WithHooks, WithHooksAfterwards])
@pytest.mark.parametrize("change", [no_hooks, new_hooks, no_request_hooks])
def test_s4_no_hook_takes_the_guard_of_a_key_away(
    stranger: Stranger, cls: type[httpx.Client] | None, change: Callable[[Any], None]
) -> None:
    """However an application sets hooks, a redirect does not carry a key to another host."""
    home = Stranger()
    try:
        home.location = stranger.url
        provider = ApiKeyProvider(api_url=home.url, header="X-Api-Key", scheme="")
        auth = Auth("todo", provider, store=MemoryTokenStore())
        logged_in(auth, expires_in=None)
        with auth.client(cls, follow_redirects=True) as api:  # type: ignore[arg-type]
            change(api)
            api.get("/")
        assert "x-api-key" in home.headers[0]
        assert "x-api-key" not in stranger.headers[0]
    finally:
        home.close()


def test_s4_nor_with_an_async_client(stranger: Stranger) -> None:
    """The same in an event loop."""
    home = Stranger()
    home.location = stranger.url
    provider = ApiKeyProvider(api_url=home.url, header="X-Api-Key", scheme="")
    auth = Auth("todo", provider, store=MemoryTokenStore())
    logged_in(auth, expires_in=None)

    async def request() -> None:
        async with auth.client(httpx.AsyncClient, follow_redirects=True) as api:
            api.event_hooks = {"response": []}
            await api.get("/")

    try:
        anyio.run(request)
        assert "x-api-key" not in stranger.headers[0]
    finally:
        home.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "127.1.1.1", "[::1]"])
@pytest.mark.parametrize("how", ["api_url", "base_url", "hosts"])
def test_s9_this_machine_is_reached_through_no_proxy(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch, host: str, how: str
) -> None:
    """Whatever name it has that plain http is allowed for."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, stranger.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    url = f"http://{host}:9"
    provider = ApiKeyProvider(api_url=url if how == "api_url" else None)
    auth = Auth("todo", provider, store=MemoryTokenStore())
    logged_in(auth, expires_in=None)
    options = {"base_url": url} if how == "base_url" else {"hosts": [url]}
    client = auth.client(**({} if how == "api_url" else options))
    with client as api, pytest.raises(httpx.ConnectError):
        api.get(f"{url}/x")
    assert stranger.headers == []


def test_hosts_and_base_url_add_origins(place: Place, stranger: Stranger) -> None:
    """`hosts=` and `base_url=` name further origins; a port more or less is another origin."""
    auth = place.log_in(expires_in=3600)
    with auth.client(hosts=[stranger.url]) as api:
        api.get(stranger.url + "/")
    with auth.client(base_url=stranger.url) as api:
        api.get("/")
    assert all("authorization" in headers for headers in stranger.headers)


@pytest.mark.parametrize("host", ["http://api.example", "https://user@api.example", "ftp://a.b"])
def test_origins_are_https_or_loopback(place: Place, host: str) -> None:
    """A token does not go over plain http to another machine."""
    auth = place.log_in(expires_in=3600)
    with pytest.raises(ValueError):  # noqa: PT011
        auth.client(hosts=[host])


def test_without_an_origin_there_is_no_client() -> None:
    """Where nobody says where the token may go, a client is a programming error."""
    provider = OAuthProvider(
        client_id="x",
        authorization_endpoint="https://id.example/authorize",
        token_endpoint="https://id.example/token",
    )
    auth = Auth("todo", provider, store=MemoryTokenStore())
    logged_in(auth)
    with pytest.raises(ValueError, match="where the token may go"):
        auth.client()
    with pytest.raises(ValueError, match="where the token may go"):
        auth.bearer()
    with auth.client(base_url="https://api.example") as api:
        assert str(api.base_url) == "https://api.example"


def test_apply_of_a_provider_of_ones_own(stranger: Stranger) -> None:
    """A provider decides how its credential is put on a request."""

    class Own(Provider):
        api_url = stranger.url

        def login(self, request: object, ui: object) -> object:
            raise NotImplementedError

        def apply(self, request: httpx.Request, bundle: object) -> None:
            request.headers["Authorization"] = f"Token {bundle.access_token}"

    auth = Auth("todo", Own(), store=MemoryTokenStore())
    token = logged_in(auth).bundle.access_token
    with auth.client() as api:
        api.get("/")
    assert stranger.headers[0]["authorization"] == f"Token {token}"


def test_bearers_and_auths_refuse_to_be_pickled(place: Place) -> None:
    """What holds secrets refuses to be pickled."""
    auth = place.log_in(expires_in=3600)
    for secret in (auth, auth.bearer()):
        with pytest.raises(TypeError, match="can't be pickled"):
            pickle.dumps(secret)


def test_nobody_logged_in_is_an_error_at_once(place: Place) -> None:
    """A client for nobody is `NotLoggedIn`, with the line to type."""
    with pytest.raises(NotLoggedIn) as caught:
        place.auth().client()
    assert caught.value.format_message() == "Not logged in. Run `todo auth login`."


def test_challenge_is_answered_with_the_same_credential() -> None:
    """A 401 that only asks for the credential to be put on anew costs no refresh."""
    sent: list[str] = []

    class Nonced(Provider):
        api_url = "https://api.example"
        nonce = "none"

        def login(self, request: object, ui: object) -> object:
            raise NotImplementedError

        def is_challenge(self, response: httpx.Response) -> bool:
            known, type(self).nonce = self.nonce, response.headers["nonce"]
            return known != self.nonce

        def apply(self, request: httpx.Request, bundle: object) -> None:
            request.headers["Authorization"] = f"Nonced {self.nonce}"

    def api(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        status = 200 if sent[-1] == "Nonced fresh" else 401
        return httpx.Response(status, headers={"nonce": "fresh"})

    auth = Auth("todo", Nonced(), store=MemoryTokenStore())
    logged_in(auth)
    with auth.client(transport=httpx.MockTransport(api)) as client:
        assert client.get("/").status_code == 200
        assert client.get("/").status_code == 200
    assert sent == ["Nonced none", "Nonced fresh", "Nonced fresh"]

    async def use() -> int:
        sent.clear()
        Nonced.nonce = "old"
        transport = httpx.MockTransport(api)
        async with auth.client(httpx.AsyncClient, transport=transport) as client:
            return (await client.get("/")).status_code

    assert anyio.run(use) == 200
    assert sent == ["Nonced old", "Nonced fresh"]


def test_redirects_without_end_are_called_what_they_are(place: Place, stranger: Stranger) -> None:
    """The server did respond, again and again."""
    stranger.location = stranger.url
    auth = place.log_in(expires_in=3600)
    words = "redirected the request too many times"
    with pytest.raises(Unreachable, match=words), auth.client(follow_redirects=True) as api:
        api.get(stranger.url)
