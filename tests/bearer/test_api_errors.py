"""What an API refuses, and what cannot be asked, ends a command with a way out."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import click
import httpx
import httpx2
import pytest

from click_auth import Auth, AuthError, MemoryTokenStore, NotLoggedIn, Unreachable
from click_auth.testing import logged_in
from refresh.crowd import Place
from runner import CliRunner, Result

GONE = "http://127.0.0.1:9"  # nobody listens on this port


def command(auth: Auth, body: Callable[[Any], object]) -> Result:
    """Run a command of the application's own that does *body* with its client."""

    @click.group()
    def cli() -> None:
        """Keep track."""

    cli.add_command(auth.group())

    @cli.command()
    @auth.pass_client
    def tasks(api: Any) -> None:
        """List them."""
        body(api)

    return CliRunner().invoke(cli, ["tasks"], prog_name="todo")


# The way out of whatever is raised from inside a request (H2)


def ask(auth: Auth, how: str) -> None:
    """Send one request with the credential of *auth*."""
    if how == "client":
        with auth.client() as api:
            api.get("/me")
    elif how == "bearer":
        with httpx.Client(
            auth=auth.bearer(), base_url=str(auth.context.provider(None).api_url)
        ) as api:
            api.get("/me")
    else:
        anyio.run(ask_async, auth)


async def ask_async(auth: Auth) -> None:
    """Do the same in an event loop."""
    async with auth.client(httpx.AsyncClient) as api:
        await api.get("/me")


@pytest.mark.parametrize("how", ["client", "bearer", "async"])
def test_h2_a_dead_session_says_the_same_each_time(place: Place, how: str) -> None:
    """The first and every later time: whose it is, the line to type, the application's hints."""
    place.log_in()
    place.server.revoke_all()
    auth = place.auth(hints=["Ask in #help."])
    said = []
    for _ in range(2):
        with pytest.raises(NotLoggedIn) as caught:
            ask(auth, how)
        said.append(caught.value.format_message())
    assert said[0] == said[1]
    assert said[0].endswith("has expired or was revoked. Run `todo auth login`. Ask in #help.")


def test_h2_any_error_from_inside_a_request_has_the_hints(place: Place) -> None:
    """An authorization server that cannot be reached, for one."""
    place.log_in()
    place.server.faults.status["token"] = (503, "maintenance")
    auth = place.auth(hints=["Ask in #help."])
    with auth.client() as api, pytest.raises(Unreachable) as caught:
        api.get("/me")
    assert caught.value.hints[-1] == "Ask in #help."


def test_h2_in_a_command_too(place: Place) -> None:
    """The same line ends a command."""
    place.log_in()
    place.server.revoke_all()
    result = command(place.auth(), lambda api: api.get("/me"))
    assert result.exit_code == 4
    assert "Run `todo auth login`." in result.stderr


# A 401 that stands, an error status, no answer (H5)


def test_h5_a_refused_credential_is_named(place: Place) -> None:
    """Whose it is, and the line to type; the status alone is enough."""
    auth = place.log_in(expires_in=3600)
    place.server.faults.status["api"] = (401, "{}")
    result = command(auth, lambda api: api.get("/tasks").json()[0]["title"])
    assert result.exit_code == 4
    assert "rejected the credentials of ada@todo.example (401)" in result.stderr
    assert "Run `todo auth login`." in result.stderr


def test_h5_a_refused_variable_is_named(place: Place) -> None:
    """A login would not help: the variable is in the way."""
    with place.auth().override(environ={"TODO_TOKEN": "x"}) as auth:
        result = command(auth, lambda api: api.get("/tasks").json()[0]["title"])
    assert result.exit_code == 4
    assert "the token in TODO_TOKEN" in result.stderr
    assert "login" not in result.stderr


FAILURES = {
    "no answer": (GONE, None, Unreachable, 5, "can't be reached"),
    "status": (None, (500, "{}"), AuthError, 1, "returned status 500"),
    "forbidden": (None, (403, "{}"), AuthError, 1, "returned status 403"),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("module", [httpx, httpx2])
def test_h5_what_leaves_the_block_is_ours(place: Place, failure: str, module: Any) -> None:
    """With httpx's own error as its cause; inside the block it is httpx's."""
    url, status, kind, exit_code, words = FAILURES[failure]
    if status is not None:
        place.server.faults.status["api"] = status
    auth = place.log_in(expires_in=3600)
    path = f"{url or place.server.api_url}/me"
    with pytest.raises(kind, match=words) as caught, auth.client(module.Client) as api:
        api.get(path).raise_for_status()
    assert isinstance(caught.value.__cause__, module.HTTPError)
    assert caught.value.exit_code == exit_code
    assert caught.value.code == ("AUTH_REFRESH_TRANSIENT" if exit_code == 5 else "API_STATUS")


@pytest.mark.parametrize("failure", FAILURES)
def test_h5_what_leaves_the_block_of_an_async_client_is_ours(place: Place, failure: str) -> None:
    """The same in an event loop."""
    url, status, kind, _, words = FAILURES[failure]
    if status is not None:
        place.server.faults.status["api"] = status
    auth = place.log_in(expires_in=3600)

    async def request() -> None:
        async with auth.client(httpx.AsyncClient) as api:
            (await api.get(f"{url or place.server.api_url}/me")).raise_for_status()

    with pytest.raises(kind, match=words):
        anyio.run(request)


@pytest.mark.parametrize("failure", FAILURES)
def test_h5_what_leaves_the_command_is_ours(place: Place, failure: str) -> None:
    """One line and the exit code, without a block around it."""
    url, status, _, exit_code, words = FAILURES[failure]
    if status is not None:
        place.server.faults.status["api"] = status
    auth = place.log_in(expires_in=3600)
    path = f"{url or place.server.api_url}/me"
    result = command(auth, lambda api: api.get(path).raise_for_status())
    assert result.exit_code == exit_code
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_h5_an_application_may_have_httpx_errors(place: Place) -> None:
    """`auth_errors=False` leaves all of it to httpx."""
    auth = place.log_in(expires_in=3600)
    place.server.faults.status["api"] = (401, "{}")
    with pytest.raises(httpx.HTTPStatusError), auth.client(auth_errors=False) as api:
        api.get("/me").raise_for_status()
    with pytest.raises(httpx.ConnectError), auth.client(auth_errors=False) as api:
        api.get(GONE)


def test_h5_what_the_application_handles_is_not_touched(place: Place) -> None:
    """A status that is only looked at, and an error that is caught in the block."""
    auth = place.log_in(expires_in=3600)
    with auth.client() as api:
        assert api.get("/nothing").status_code == 404
        with pytest.raises(httpx.ConnectError):
            api.get(GONE)


def test_h5_the_client_is_of_the_class_that_was_asked_for(place: Place) -> None:
    """To all appearances it is that very class, and it is made once."""

    class Mine(httpx.Client):
        """The application's own."""

    auth = place.log_in(expires_in=3600)
    with auth.client(Mine) as first, auth.client(Mine) as second:
        assert isinstance(first, Mine)
        assert type(first) is type(second)
        assert repr(type(first)) == repr(Mine)
        assert type(first).__doc__ == Mine.__doc__


# The application's event hooks (B24, S4)


class Heard(list[int]):
    """A response hook, sync or async, that remembers statuses and raises for them."""

    def sync(self, response: Any) -> None:
        """Remember, and raise."""
        self.append(response.status_code)
        response.raise_for_status()

    async def asynchronous(self, response: Any) -> None:
        """Do the same."""
        self.sync(response)


def hook_in(client: Any, way: str, hook: Any) -> None:
    """Set a response hook as httpx's documentation does."""
    if way == "property":
        client.event_hooks = {"response": [hook]}
    elif way == "item":
        client.event_hooks["response"] = [hook]
    elif way == "append":
        client.event_hooks["response"].append(hook)


WAYS = ["argument", "property", "item", "append"]


@pytest.mark.parametrize("way", WAYS)
def test_b24_a_hook_does_not_see_a_401_that_is_answered(place: Place, way: str) -> None:
    """The documented raising hook does not stand between the API and the refresh."""
    auth, heard = place.log_in(expires_in=3600), Heard()
    place.server.expire_access_tokens()
    given = {"response": [heard.sync]} if way == "argument" else {}
    with auth.client(event_hooks=given) as api:
        hook_in(api, way, heard.sync)
        assert api.get("/me").status_code == 200
    assert heard == [200]
    assert place.server.refresh_count == 1


@pytest.mark.parametrize("way", WAYS)
def test_b24_a_hook_of_an_async_client_neither(place: Place, way: str) -> None:
    """The same in an event loop."""
    auth, heard = place.log_in(expires_in=3600), Heard()
    place.server.expire_access_tokens()
    given = {"response": [heard.asynchronous]} if way == "argument" else {}

    async def request() -> int:
        async with auth.client(httpx.AsyncClient, event_hooks=given) as api:
            hook_in(api, way, heard.asynchronous)
            return (await api.get("/me")).status_code

    assert anyio.run(request) == 200
    assert heard == [200]


@pytest.mark.parametrize("environ", [{}, {"TODO_TOKEN": "x"}])
def test_b24_a_hook_sees_a_401_that_stands(place: Place, environ: dict[str, str]) -> None:
    """Once; and what it raises for it ends as the 401 itself would."""
    place.log_in(expires_in=3600)
    place.server.faults.status["api"] = (401, "{}")
    heard = Heard()
    with place.auth().override(environ=environ) as auth:
        hooks = {"response": [heard.sync]}
        with pytest.raises(NotLoggedIn), auth.client(event_hooks=hooks) as api:
            api.get("/me")
    assert heard == [401]


def test_b24_a_hook_of_an_async_client_sees_it_too(place: Place) -> None:
    """Once, in its own turn."""
    heard = Heard()

    async def request(auth: Auth) -> None:
        hooks = {"response": [heard.asynchronous]}
        async with auth.client(httpx.AsyncClient, event_hooks=hooks) as api:
            await api.get("/me")

    with place.auth().override(environ={"TODO_TOKEN": "x"}) as auth, pytest.raises(NotLoggedIn):
        anyio.run(request, auth)
    assert heard == [401]


# Bodies that can be sent again (B26)


class Spent(io.RawIOBase):
    """A file that cannot be rewound."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        return 0


@pytest.mark.parametrize(
    "make, statuses",
    [
        (lambda: b"in memory", [401, 404]),
        (lambda: io.BytesIO(b"a file"), [401, 404]),
        (lambda: ("name.txt", io.BytesIO(b"a file"), "text/plain"), [401, 404]),
        (Spent, [401]),
    ],
)
def test_b26_an_upload_is_sent_again_where_it_can_be(
    place: Place, make: Callable[[], Any], statuses: list[int]
) -> None:
    """Whole, after the refresh; what is spent is not sent again empty."""
    auth = place.log_in(expires_in=3600)
    place.server.expire_access_tokens()
    with auth.client(auth_errors=False) as api:
        api.post("/upload", files={"upload": make()})
    sent = [entry for entry in place.server.journal.snapshot() if entry.endpoint == "api"]
    assert [entry.status for entry in sent] == statuses
    assert place.server.refresh_count == 1


def test_b26_a_generator_is_not_sent_again(place: Place) -> None:
    """It is spent."""

    def body() -> Iterator[bytes]:
        yield b"once"

    auth = place.log_in(expires_in=3600)
    place.server.expire_access_tokens()
    with auth.client(auth_errors=False) as api:
        assert api.post("/upload", content=body()).status_code == 401


# Where the token goes, said (S17, M2, M11)


@pytest.mark.parametrize("make", [Auth.client, Auth.bearer])
def test_s17_one_text_is_no_list_of_hosts(place: Place, make: Callable[..., Any]) -> None:
    """Its letters would be hosts."""
    with pytest.raises(TypeError, match=r"cdn\.example\.com"):
        make(place.log_in(expires_in=3600), hosts="cdn.example.com")


def test_m2_the_line_outside_of_click(place: Place) -> None:
    """Where nothing is attached, the group that `auth.group()` would be is named."""
    auth = Auth("arg1", place.auth().context.services.provider(None), store=MemoryTokenStore())
    with pytest.raises(NotLoggedIn) as caught:
        auth.access_token()
    assert caught.value.format_message() == "Not logged in. Run `arg1 auth login`."


def test_m11_a_token_that_is_held_back_is_logged(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """With debugging on; a plain 401 from there then explains itself, without a block too."""
    caplog.set_level(logging.DEBUG, logger="click_auth")
    auth = place.log_in(expires_in=3600)
    elsewhere = place.server.api_url.replace("127.0.0.1", "localhost")
    with httpx.Client(auth=auth.bearer()) as client:
        assert client.get(f"{elsewhere}/me").status_code == 401
    assert any(
        "no token for http://localhost" in line and "hosts=" in line for line in caplog.messages
    )
    with pytest.raises(AuthError, match="status 401") as caught, auth.client() as api:
        api.get(f"{elsewhere}/me").raise_for_status()
    assert "hosts=" in caught.value.format_message()


def test_h5_a_login_after_a_refusal_is_used(place: Place) -> None:
    """The client goes on with it."""
    auth = place.log_in(expires_in=3600)
    place.server.revoke_all()
    with auth.client() as api:
        with pytest.raises(NotLoggedIn):
            api.get("/me")
        logged_in(auth, server=place.server)
        assert api.get("/me").status_code == 200
