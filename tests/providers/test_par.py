from __future__ import annotations

from typing import Any

import pytest

from click_auth import AuthorizationRequest, LoginFailed, LoginRequest, OAuthProvider
from providers.wire import Reply, Scripted, provider, reply, reset, say

URI = "http://127.0.0.1:49152/callback"


def pushing(server: Scripted, module: str, metadata: dict[str, Any], **facts: Any) -> OAuthProvider:
    """Return a provider of a server with this metadata, and a PAR endpoint."""
    server.on["/.well-known/oauth-authorization-server"] = say(
        {
            "issuer": server.url,
            "authorization_endpoint": f"{server.url}/authorize?x=1",
            "token_endpoint": f"{server.url}/token",
            "pushed_authorization_request_endpoint": f"{server.url}/par",
            **metadata,
        }
    )
    return provider(server, module, issuer=server.url, scopes=("read",), **facts)


def authorize(
    server: Scripted, module: str, metadata: dict[str, Any], **facts: Any
) -> AuthorizationRequest:
    """Return a request of such a provider."""
    return pushing(server, module, metadata, **facts).authorize(LoginRequest(redirect_uri=URI))


REQUIRED = {"require_pushed_authorization_requests": True}


@pytest.mark.parametrize("metadata, facts", [(REQUIRED, {}), ({}, {"client_metadata": REQUIRED})])
def test_parameters_are_pushed(
    server: Scripted, module: str, metadata: dict[str, Any], facts: dict[str, Any]
) -> None:
    """Where the server, or the client's own metadata, wants it (RFC 9126)."""
    server.replies = [say({"request_uri": "urn:x:1", "expires_in": 60}, 201)]
    request = authorize(server, module, metadata, **facts)
    assert request.url == (f"{server.url}/authorize?x=1&client_id=todo-cli&request_uri=urn%3Ax%3A1")
    pushed = server.seen[-1]
    assert (pushed.method, pushed.path) == ("POST", "/par")
    assert pushed.form["state"] == request.state
    assert pushed.form["redirect_uri"] == URI
    assert pushed.form["client_id"] == "todo-cli"


def test_a_pushing_client_authenticates(server: Scripted, module: str) -> None:
    """As at the token endpoint."""
    server.replies = [say({"request_uri": "urn:x:1"}, 201)]
    authorize(server, module, REQUIRED, client_secret="s")
    assert server.seen[-1].headers["authorization"].startswith("Basic ")


def test_nothing_is_pushed_unasked(server: Scripted, module: str) -> None:
    """An endpoint that is merely offered is left alone."""
    assert "state=" in authorize(server, module, {}).url
    assert "/par" not in server.paths()


@pytest.mark.parametrize(
    "answer",
    [say({}, 201), say({"request_uri": 5}, 201), say({"error": "x"}, 400), reply("", 500), reset],
)
def test_a_push_that_fails(server: Scripted, module: str, answer: Reply) -> None:
    """Nobody is sent anywhere."""
    server.replies = [answer]
    with pytest.raises(LoginFailed) as failed:
        authorize(server, module, REQUIRED)
    assert failed.value.code == "AUTH_OAUTH_FAILED"


UNKNOWN = {
    "by its name": say({"error": "invalid_client"}, 400),
    "by another": say({"error": "unauthorized_client"}, 401),
}


@pytest.mark.parametrize("secret", [{}, {"client_secret": "s"}], ids=["public", "secret"])
@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
def test_a_client_that_the_server_forgot_is_registered_before_the_browser(
    server: Scripted, module: str, answer: bytes, secret: dict[str, str]
) -> None:
    """The server says so in time: what is pushed again, and the URL, are the new client's."""
    server.replies = [
        say({"client_id": "old", **secret}, 201),
        say({"request_uri": "urn:x:1"}, 201),
        answer,
        say({"client_id": "new", **secret}, 201),
        say({"request_uri": "urn:x:2"}, 201),
    ]
    metadata = {**REQUIRED, "registration_endpoint": f"{server.url}/register"}
    made = pushing(server, module, metadata, client_id=None)
    for client, uri in (("old", "urn%3Ax%3A1"), ("new", "urn%3Ax%3A2")):
        url = made.authorize(LoginRequest(redirect_uri=URI)).url
        assert url.endswith(f"&client_id={client}&request_uri={uri}")
    pushed = [each.form["client_id"] for each in server.seen if each.path == "/par"]
    assert pushed == ["old", "old", "new"]
    assert ("authorization" in server.seen[-1].headers) is bool(secret)


def test_a_client_that_may_not_do_this_is_known(server: Scripted, module: str) -> None:
    """A 400 does not say that nobody is who it says it is: another client would fare no better."""
    refused = say({"error": "unauthorized_client"}, 400)
    server.replies = [say({"client_id": "old"}, 201), refused]
    metadata = {**REQUIRED, "registration_endpoint": f"{server.url}/register"}
    made = pushing(server, module, metadata, client_id=None)
    for _ in range(2):
        with pytest.raises(LoginFailed):
            made.authorize(LoginRequest(redirect_uri=URI))
    assert server.paths()[1:] == ["/register", "/par", "/par"]


@pytest.mark.parametrize(
    "answer", [*UNKNOWN.values(), say({"error": "unauthorized_client"}, 400)], ids=[*UNKNOWN, "400"]
)
def test_a_fixed_client_is_what_it_is(server: Scripted, module: str, answer: bytes) -> None:
    """Nobody can register it in its place."""
    server.replies = [answer]
    metadata = {**REQUIRED, "registration_endpoint": f"{server.url}/register"}
    with pytest.raises(LoginFailed):
        authorize(server, module, metadata)
    assert server.paths()[1:] == ["/par"]


def test_a_server_without_the_endpoint(server: Scripted, module: str) -> None:
    """It is told which is missing."""
    metadata = {"pushed_authorization_request_endpoint": None}
    with pytest.raises(LoginFailed, match="has no pushed_authorization_request_endpoint"):
        authorize(server, module, metadata, client_metadata=REQUIRED)
