"""A token goes to the origins that it was made for, and to no other."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import httpx
import pytest

from click_auth import ApiKeyProvider, Auth, MemoryTokenStore, NotLoggedIn, OAuthProvider, Provider
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
    """What holds secrets is not pickled."""
    auth = place.log_in(expires_in=3600)
    for secret in (auth, auth.bearer()):
        with pytest.raises(TypeError, match="not pickled"):
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

        def challenged(self, response: httpx.Response) -> bool:
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
