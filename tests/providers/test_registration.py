from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from click_auth import (
    AuthError,
    AuthorizationResponse,
    LoginFailed,
    LoginRequest,
    NotLoggedIn,
    OAuthProvider,
    TokenBundle,
)
from click_auth.testing import AuthorizationServer
from providers.person import Person
from providers.wire import Scripted, provider, reply, say

URI = "http://127.0.0.1:49152/callback"
CLIENT = {"client_id": "made-up", "token_endpoint_auth_method": "none"}


def unregistered(server: Scripted, module: str, **facts: Any) -> OAuthProvider:
    """Return a provider that has to register its client."""
    return provider(
        server, module, client_id=None, registration_endpoint=f"{server.url}/register", **facts
    )


def client_of(made: OAuthProvider) -> str:
    """Return the client id with which a login starts."""
    return made.authorize(LoginRequest(redirect_uri=URI)).url.partition("client_id=")[2][:7]


def test_a_client_registers_itself_once(server: Scripted, module: str) -> None:
    """As a native, public one, with the redirect URIs as they are configured (RFC 7591)."""
    server.replies = [say(CLIENT, 201)]
    made = unregistered(
        server, module, scopes=("read",), client_metadata={"client_name": "Todo", "scope": "x y"}
    )
    assert [client_of(made), client_of(made)] == ["made-up", "made-up"]
    assert server.paths() == ["/register"]
    assert server.seen[0].headers["content-type"] == "application/json"
    assert json.loads(server.seen[0].body) == {
        "application_type": "native",
        "client_name": "Todo",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["http://127.0.0.1/callback"],
        "response_types": ["code"],
        "scope": "x y",
        "token_endpoint_auth_method": "none",
    }


def test_a_registration_belongs_to_its_redirect_uris(server: Scripted, module: str) -> None:
    """Others are another client."""
    server.replies = [say(CLIENT, 201), say({**CLIENT, "client_id": "another"}, 201)]
    made = unregistered(server, module)
    other = unregistered(server, module, redirect_uris=("http://localhost:8080/cb",))
    other = other.with_context(made.context)  # type: ignore[arg-type]
    assert client_of(made) == "made-up"
    assert client_of(other) == "another"
    assert client_of(made) == "made-up"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(say({**CLIENT, "client_id": None}, 201), id="null"),
        pytest.param(say({}, 201), id="missing"),
        pytest.param(say({"client_id": 5}, 201), id="number"),
        pytest.param(say({**CLIENT, "client_secret": 5}, 201), id="secret"),
        pytest.param(say({"client_id": "x", "client_secret": ""}, 201), id="empty secret"),
        pytest.param(
            say({"client_id": "x", "client_secret": "s", "client_secret_expires_at": 1}, 201),
            id="expired",
        ),
        pytest.param(
            say({"client_id": "x", "client_secret": "s", "client_secret_expires_at": "x"}, 201),
            id="odd expiry",
        ),
        pytest.param(say({"error": "invalid_redirect_uri"}, 400), id="refused"),
        pytest.param(reply("<html>", 200), id="html"),
        pytest.param(reply("", 500), id="500"),
    ],
)
def test_md_05_a_registration_that_is_none(server: Scripted, module: str, answer: bytes) -> None:
    """It is an error of its own, and nothing of it is kept."""
    server.replies = [answer]
    made = unregistered(server, module)
    for _ in range(2):
        with pytest.raises(LoginFailed) as failed:
            client_of(made)
        assert failed.value.code == "AUTH_DCR_FAILED"
    assert server.paths() == ["/register", "/register"]


@pytest.mark.parametrize("expires", [{}, {"client_secret_expires_at": 0}, None])
def test_md_05_a_secret_without_expiry_is_good(
    server: Scripted, module: str, expires: dict[str, int] | None
) -> None:
    """0 and absent mean never; it authenticates by the method that was registered."""
    later = {"client_secret_expires_at": int(time.time()) + 3600}
    secret = {
        "client_id": "made-up",
        "client_secret": "s",
        **(later if expires is None else expires),
    }
    server.replies = [
        say({**secret, "token_endpoint_auth_method": "client_secret_post"}, 201),
        say({"access_token": "x", "token_type": "Bearer"}),
    ]
    made = unregistered(server, module)
    request = made.authorize(LoginRequest(redirect_uri=URI))
    made.exchange(request, AuthorizationResponse("c", URI))
    assert server.seen[1].form["client_secret"] == "s"


def test_md_05_an_expired_secret_is_replaced(server: Scripted, module: str) -> None:
    """At the next login, before anybody is sent to the server with it."""
    soon = int(time.time()) + 30
    server.replies = [say({"client_id": "another", "client_secret": "s"}, 201)]
    made = unregistered(server, module)
    assert made.context is not None
    name = f"{server.url}/register http://127.0.0.1/callback"
    made.context.registrations.save(
        name, {"client_id": "made-up", "client_secret": "s", "client_secret_expires_at": soon}
    )
    assert client_of(made) == "another"


def refresh(made: OAuthProvider) -> object:
    """Use a refresh token."""
    return made.refresh(TokenBundle("a", "r"))


def exchange(made: OAuthProvider) -> object:
    """Exchange a code."""
    request = made.authorize(LoginRequest(redirect_uri=URI))
    return made.exchange(request, AuthorizationResponse("c", URI))


@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client"])
@pytest.mark.parametrize(
    "operation, code",
    [(exchange, "AUTH_TOKEN_EXCHANGE_FAILED"), (refresh, "AUTH_REFRESH_EXPIRED")],
)
def test_a_client_that_the_server_forgot_is_registered_anew(
    server: Scripted,
    module: str,
    operation: Callable[[OAuthProvider], object],
    code: str,
    error: str,
) -> None:
    """`invalid_client`, as some misname it too, ends this; the next login makes a new client."""
    server.replies = [say({**CLIENT, "client_id": "another"}, 201)]
    server.on = {"/token": say({"error": error}, 401)}
    made = unregistered(server, module)
    assert made.context is not None
    made.context.registrations.save(f"{server.url}/register http://127.0.0.1/callback", CLIENT)
    with pytest.raises(AuthError) as failed:
        operation(made)
    assert failed.value.code == code
    assert client_of(made) == "another"


def test_a_refresh_registers_nobody(server: Scripted, module: str) -> None:
    """A token of a client that is gone is good for nobody: only a login helps."""
    server.replies = [say(CLIENT, 201)]
    made = unregistered(server, module)
    with pytest.raises(NotLoggedIn):
        refresh(made)
    assert made.revoke(TokenBundle("a", "r")) is None
    revoking = unregistered(server, module, revocation_endpoint=f"{server.url}/revoke")
    assert revoking.revoke(TokenBundle("a", "r")) is False
    assert server.seen == []


@pytest.mark.parametrize("method", [None, "client_secret_basic", "client_secret_post"])
def test_a_whole_login_of_a_client_that_registers(module: str, method: str | None) -> None:
    """From the issuer alone, with the secret that the server gives where one is wanted."""
    with AuthorizationServer() as server:
        made = provider(
            Scripted(),
            module,
            issuer=server.issuer,
            client_id=None,
            token_endpoint_auth_method=method,
            scopes=("tasks:read", "offline_access"),
        )
        bundle = made.login(LoginRequest(), Person())
        assert made.refresh(bundle).access_token != bundle.access_token
        assert len(server.posts("register")) == 1


def test_s24_a_login_that_registers_second_uses_the_first_client(
    server: Scripted, module: str
) -> None:
    """Of two first logins at once; a client that is good no more is replaced, though."""
    made = unregistered(server, module)
    first: list[dict[str, Any]] = []

    def meanwhile(connection: socket.socket) -> None:
        (name,) = (f"{made.registration_endpoint} {uri}" for uri in made.redirect_uris)
        made.context.registrations.save(name, first[0])
        connection.sendall(say({**CLIENT, "client_id": "the-2nd"}, 201))

    server.replies = [meanwhile]
    first.append({**CLIENT, "client_id": "the-1st"})
    assert client_of(made) == "the-1st" == client_of(made)
    expired = {"client_secret": "x", "client_secret_expires_at": 1}
    first[0] = {
        "client_id": "expired",
        "token_endpoint_auth_method": "client_secret_post",
        **expired,
    }
    made = unregistered(server, module)
    assert client_of(made) == "the-2nd" == client_of(made)


DOCUMENT = "https://todo.example/client.json"


@pytest.mark.parametrize(
    "given, said, starts_as",
    [
        pytest.param(
            DOCUMENT, {"client_id_metadata_document_supported": True}, DOCUMENT, id="read"
        ),
        pytest.param(DOCUMENT, {}, "made-up", id="not read"),
        pytest.param(
            DOCUMENT, {"client_id_metadata_document_supported": "true"}, "made-up", id="no boolean"
        ),
        pytest.param(DOCUMENT, {"registration_endpoint": None}, DOCUMENT, id="no registration"),
        pytest.param("https://todo.example", {}, "https://todo.example", id="no document"),
        pytest.param("todo-cli", {}, "todo-cli", id="no url"),
    ],
)
def test_the_url_of_a_client_document_is_for_servers_that_read_it(
    server: Scripted, module: str, given: str, said: dict[str, Any], starts_as: str
) -> None:
    """Elsewhere the client registers itself; without registration the id is what it is."""
    metadata = {
        "issuer": server.url,
        "authorization_endpoint": f"{server.url}/authorize",
        "token_endpoint": f"{server.url}/token",
        "registration_endpoint": f"{server.url}/register",
        **said,
    }
    server.replies = [say(metadata)]
    server.on = {"/register": say(CLIENT, 201)}
    made = provider(server, module, issuer=server.url, client_id=given)
    url = made.authorize(LoginRequest(redirect_uri=URI)).url
    assert parse_qs(urlsplit(url).query)["client_id"] == [starts_as]
    assert server.paths().count("/register") == (starts_as == "made-up")


def test_the_url_of_a_client_document_needs_no_metadata(server: Scripted, module: str) -> None:
    """Where the endpoints are given by hand it is used as it is, also by a refresh."""
    server.replies = [say({"access_token": "new", "token_type": "Bearer"})]
    made = provider(server, module, client_id=DOCUMENT)
    made.refresh(TokenBundle("old", "r-1"))
    assert [seen.form["client_id"] for seen in server.seen] == [DOCUMENT]


def test_a_refresh_is_of_the_client_that_logged_in(server: Scripted, module: str) -> None:
    """The registered one, where the server reads no client documents."""
    metadata = {"issuer": server.url, "token_endpoint": f"{server.url}/token"}
    metadata["registration_endpoint"] = f"{server.url}/register"
    metadata["authorization_endpoint"] = f"{server.url}/authorize"
    server.replies = [say(metadata)]
    token = say({"access_token": "new", "token_type": "Bearer"})
    server.on = {"/register": say(CLIENT, 201), "/token": token}
    made = provider(server, module, issuer=server.url, client_id=DOCUMENT)
    made.authorize(LoginRequest(redirect_uri=URI))
    made.refresh(TokenBundle("old", "r-1"))
    assert server.seen[-1].form["client_id"] == "made-up"
