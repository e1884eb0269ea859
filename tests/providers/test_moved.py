"""Endpoints that have moved since the server's metadata was cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from click_auth import (
    Auth,
    AuthError,
    AuthorizationRequest,
    AuthorizationResponse,
    LoginFailed,
    LoginRequest,
    NotLoggedIn,
    OAuthProvider,
    TokenBundle,
    Unreachable,
)
from click_auth.errors import AnswerLost
from click_auth.testing import AuthorizationServer, logged_in
from providers.certificates import self_signed, server_context
from providers.person import Person
from providers.test_device import Clock
from providers.test_dpop import BINDS, proven
from providers.wire import Reply, Scripted, device_login, provider, reply, reset, say, server_of

URI = "http://127.0.0.1:49152/callback"
OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
GOOD = {"access_token": "new", "token_type": "Bearer"}
OLD = TokenBundle("a", "r")
NAMES = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "device_authorization_endpoint": "device",
    "registration_endpoint": "register",
    "revocation_endpoint": "revoke",
    "userinfo_endpoint": "userinfo",
    "pushed_authorization_request_endpoint": "par",
    "jwks_uri": "keys",
}


def document(server: Scripted, place: str) -> dict[str, Any]:
    """Return metadata with every endpoint below *place*."""
    endpoints = {name: f"{place}/{path}" for name, path in NAMES.items()}
    return {"issuer": server.url, **endpoints}


def moved(server: Scripted, module: str, old: str | None = None, **facts: Any) -> OAuthProvider:
    """Return a provider that remembers the endpoints at *old*; they are below `/new` by now."""
    made = provider(server, module, issuer=server.url, **facts)
    server.on.setdefault(OAUTH, say(document(server, f"{server.url}/new")))
    made.context.cache.save(server.url, document(server, old or f"{server.url}/old"))
    return made


def refresh(made: OAuthProvider) -> TokenBundle:
    """Use a refresh token."""
    return made.refresh(OLD)


def exchange(made: OAuthProvider) -> TokenBundle:
    """Exchange a code."""
    return made.exchange(AuthorizationRequest("", URI, "s", "v"), AuthorizationResponse("c", URI))


Operation = Callable[[OAuthProvider], TokenBundle]
both = pytest.mark.parametrize("operation", [refresh, exchange])
GONE = {
    "404": reply("<html>not here</html>", 404),
    "404 of a framework": say({"error": "Not Found", "path": "/old/token"}, 404),
    "405": say({}, 405),
    "410": reply("", 410),
    "301": reply("", 301, Location="/elsewhere"),
    "307": reply("", 307, Location="https://evil.example/"),
}


@both
@pytest.mark.parametrize("answer", GONE.values(), ids=GONE)
def test_an_endpoint_that_answers_not_here_is_looked_for_by_the_next_call(
    server: Scripted, module: str, operation: Operation, answer: Reply
) -> None:
    """Discovery says where it is now, not the redirect; it is remembered for the next time."""
    server.on = {"/old/token": answer, "/new/token": say(GOOD)}
    made = moved(server, module)
    with pytest.raises(AuthError):
        operation(made)
    assert server.paths() == ["/old/token"]
    assert operation(made).access_token == "new"
    assert server.paths() == ["/old/token", OAUTH, "/new/token"]
    assert server.seen[0].form == server.seen[2].form
    assert operation(made).access_token == "new"
    assert server.paths()[3:] == ["/new/token"]


@both
def test_a_host_where_nobody_listens(server: Scripted, module: str, operation: Operation) -> None:
    """The host may have moved, too."""
    server.on = {"/new/token": say(GOOD)}
    made = moved(server, module, "http://127.0.0.1:1")
    with pytest.raises(AuthError):
        operation(made)
    assert operation(made).access_token == "new"
    assert server.paths() == [OAUTH, "/new/token"]


def test_te_16_a_host_that_has_another_ones_certificate_gets_no_token(
    server: Scripted, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the address now gets no token; the next call finds the right one."""
    pem = self_signed(tmp_path, host="127.0.0.9")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    server.on = {"/new/token": say(GOOD)}
    with Scripted([say(GOOD)], context=server_context(pem)) as stranger:
        made = moved(server, module, stranger.url)
        with pytest.raises(Unreachable, match="not trusted"):
            refresh(made)
        assert refresh(made).access_token == "new"
        assert stranger.seen == []


PROCESSED = {
    "lost": (reset, AnswerLost),
    "400": (reply("", 400), Unreachable),
    "401": (say({"error": "invalid_client"}, 401), Unreachable),
    "403": (reply("<html>", 403), Unreachable),
    "dead": (say({"error": "invalid_grant"}, 400), NotLoggedIn),
    "429": (reply("", 429), Unreachable),
    "500": (reply("", 500), Unreachable),
    "503": (say({}, 503), Unreachable),
    "no token": (say({}), Unreachable),
    "html": (reply("<html>"), Unreachable),
}


@pytest.mark.parametrize("answer, kind", PROCESSED.values(), ids=PROCESSED)
def test_te_11_14_what_may_have_been_processed_is_not_sent_elsewhere(
    server: Scripted, module: str, answer: Reply, kind: type[AuthError]
) -> None:
    """Neither a refresh token nor a code; and a sick server is not asked for its metadata too."""
    server.on = {"/old/token": answer}
    made = moved(server, module)
    with pytest.raises(AuthError) as failed:
        refresh(made)
    assert type(failed.value) is kind
    with pytest.raises(LoginFailed):
        exchange(made)
    assert server.paths() == ["/old/token", "/old/token"]


@pytest.mark.parametrize("issuer", ["https://evil.example", "{url}/", None])
def test_md_01_another_issuer_does_not_say_where_it_is(
    server: Scripted, module: str, issuer: str | None
) -> None:
    """Nothing is sent to where a stranger points."""
    named = issuer and issuer.format(url=server.url)
    false = say({**document(server, f"{server.url}/evil"), "issuer": named})
    server.on = {"/old/token": GONE["404"], OAUTH: false, OPENID: false}
    made = moved(server, module)
    for _ in range(2):
        with pytest.raises(Unreachable):
            refresh(made)
    assert server.paths() == ["/old/token", OAUTH, OPENID]


@pytest.mark.parametrize("answer", [GONE["404"], reset, reply("", 500)], ids=["404", "cut", "500"])
def test_discovery_that_fails_is_tried_again(server: Scripted, module: str, answer: Reply) -> None:
    """Nothing of it is remembered, and the next command heals."""
    server.on = {"/old/token": reply("", 410), OAUTH: answer, OPENID: answer}
    made = moved(server, module)
    for _ in range(2):
        with pytest.raises(Unreachable):
            refresh(made)
    server.on |= {OAUTH: say(document(server, f"{server.url}/new")), "/new/token": say(GOOD)}
    assert refresh(made).access_token == "new"


def test_an_endpoint_given_by_hand_is_where_it_is(server: Scripted, module: str) -> None:
    """Discovery has no say in it, and is not asked."""
    server.on = {"/mine": GONE["404"]}
    made = moved(server, module, token_endpoint=f"{server.url}/mine")
    for _ in range(2):
        with pytest.raises(Unreachable):
            refresh(made)
    assert server.paths() == ["/mine", "/mine"]


def test_every_other_endpoint_is_looked_for_too(server: Scripted, module: str) -> None:
    """Devices, pushed requests, registration, userinfo and revocation."""
    server.replies = [GONE["404"]]
    code = {"device_code": "d", "user_code": "u", "verification_uri": "https://id.todo.example/d"}
    server.on |= {
        "/new/device": say({**code, "expires_in": 60, "interval": 1}),
        "/new/token": say(GOOD),
        "/new/par": say({"request_uri": "urn:x:1"}, 201),
        "/new/register": say({"client_id": "c"}, 201),
        "/new/userinfo": say({"sub": "ada"}),
        "/new/revoke": reply(""),
    }
    pushes = {"client_metadata": {"require_pushed_authorization_requests": True}}
    asked = LoginRequest(redirect_uri=URI, device=True)
    stories: dict[str, tuple[OAuthProvider, Callable[[OAuthProvider], object]]] = {
        "device": (
            moved(server, module),
            lambda made: made.login(asked, Person(browser=False)),
        ),
        "par": (moved(server, module, **pushes), lambda made: made.authorize(asked)),
        "register": (
            moved(server, module, client_id=None),
            lambda made: made.authorize(asked),
        ),
        "userinfo": (
            moved(server, module, scopes=("openid",)),
            lambda made: made.identify(None, OLD),  # type: ignore[arg-type]
        ),
        "revoke": (moved(server, module), lambda made: made.revoke(TokenBundle("a"))),
    }
    for path, (made, story) in stories.items():
        server.seen.clear()
        with suppress(AuthError):  # a revocation says False
            assert not story(made)
        assert story(made)
        assert [server.paths()[0], server.paths()[-1]] == [
            f"/old/{path}",
            f"/new/{'token' if path == 'device' else path}",
        ]
        assert server.paths().count(OAUTH) == 1


def test_a_login_by_device_polls_where_it_has_begun(server: Scripted, module: str) -> None:
    """However often its polls are answered so: the next login looks anew."""
    code = {"device_code": "d", "user_code": "u", "verification_uri": "https://id.todo.example/d"}
    server.replies = [GONE["404"]]
    server.on = {"/old/device": say({**code, "expires_in": 60, "interval": 1}), OAUTH: reset}
    clock = Clock()
    with pytest.raises(LoginFailed, match="wasn't entered in time"):
        device_login(
            server_of(moved(server, module)),
            LoginRequest(device=True),
            Person(browser=False),
            sleep=clock.sleep,
            monotonic=clock.monotonic,
        )
    assert server.paths().count("/old/token") > 1
    assert OAUTH not in server.paths()


def test_a_proof_is_made_for_the_new_address(server: Scripted, module: str) -> None:
    """One for the old URL would be good for nobody (RFC 9449 section 4.3)."""
    server.on = {"/old/token": GONE["404"], "/new/token": say({**GOOD, "token_type": "DPoP"})}
    made = moved(server, module, **BINDS)
    with pytest.raises(Unreachable):
        refresh(made)
    assert refresh(made).access_token == "new"
    proven(server.seen[0], f"{server.url}/old/token")
    proven(server.seen[2], f"{server.url}/new/token")


@pytest.fixture
def idp() -> Iterator[AuthorizationServer]:
    """Run a whole authorization server."""
    with AuthorizationServer() as running:
        yield running


def test_a_command_heals_by_itself(idp: AuthorizationServer, tmp_path: Path) -> None:
    """With a cache on disk: the first fails, the next asks the server, all others need not."""

    def auth() -> Auth:
        """Return what the next process has."""
        made = OAuthProvider(client_id="todo-cli", issuer=idp.issuer, api_url=idp.api_url)
        return Auth("todo", made, storage="plaintext", folder=tmp_path)

    def discoveries() -> int:
        """Count how often the server was asked for its metadata."""
        return len([each for each in idp.journal if each.endpoint == "discovery"])

    idp.faults.overlay["discovery"] = {"token_endpoint": f"{idp.origin}/former/token"}
    logged_in(auth(), server=idp, expires_in=-5)
    with pytest.raises(Unreachable):
        auth().access_token()
    once = discoveries()
    idp.faults.overlay.clear()
    token = auth().access_token()
    assert (discoveries(), idp.refresh_count) == (once + 1, 1)
    assert auth().access_token() == token
    auth().refresh()
    assert (discoveries(), idp.refresh_count) == (once + 1, 2)
