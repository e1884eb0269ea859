"""A 403 that asks for more: the command ends with the line that grants it."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import click
import httpx
import pytest

from click_auth import Account, Auth, NotLoggedIn, OAuthProvider, TokenBundle
from runner import CliRunner


class Api(ThreadingHTTPServer):
    """Answers 403 with the challenge of the test."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.challenge: str | None = None
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        self.send_response(403)
        if self.server.challenge is not None:
            self.send_header("WWW-Authenticate", self.server.challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def api() -> Iterator[Api]:
    """Run an API that wants more."""
    with Api() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def auth(api: Api, tmp_path: Path) -> Auth:
    """A `todo` that Ada is logged in to."""
    provider = OAuthProvider(
        client_id="todo-cli",
        authorization_endpoint="https://id.example/authorize",
        token_endpoint="https://id.example/token",
        api_url=api.url,
    )
    made = Auth("todo", provider, storage="plaintext", folder=tmp_path / "todo")
    made.store.set_bundle(Account("ada"), TokenBundle("token"), promote_default=True)
    return made


def line_in(error: NotLoggedIn) -> list[str]:
    """Return the words of the login line in *error*, as a shell reads them."""
    return shlex.split(error.format_message().partition("`")[2].partition("`")[0])


@pytest.mark.parametrize(
    "challenge, options",
    [
        ('Bearer error="insufficient_scope", scope="admin"', ["--scope", "admin"]),
        ('Bearer realm="x", ERROR=insufficient_scope', []),
        (
            'Basic realm="a", Bearer error="insufficient_scope", scope="tasks:write admin"',
            ["--scope", "tasks:write", "--scope", "admin"],
        ),
        ('DPoP error="insufficient_scope", scope="a$(reboot)\'"', ["--scope", "a$(reboot)'"]),
        (
            'Bearer error="insufficient_user_authentication", acr_values="phr phrh", max_age="300"',
            ["--acr-values", "phr phrh", "--max-age", "300"],
        ),
        ('Bearer error="insufficient_scope", scope="\x1b[31m"', []),
        ('Bearer error="insufficient_scope", max_age="-1"', []),
    ],
)
def test_the_error_has_the_line_to_type(
    auth: Auth, api: Api, challenge: str, options: list[str]
) -> None:
    """With the scopes, the strength and the age that the API names; nothing a shell would run."""
    api.challenge = challenge
    with pytest.raises(NotLoggedIn) as caught, auth.client() as client:
        client.get("/")
    assert caught.value.code == "AUTH_INSUFFICIENT_SCOPE"
    assert line_in(caught.value) == ["todo", "auth", "login", *options]


@pytest.mark.parametrize(
    "challenge", [None, "Bearer", 'Bearer error="invalid_token"', "=,=", 'scope="admin"']
)
def test_a_403_without_such_a_challenge_is_the_applications(
    auth: Auth, api: Api, challenge: str | None
) -> None:
    """It sees the response."""
    api.challenge = challenge
    with auth.client() as client:
        assert client.get("/").status_code == 403


def test_it_can_be_left_alone(auth: Auth, api: Api) -> None:
    """`step_up=False`, and a bearer of one's own."""
    api.challenge = 'Bearer error="insufficient_scope", scope="admin"'
    with auth.client(step_up=False) as client:
        assert client.get("/").status_code == 403
    with httpx.Client(auth=auth.bearer(), base_url=api.url) as client:
        assert client.get("/").status_code == 403


def test_a_hook_that_raises_does_not_hide_it(auth: Auth, api: Api) -> None:
    """What leaves the block is our error, with the line."""
    api.challenge = 'Bearer error="insufficient_scope", scope="admin"'

    def check(response: httpx.Response) -> None:
        response.raise_for_status()

    with (
        pytest.raises(NotLoggedIn) as caught,
        auth.client(event_hooks={"response": [check]}) as client,
    ):
        client.get("/")
    assert line_in(caught.value)[-2:] == ["--scope", "admin"]


def test_an_async_client_says_the_same(auth: Auth, api: Api) -> None:
    """The flow is one."""
    api.challenge = 'Bearer error="insufficient_scope", scope="admin"'

    async def ask() -> None:
        async with auth.client(httpx.AsyncClient) as client:
            await client.get("/")

    with pytest.raises(NotLoggedIn) as caught:
        anyio.run(ask)
    assert caught.value.code == "AUTH_INSUFFICIENT_SCOPE"


def test_the_next_login_asks_for_strength_and_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameters of RFC 9470 reach the authorization server."""
    monkeypatch.setenv("TODO_NO_BROWSER", "1")
    said: list[Any] = []

    class Provider(OAuthProvider):
        def authorize(self, request: Any) -> Any:
            said.append(super().authorize(request).url)
            raise click.Abort

    provider = Provider(
        client_id="x",
        authorization_endpoint="https://id.example/authorize",
        token_endpoint="https://id.example/token",
        api_url="https://api.example",
    )
    auth = Auth("todo", provider, storage="plaintext", folder=tmp_path / "todo")
    cli = click.Group("todo", commands=[auth.group()])
    words = ["auth", "login", "--acr-values", "phr phrh", "--max-age", "0"]
    CliRunner().invoke(cli, words)
    query = httpx.URL(said[0]).params
    assert (query["acr_values"], query["max_age"]) == ("phr phrh", "0")
