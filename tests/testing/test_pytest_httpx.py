"""Whoever tests a CLI with pytest-httpx tests it whole: our requests are httpx's like any other."""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from pytest_httpx import HTTPXMock

from click_auth import Auth, MemoryTokenStore, OAuthProvider, Unreachable
from click_auth.testing import logged_in

EXAMPLE = Path(__file__).parents[2] / "examples" / "todo.py"
ISSUER, API = "https://id.todo.example", "https://api.todo.example"
PAIR = {
    "access_token": "new",
    "refresh_token": "newer",
    "token_type": "Bearer",
    "expires_in": 3600,
}


@pytest.fixture
def auth(tmp_path: Path) -> Auth:
    """An application whose servers are nowhere."""
    provider = OAuthProvider(
        client_id="todo-cli",
        issuer=ISSUER,
        api_url=API,
        identify=lambda api: api.get("/me").raise_for_status().json(),
    )
    return Auth("todo", provider, store=MemoryTokenStore(), folder=tmp_path)


def has_metadata(httpx_mock: HTTPXMock) -> None:
    """Let the server publish its metadata."""
    httpx_mock.add_response(
        url=f"{ISSUER}/.well-known/oauth-authorization-server",
        json={
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
        },
    )


def agrees(url: str) -> bool:
    """Be the browser and the person: the answer goes to this machine, which is not mocked."""
    asked = parse_qs(urlsplit(url).query)
    (redirect_uri,), (state,) = asked["redirect_uri"], asked["state"]
    with urllib.request.urlopen(f"{redirect_uri}?code=the-code&state={state}", timeout=60) as page:
        page.read()
    return True


def ask(auth: Auth, how: str) -> int:
    """Send one request with the credential; return the status."""
    if how == "client":
        with auth.client() as api:
            return api.get("/tasks").status_code
    if how == "bearer":
        with httpx.Client(auth=auth.bearer(), base_url=API) as api:
            return api.get("/tasks").status_code

    async def request() -> int:
        made = {"auth": auth.bearer(), "base_url": API}
        async with (
            auth.client(httpx.AsyncClient) if how == "async client" else httpx.AsyncClient(**made)  # type: ignore[arg-type]
        ) as api:
            return (await api.get("/tasks")).status_code

    return anyio.run(request)


HOWS = ["client", "bearer", "async client", "async bearer"]


@pytest.mark.parametrize("how", HOWS)
def test_a19_the_applications_own_requests(auth: Auth, httpx_mock: HTTPXMock, how: str) -> None:
    """They carry the token."""
    httpx_mock.add_response(url=f"{API}/tasks", json=[])
    with logged_in(auth) as session:
        assert ask(auth, how) == 200
    (request,) = httpx_mock.get_requests()
    assert request.headers["Authorization"] == f"Bearer {session.bundle.access_token}"


@pytest.mark.parametrize("how", HOWS)
def test_a19_a_refresh_ahead_of_expiry(auth: Auth, httpx_mock: HTTPXMock, how: str) -> None:
    """Discovery, token endpoint and API, in this order, and nobody else."""
    has_metadata(httpx_mock)
    httpx_mock.add_response(url=f"{ISSUER}/token", method="POST", json=PAIR)
    httpx_mock.add_response(url=f"{API}/tasks", match_headers={"Authorization": "Bearer new"})
    with logged_in(auth, expires_in=-60):
        assert ask(auth, how) == 200
    assert [request.url.path for request in httpx_mock.get_requests()] == [
        "/.well-known/oauth-authorization-server",
        "/token",
        "/tasks",
    ]


@pytest.mark.parametrize("how", HOWS)
def test_a19_a_refresh_after_a_401(auth: Auth, httpx_mock: HTTPXMock, how: str) -> None:
    """The request is sent again with the new token."""
    httpx_mock.add_response(url=f"{API}/tasks", status_code=401)
    has_metadata(httpx_mock)
    httpx_mock.add_response(url=f"{ISSUER}/token", method="POST", json=PAIR)
    httpx_mock.add_response(url=f"{API}/tasks", match_headers={"Authorization": "Bearer new"})
    with logged_in(auth):
        assert ask(auth, how) == 200


def test_a19_a_login_and_who_it_is(auth: Auth, httpx_mock: HTTPXMock) -> None:
    """The whole of it; only the redirect to this machine is real."""
    has_metadata(httpx_mock)
    httpx_mock.add_response(url=f"{ISSUER}/token", method="POST", json=PAIR)
    httpx_mock.add_response(
        url=f"{API}/me", match_headers={"Authorization": "Bearer new"}, json={"id": "ada"}
    )
    with auth.override(browser=agrees, environ={}):
        assert auth.login(timeout=60).account.id == "ada"
    exchange = next(each for each in httpx_mock.get_requests() if each.url.path == "/token")
    assert parse_qs(exchange.content.decode())["code"] == ["the-code"]


def test_a19_its_failures_are_a_networks(auth: Auth, httpx_mock: HTTPXMock) -> None:
    """An exception that is mocked ends a refresh and a request as a real one does."""
    httpx_mock.add_exception(httpx.ConnectError("no route"), is_reusable=True)
    with logged_in(auth), pytest.raises(Unreachable, match="can't be reached"):
        auth.refresh()
    with logged_in(auth), pytest.raises(Unreachable, match=r"api\.todo\.example can't"):
        ask(auth, "client")


STRICT = """
from click_auth.testing import logged_in
from todo import auth


def test_unexpected(httpx_mock, isolated_auth):
    isolated_auth(auth)
    with logged_in(auth, expires_in=-60):
        auth.access_token()


def test_unused(httpx_mock, isolated_auth):
    isolated_auth(auth)
    httpx_mock.add_response(url="https://id.todo.example/token")
    with logged_in(auth):
        auth.access_token()
"""


def test_a19_its_strictness_holds(tmp_path: Path) -> None:
    """A request of ours that nobody expected and an answer that we did not ask for fail a test."""
    shutil.copy(EXAMPLE, tmp_path)
    (tmp_path / "test_strict.py").write_text(STRICT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED test_strict.py::test_unexpected" in done.stdout
    assert "ERROR test_strict.py::test_unused" in done.stdout
