from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from click_auth import AuthorizationRequest, LoginFailed, LoginRequest, OAuthProvider
from click_auth.providers.authorization import StrayCallback
from click_auth.testing import AuthorizationServer
from providers.person import Person
from providers.wire import Scripted, provider, reply, say

URI = "http://127.0.0.1:49152/callback"
BY_HAND = {
    "client_id": "todo-cli",
    "authorization_endpoint": "https://id.todo.example/authorize",
    "token_endpoint": "https://id.todo.example/token",
}


def authorize(request: LoginRequest | None = None, **facts: Any) -> AuthorizationRequest:
    """Return the request that a provider with these facts makes."""
    made = OAuthProvider(**{**BY_HAND, **facts})
    return made.authorize(request or LoginRequest(redirect_uri=URI))


def parameters(request: AuthorizationRequest) -> dict[str, str]:
    """Return the query of the URL; a name that comes twice fails the test."""
    fields = parse_qs(urlsplit(request.url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in fields.values())
    return {name: values[0] for name, values in fields.items()}


def test_ar_02_the_challenge_is_the_verifiers_hash() -> None:
    """S256, a verifier of 256 random bits in unreserved characters, new for each login."""
    first, second = authorize(), authorize()
    fields = parameters(first)
    digest = hashlib.sha256(first.code_verifier.encode()).digest()
    assert fields["code_challenge_method"] == "S256"
    assert fields["code_challenge"] == urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert 43 <= len(first.code_verifier) <= 128
    assert first.code_verifier not in first.url
    assert first.code_verifier != second.code_verifier


def test_ar_04_the_state_is_new_each_time() -> None:
    """256 random bits, in the URL as in the request."""
    first, second = authorize(), authorize()
    assert parameters(first)["state"] == first.state != second.state
    assert len(first.state) >= 43


def test_lb_12_the_redirect_uri_is_the_one_that_listens() -> None:
    """Byte for byte."""
    request = authorize()
    assert parameters(request)["redirect_uri"] == request.redirect_uri == URI


def test_an_authorization_request_says_what_the_rfc_wants() -> None:
    """And nothing else, unless the application wants it."""
    fields = parameters(authorize())
    assert set(fields) == {
        *("response_type", "client_id", "redirect_uri", "state"),
        *("code_challenge", "code_challenge_method"),
    }
    assert (fields["response_type"], fields["client_id"]) == ("code", "todo-cli")


def test_ar_11_the_endpoints_own_query_is_kept() -> None:
    """RFC 6749 section 3.1."""
    for endpoint in ("https://id.todo.example/a?tenant=1", "https://id.todo.example/a?"):
        request = authorize(authorization_endpoint=endpoint)
        assert request.url.startswith(endpoint)
        assert parameters(request)["client_id"] == "todo-cli"
    assert (
        "?tenant=1&response_type="
        in authorize(authorization_endpoint="https://id.todo.example/a?tenant=1").url
    )


def test_ar_12_the_resource_is_asked_for() -> None:
    """RFC 8707."""
    request = authorize(resource="https://api.todo.example/v1")
    assert parameters(request)["resource"] == "https://api.todo.example/v1"


def test_what_the_application_adds() -> None:
    """Its parameters, its separator, and whom the person named."""
    request = authorize(
        LoginRequest(redirect_uri=URI, user="ada@todo.example", scopes=("c",)),
        scopes=("a", "b"),
        scope_separator=",",
        authorize_params={"prompt": "consent"},
    )
    fields = parameters(request)
    assert (fields["prompt"], fields["login_hint"]) == ("consent", "ada@todo.example")
    assert fields["scope"] == "a,b,c"
    assert request.scopes == ("a", "b", "c")


@pytest.mark.parametrize(
    "request_fields, scopes",
    [
        ({}, ("read", "write")),
        ({"scopes": ("admin", "read")}, ("read", "write", "admin")),
        ({"granted_scopes": ("old", "read")}, ("read", "write", "old")),
        ({"read_only": True, "granted_scopes": ("write",)}, ("read",)),
        ({"read_only": True, "scopes": ("x",)}, ("read", "x")),
    ],
)
def test_which_scopes_a_login_asks_for(
    request_fields: dict[str, Any], scopes: tuple[str, ...]
) -> None:
    """The provider's, those granted before, those wanted beside; a read-only one asks for less."""
    request = LoginRequest(redirect_uri=URI, **request_fields)
    made = authorize(request, scopes=("read", "write"), read_only_scopes=("read",))
    assert made.scopes == scopes


def test_a_nonce_goes_with_openid_only() -> None:
    """It is what binds the ID token to this login."""
    assert "nonce" not in parameters(authorize())
    request = authorize(scopes=("openid",))
    assert request.nonce is not None
    assert parameters(request)["nonce"] == request.nonce != request.state


def test_sx_01_the_secrets_of_a_request_are_not_shown() -> None:
    """Nor is the URL, which holds the state."""
    request = authorize(scopes=("openid",))
    for secret in (request.state, request.code_verifier, request.nonce, request.url):
        assert str(secret) not in repr(request)


@pytest.mark.parametrize(
    "iss, required, is_taken",
    [
        ("https://id.todo.example", True, True),
        ("https://id.todo.example", False, True),
        (None, False, True),
        (None, True, False),
        ("https://evil.example", True, False),
        ("https://evil.example", False, False),
        ("https://id.todo.example/", False, False),
        ("https://ID.todo.example", False, False),
        ("", False, False),
    ],
)
@pytest.mark.parametrize("outcome", ["code=x", "error=access_denied"])
def test_ar_06_07_09_the_answer_names_the_server_that_was_asked(
    iss: str | None,
    required: bool,
    is_taken: bool,
    outcome: str,
) -> None:
    """Compared as a plain string (RFC 9207); absent only where it was not promised."""
    request = AuthorizationRequest(
        "", URI, "the-state", "v", issuer="https://id.todo.example", iss_required=required
    )
    query = f"{outcome}&state=the-state" + ("" if iss is None else f"&iss={iss}")
    if is_taken and outcome == "code=x":
        assert request.answered_by(query).code == "x"
        return
    with pytest.raises(LoginFailed) as failed:
        request.answered_by(query)
    assert ("authorization server" in failed.value.message) is not is_taken


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "code=x&state=",
        "code=x&state=other",
        "error=access_denied&state=other",
        "error=access_denied",
        "state=the-state",
        "code=&state=the-state",
        "code=x&code=y&state=the-state",
        "code=x&state=the-state&state=the-state",
        "code=x&state=the-state&error=access_denied",
        "code=x&state=the-state&iss=a&iss=b",
        "code=x&state=the-state&access_token=t",
        "code=x&state=the-state&id_token=t",
        "code=x%00&state=the-state",
        "code=%ff&state=the-state",
        "code=x&state=the-state" + "&a=b" * 100,
    ],
)
def test_lb_01_02_04_26_what_is_no_answer_does_not_end_the_login(query: str) -> None:
    """A wrong or missing state, things said twice, things not asked for: a stray."""
    with pytest.raises(StrayCallback):
        AuthorizationRequest("", URI, "the-state", "v").answered_by(query)


def test_sx_02_an_echo_of_the_state_is_hidden() -> None:
    """Some servers quote what they refuse."""
    request = AuthorizationRequest("", URI, "canary-state", "v")
    with pytest.raises(LoginFailed) as failed:
        request.answered_by("error=x&error_description=bad+canary-state&state=canary-state")
    assert "canary-state" not in failed.value.format_message()


@pytest.mark.parametrize(
    "query, message",
    [
        ("error=access_denied&state=the-state", "You declined the request in the browser."),
        (
            "error=x%0a&error_description=a%1b[31mb&state=the-state",
            "The server rejected the login: x (a [31mb).",
        ),
    ],
)
def test_a_refusal_is_quoted_inertly(query: str, message: str) -> None:
    """One line, no terminal obeys it."""
    with pytest.raises(LoginFailed) as failed:
        AuthorizationRequest("", URI, "the-state", "v").answered_by(query)
    assert failed.value.message == message


def test_a_whole_login(module: str) -> None:
    """From the issuer alone to tokens and a name, refreshed and ended, on a strict server."""
    with AuthorizationServer() as server:
        made = provider(
            Scripted(),
            module,
            issuer=server.issuer,
            scopes=("openid", "tasks:read", "offline_access"),
        )
        bundle = made.login(LoginRequest(user="bob"), Person())
        assert made.identify(None, bundle) == {"id": "bob", "label": "bob@todo.example"}  # type: ignore[arg-type]
        renewed = made.refresh(bundle)
        assert renewed.refresh_token != bundle.refresh_token
        assert made.revoke(renewed) is True
        assert not server.family_alive(str(renewed.refresh_token))


def test_ar_05_a_discovered_endpoint_says_nothing_of_ours(server: Scripted, module: str) -> None:
    """A query that sets the state is the server's mistake, or somebody's attack."""
    server.replies = [
        say(
            {
                "issuer": server.url,
                "authorization_endpoint": f"{server.url}/a?state=x",
                "token_endpoint": f"{server.url}/t",
            }
        )
    ]
    made = provider(server, module, issuer=server.url)
    with pytest.raises(LoginFailed, match="reserved parameters"):
        made.authorize(LoginRequest(redirect_uri=URI))


@pytest.mark.parametrize("token", ["", "  ", "a\nb", "tökén", "a\x00"])
def test_te_19_a_token_brought_along_is_checked(token: str) -> None:
    """It is one line of printable ASCII, or none."""
    made = OAuthProvider(**BY_HAND)  # type: ignore[arg-type]
    with pytest.raises(LoginFailed, match="not a valid token"):
        made.login(LoginRequest(token=token), Person())
    assert made.login(LoginRequest(token=" tok \n"), Person()).access_token == "tok"


def test_a_pasted_code_is_still_bound_to_the_login() -> None:
    """Without a state to compare, by the verifier."""
    response = authorize().answered_with("the-code")
    assert (response.code, response.redirect_uri, response.iss) == ("the-code", URI, None)
    assert "the-code" not in repr(response)


def test_a_request_needs_to_know_where_it_is_answered() -> None:
    """That is the caller's mistake."""
    with pytest.raises(ValueError, match="redirect_uri"):
        authorize(LoginRequest())


def test_df_13_without_anything_the_server_is_asked_for_devices(
    server: Scripted, module: str
) -> None:
    """And when it cannot be asked, the login fails as such."""
    server.replies = [reply("", 500)]
    made = provider(server, module, issuer=server.url)
    with pytest.raises(LoginFailed) as failed:
        made.login(LoginRequest(), Person(browser=False, terminal=False))
    assert failed.value.code == "AUTH_OAUTH_FAILED"
