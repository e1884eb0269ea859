from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from click_auth import AuthorizationRequest, AuthorizationResponse, LoginFailed
from click_auth.oauth.endpoint import Client, EndpointFailed, method_for
from providers.wire import Scripted, provider, say

URI = "http://127.0.0.1:49152/callback"
GOOD = say({"access_token": "x", "token_type": "Bearer"})


def exchange(server: Scripted, module: str, **facts: Any) -> None:
    """Exchange a code as the client that *facts* make."""
    request = AuthorizationRequest("", URI, "s", "v")
    provider(server, module, **facts).exchange(request, AuthorizationResponse("c", URI))


def basic(headers: dict[str, str]) -> str:
    """Return the user name and password of Basic authentication."""
    scheme, _, encoded = headers["authorization"].partition(" ")
    assert scheme == "Basic"
    return b64decode(encoded).decode()


@pytest.mark.parametrize(
    "client_id, secret, sent",
    [
        ("todo", "s3cret_x", "todo:s3cret_x"),
        ("to:do", "a%b+c/d e_f~é", "to%3Ado:a%25b%2Bc%2Fd+e_f~%C3%A9"),
    ],
)
def test_md_07_basic_is_form_encoded_first(client_id: str, secret: str, sent: str) -> None:
    """RFC 6749 section 2.3.1, appendix B."""
    form, headers = Client(client_id, secret, "client_secret_basic").authenticated({"a": "b"})
    assert {name.lower(): value for name, value in headers.items()}.keys() == {"authorization"}
    assert basic({"authorization": headers["Authorization"]}) == sent
    assert form == {"a": "b"}


def test_md_07_some_servers_do_not_decode() -> None:
    """For them there is `client_secret_basic_unencoded`."""
    client = Client("todo", "a%b+c:d", "client_secret_basic_unencoded")
    _, headers = client.authenticated({})
    assert basic({"authorization": headers["Authorization"]}) == "todo:a%b+c:d"


@pytest.mark.parametrize(
    "supported, method",
    [
        (None, "client_secret_basic"),
        ([], "client_secret_basic"),
        (["client_secret_post"], "client_secret_post"),
        (["private_key_jwt", "client_secret_post", "client_secret_basic"], "client_secret_basic"),
    ],
)
def test_a_secret_is_sent_as_the_server_takes_it(supported: list[str] | None, method: str) -> None:
    """Basic is the default of RFC 8414, and what is preferred."""
    assert method_for("s", None, supported) == method
    assert method_for("s", "client_secret_post", supported) == "client_secret_post"
    assert method_for(None, "client_secret_post", supported) == "none"


def test_a_server_that_takes_neither() -> None:
    """It is not tried in vain."""
    with pytest.raises(EndpointFailed, match="none of this client's authentication methods"):
        method_for("s", None, ["private_key_jwt"])


def test_each_method_on_the_wire(server: Scripted, module: str) -> None:
    """One way of authentication in each request, never two."""
    server.replies = [GOOD]
    exchange(server, module)
    exchange(server, module, client_secret="s")
    exchange(server, module, client_secret="s", token_endpoint_auth_method="client_secret_post")
    public, with_basic, with_post = server.seen
    assert public.form["client_id"] == "todo-cli"
    assert "client_secret" not in public.form
    assert "authorization" not in public.headers
    assert basic(with_basic.headers) == "todo-cli:s"
    assert "client_secret" not in with_basic.form
    assert with_post.form["client_secret"] == "s"
    assert "authorization" not in with_post.headers


def test_sx_02_a_secret_in_a_header_is_hidden_too(server: Scripted, module: str) -> None:
    """Though it was not in the form that the server quotes."""
    said = {"error": "invalid_client", "error_description": "canary-secret is wrong"}
    server.replies = [say(said, 401)]
    with pytest.raises(LoginFailed) as failed:
        exchange(server, module, client_secret=lambda: "canary-secret")
    assert "canary-secret" not in failed.value.format_message()
    assert "canary-secret" not in repr(Client("x", "canary-secret"))
