from __future__ import annotations

import socket
import time
from typing import Any

import httpx
import pytest

from click_auth import AuthError, LoginFailed, LoginRequest, OAuthProvider, TokenBundle, Unreachable
from click_auth.http.client import Http
from click_auth.oauth.server import well_known
from click_auth.providers import ProviderContext
from providers.person import Person
from providers.wire import Reply, Scripted, provider, reply, reset, say, server_of

URI = "http://127.0.0.1:49152/callback"
OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
OPEN = ("openid",)
BY_DEVICE = LoginRequest(device=True)
MISSING = reply("<html>not here</html>", 404)


def document(server: Scripted, path: str = "", **fields: Any) -> dict[str, Any]:
    """Return the metadata of an issuer on *server*."""
    return {
        "issuer": server.url + path,
        "authorization_endpoint": f"{server.url}/authorize",
        "token_endpoint": f"{server.url}/token",
        **fields,
    }


def authorize(server: Scripted, module: str, path: str = "", **facts: Any) -> str:
    """Discover an issuer on *server*, and return the URL of a login."""
    made = provider(server, module, issuer=server.url + path, **facts)
    return made.authorize(LoginRequest(redirect_uri=URI)).url


@pytest.mark.parametrize(
    "issuer, places",
    [
        (
            "https://id.todo.example",
            [f"https://id.todo.example{OAUTH}", f"https://id.todo.example{OPENID}"],
        ),
        (
            "https://id.todo.example/",
            [f"https://id.todo.example{OAUTH}", f"https://id.todo.example{OPENID}"],
        ),
        (
            "https://id.todo.example/realms/a",
            [
                f"https://id.todo.example{OAUTH}/realms/a",
                f"https://id.todo.example/realms/a{OPENID}",
                f"https://id.todo.example/realms/a{OAUTH}",
                f"https://id.todo.example{OPENID}/realms/a",
            ],
        ),
    ],
)
def test_md_02_where_metadata_is_looked_for(issuer: str, places: list[str]) -> None:
    """Inserted before the issuer's path, or appended to it, whoever's name it has."""
    assert [url for _, url in well_known(issuer)] == places


def slowly_missing(connection: socket.socket) -> None:
    """Say that it is not here, after two thirds of the time."""
    time.sleep(2)
    connection.sendall(MISSING)


@pytest.mark.parametrize("path", ["", "/", "/realms/a", "/realms/a/"])
@pytest.mark.parametrize("place", [f"{OAUTH}%s", f"%s{OPENID}", f"%s{OAUTH}", f"{OPENID}%s"])
def test_md_02_metadata_is_found(server: Scripted, module: str, path: str, place: str) -> None:
    """In any of these places; the issuer's slash at the end is part of its name."""
    server.replies = [MISSING]
    server.on = {place % path.rstrip("/"): say(document(server, path))}
    assert authorize(server, module, path).startswith(f"{server.url}/authorize?")


@pytest.mark.parametrize("issuer", ["https://evil.example", "{url}/", "{url}/x", None, 5])
def test_md_01_another_issuer_is_refused(server: Scripted, module: str, issuer: str | None) -> None:
    """Before anybody is sent anywhere; compared as a plain string."""
    named = issuer.format(url=server.url) if isinstance(issuer, str) else issuer
    server.replies = [say(document(server, issuer=named))]
    with pytest.raises(LoginFailed) as failed:
        authorize(server, module)
    assert failed.value.code == "AUTH_OAUTH_FAILED"
    assert set(server.paths()) == {OAUTH, OPENID}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply("<html>welcome</html>"), id="html"),
        pytest.param(reply("", 302, Location="/elsewhere"), id="redirect"),
        pytest.param(reply("x" * (1 << 21)), id="huge"),
        pytest.param(reply("[" * 100_000), id="deep"),
        pytest.param(say([]), id="list"),
        pytest.param(MISSING, id="missing"),
    ],
)
def test_md_04_what_is_no_metadata(server: Scripted, module: str, answer: Reply) -> None:
    """A typed error; no redirect is followed."""
    server.replies = [answer]
    with pytest.raises(LoginFailed, match="has no OAuth metadata"):
        authorize(server, module)
    assert "/elsewhere" not in server.paths()


UNFIT = ["http://id.todo.example/x", "javascript:alert(1)", "https://u@id.example/", 5, "/x"]


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
@pytest.mark.parametrize("url", UNFIT)
def test_md_04_endpoints_that_no_secret_may_go_to(
    server: Scripted, module: str, name: str, url: Any
) -> None:
    """A login that needs one ends before anybody is sent anywhere, and asks anew the next time."""
    server.replies = [say(document(server, **{name: url}))]
    made = provider(server, module, issuer=server.url)
    for _ in range(2):
        with pytest.raises(LoginFailed, match=f"metadata is unusable: {name}") as failed:
            made.authorize(LoginRequest(redirect_uri=URI))
        assert "log in again" not in failed.value.format_message().lower()
    assert server.paths() == [OAUTH, OAUTH]
    server.replies = [say(document(server))]
    assert made.authorize(LoginRequest(redirect_uri=URI)).url.startswith(f"{server.url}/authorize?")


@pytest.mark.parametrize(
    "name",
    [
        *("device_authorization_endpoint", "revocation_endpoint", "userinfo_endpoint"),
        *("registration_endpoint", "pushed_authorization_request_endpoint", "jwks_uri"),
    ],
)
@pytest.mark.parametrize("url", ["", None, "/", *UNFIT])
def test_te_32_b11_an_endpoint_is_judged_when_it_is_used(
    server: Scripted, module: str, name: str, url: Any
) -> None:
    """A login, a refresh and a login by another name need none of these; Hydra publishes "/"."""
    server.on = {OAUTH: say(document(server, **{name: url}))}
    server.replies = [say({"access_token": "x", "token_type": "Bearer"})]
    made = provider(server, module, issuer=server.url)
    made.authorize(LoginRequest(redirect_uri=URI))
    assert made.refresh(TokenBundle("a", "r")).access_token == "x"
    assert made.identify(None, TokenBundle("a")) == {"id": "default"}  # type: ignore[arg-type]
    assert server.paths() == [OAUTH, "/token"]


@pytest.mark.parametrize("url", ["/", "http://id.todo.example/x"])
def test_te_32_whoever_needs_it_is_told_which(server: Scripted, module: str, url: str) -> None:
    """By device, with a registration, with a pushed request; a revocation has not happened."""
    names = ("device_authorization", "registration", "pushed_authorization_request", "revocation")
    endpoints = dict.fromkeys((f"{name}_endpoint" for name in names), url)
    endpoints["require_pushed_authorization_requests"] = True  # type: ignore[assignment]
    server.on = {OAUTH: say(document(server, **endpoints))}
    made = provider(server, module, issuer=server.url)
    request = LoginRequest(redirect_uri=URI)
    with pytest.raises(LoginFailed, match="device_authorization_endpoint"):
        made.login(LoginRequest(device=True), Person())
    with pytest.raises(LoginFailed, match="pushed_authorization_request_endpoint"):
        made.authorize(request)
    with pytest.raises(LoginFailed, match="registration_endpoint"):
        provider(server, module, issuer=server.url, client_id=None).authorize(request)
    assert made.revoke(TokenBundle("a")) is False
    assert set(server.paths()) == {OAUTH}


@pytest.mark.parametrize(
    "name, ask",
    [
        ("authorization_endpoint", lambda made: made.authorize(LoginRequest(redirect_uri=URI))),
        ("token_endpoint", lambda made: made.client_credentials("ci", "secret")),
        ("token_endpoint", lambda made: made.refresh(TokenBundle("a", "r"))),
        ("device_authorization_endpoint", lambda made: made.login(BY_DEVICE, Person())),
        ("userinfo_endpoint", lambda made: made.identify(None, TokenBundle("a", scopes=OPEN))),
        ("revocation_endpoint", lambda made: made.revoke(TokenBundle("a"))),
    ],
)
def test_s10_metadata_from_elsewhere_names_nothing_on_this_machine(name: str, ask: Any) -> None:
    """No secret goes there, nor anything else; an issuer on this machine may (every other test)."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        endpoints = ("authorization_endpoint", "token_endpoint", name)
        fields = {each: f"https://id.todo.example/{each}" for each in endpoints}
        fields |= {"issuer": "https://id.todo.example", name: "http://127.0.0.1:2375/containers"}
        return httpx.Response(200, json=fields)

    options = {"transport": httpx.MockTransport(answer)}
    made = OAuthProvider(client_id="todo-cli", issuer="https://id.todo.example")
    bound = made.with_context(ProviderContext(Http("httpx", options)))
    if name == "revocation_endpoint":
        assert ask(bound) is False
    else:
        with pytest.raises(AuthError, match=f"{name} is on this machine"):
            ask(bound)
    assert {httpx.URL(url).host for url in asked} == {"id.todo.example"}


def test_md_04_discovery_has_one_deadline(server: Scripted, module: str) -> None:
    """However many places are tried: those that answer slowly leave less time for the others."""
    server.replies = [slowly_missing]
    with pytest.raises(LoginFailed, match="didn't respond"):
        authorize(server, module, "/realms/a", http_timeout=3)
    assert len(server.seen) < 4


def test_metadata_is_asked_for_once(server: Scripted, module: str) -> None:
    """It is cached, so that a refresh does not pay for it."""
    server.replies = [say({"access_token": "x", "token_type": "Bearer"})]
    server.on = {OAUTH: say(document(server))}
    made = provider(server, module, issuer=server.url)
    made.refresh(TokenBundle("a", "r"))
    made.refresh(TokenBundle("a", "r"))
    assert server.paths() == [OAUTH, "/token", "/token"]


def test_a_cached_document_is_checked_too(server: Scripted, module: str) -> None:
    """A file may be old, or somebody's."""
    server.on = {OAUTH: say(document(server))}
    made = provider(server, module, issuer=server.url)
    assert made.context is not None
    made.context.cache.save(server.url, document(server, issuer="https://evil.example"))
    made.authorize(LoginRequest(redirect_uri=URI))
    assert server.paths() == [OAUTH]


@pytest.mark.parametrize("answer", [MISSING, reset])
def test_a_refresh_survives_a_failed_discovery(
    server: Scripted, module: str, answer: Reply
) -> None:
    """Nothing was sent, the tokens are kept, there is nothing to replay."""
    server.replies = [answer]
    made = provider(server, module, issuer=server.url)
    with pytest.raises(Unreachable) as failed:
        made.refresh(TokenBundle("a", "r"))
    assert failed.value.code == "AUTH_REFRESH_TRANSIENT"


@pytest.mark.parametrize("keys_in_both", [False, True])
def test_openid_completes_what_the_other_document_lacks(
    server: Scripted, module: str, keys_in_both: bool
) -> None:
    """Some servers say half in each of the two; where they differ, RFC 8414's holds."""
    keys = {"jwks_uri": f"{server.url}/keys"} if keys_in_both else {}
    server.on = {
        OAUTH: say(document(server, revocation_endpoint=f"{server.url}/revoke", **keys)),
        OPENID: say(
            document(
                server,
                token_endpoint=f"{server.url}/other",
                userinfo_endpoint=f"{server.url}/userinfo",
                jwks_uri=f"{server.url}/keys",
            )
        ),
    }
    openid = server_of(provider(server, module, issuer=server.url, scopes=("openid",)))
    assert dict(openid.metadata) == {
        **document(server),
        "authorization_endpoint": f"{server.url}/authorize",
        "token_endpoint": f"{server.url}/token",
        "revocation_endpoint": f"{server.url}/revoke",
        "userinfo_endpoint": f"{server.url}/userinfo",
        "jwks_uri": f"{server.url}/keys",
    }
    server.seen.clear()
    plain = server_of(provider(server, module, issuer=server.url))
    assert plain.offered("userinfo_endpoint") is None
    assert server.paths() == [OAUTH]


def test_what_is_given_by_hand_wins(server: Scripted, module: str) -> None:
    """And where both endpoints of a login are, nobody is asked."""
    server.replies = [say(document(server))]
    one = provider(server, module, issuer=server.url, token_endpoint=f"{server.url}/mine")
    assert server_of(one).endpoint("token_endpoint") == f"{server.url}/mine"
    assert server_of(one).endpoint("authorization_endpoint") == f"{server.url}/authorize"
    server.seen.clear()
    both = provider(
        server,
        module,
        issuer=server.url,
        authorization_endpoint=f"{server.url}/a",
        token_endpoint=f"{server.url}/t",
    )
    request = both.authorize(LoginRequest(redirect_uri=URI))
    assert (request.issuer, request.iss_required) == (server.url, False)
    assert both.revoke(TokenBundle("a")) is None
    assert server.seen == []


def test_ar_07_a_server_that_promises_iss_must_keep_it(server: Scripted, module: str) -> None:
    """The promise travels from the metadata to the request."""
    promised: dict[str, Any] = {"authorization_response_iss_parameter_supported": True}
    server.replies = [say(document(server, **promised))]
    made = provider(server, module, issuer=server.url)
    request = made.authorize(LoginRequest(redirect_uri=URI))
    assert (request.issuer, request.iss_required) == (server.url, True)


def test_a_provider_works_on_its_own() -> None:
    """Nobody need lend it anything."""
    made = OAuthProvider(client_id="x", issuer="https://id.todo.example")
    assert isinstance(server_of(made).facts.context.http, Http)
    assert server_of(made).facts.context is made.context
