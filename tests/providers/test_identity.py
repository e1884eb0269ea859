from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from click_auth import (
    ApiKeyProvider,
    AuthError,
    LoginFailed,
    LoginRequest,
    LoginUI,
    NotLoggedIn,
    OAuthProvider,
    Provider,
    TokenBundle,
    Unreachable,
)
from click_auth.providers import DEFAULT_ID, Binding
from providers.person import Person
from providers.wire import Reply, Scripted, provider, reply, reset, say

BUNDLE = TokenBundle("canary-access")


def who(made: Provider, bundle: TokenBundle = BUNDLE) -> Mapping[str, Any]:
    """Ask without a client: none is needed."""
    return made.identify(None, bundle)  # type: ignore[arg-type]


def by_userinfo(server: Scripted, module: str) -> OAuthProvider:
    """Return a provider with a userinfo endpoint."""
    return provider(server, module, userinfo_endpoint=f"{server.url}/userinfo")


@pytest.mark.parametrize(
    "claims, label",
    [
        ({}, None),
        ({"name": "Ada"}, "Ada"),
        ({"name": "Ada", "email": "a@x"}, "a@x"),
        ({"name": "Ada", "email": "a@x", "preferred_username": "ada"}, "ada"),
        ({"name": "Ada", "email": None, "preferred_username": 5}, "Ada"),
        ({"name": "\x1b", "email": " "}, None),
        ({"name": "A\x1b[31m\nB"}, "A [31m B"),
        ({"name": "x" * 1000}, "x" * 199 + "…"),
    ],
)
def test_userinfo_gives_an_id_and_a_label(
    server: Scripted, module: str, claims: dict[str, object], label: str | None
) -> None:
    """The first of three claims that is a text, made inert (TI-02); nothing else is kept."""
    server.replies = [say({"sub": "1", "picture": "x", **claims})]
    expected = {"id": "1"} if label is None else {"id": "1", "label": label}
    assert who(by_userinfo(server, module)) == expected
    assert server.seen[0].method == "GET"
    assert server.seen[0].headers["authorization"] == "Bearer canary-access"


@pytest.mark.parametrize(
    "answer, kind",
    [
        pytest.param(say({}), LoginFailed, id="no sub"),
        pytest.param(say({"sub": ""}), LoginFailed, id="empty"),
        pytest.param(say({"sub": True}), LoginFailed, id="truth"),
        pytest.param(say({"sub": 5.5}), LoginFailed, id="fraction"),
        pytest.param(say([]), LoginFailed, id="list"),
        pytest.param(reply("<html>"), LoginFailed, id="html"),
        pytest.param(say({"error": "canary-access is invalid"}, 401), LoginFailed, id="401"),
        pytest.param(reply("", 302, Location="https://evil.example/"), LoginFailed, id="redirect"),
        pytest.param(reply("", 500), Unreachable, id="500"),
        pytest.param(reset, Unreachable, id="reset"),
    ],
)
def test_userinfo_that_names_nobody(
    server: Scripted, module: str, answer: Reply, kind: type[AuthError]
) -> None:
    """A login is not completed for somebody unknown, and the token is not quoted."""
    server.replies = [answer]
    with pytest.raises(kind) as failed:
        who(by_userinfo(server, module))
    assert "canary" not in failed.value.format_message()


def test_b10_a_subject_that_is_a_number(server: Scripted, module: str) -> None:
    """Is its decimal text, as for `identify=`; one that is neither is not called missing."""
    server.replies = [say({"sub": 12345678901234567890, "name": "Ada"})]
    expected = {"id": "12345678901234567890", "label": "Ada"}
    assert who(by_userinfo(server, module)) == expected
    server.replies = [say({"sub": ["ada"]})]
    with pytest.raises(LoginFailed, match="its sub is not a string"):
        who(by_userinfo(server, module))


def test_a_discovered_userinfo_is_for_openid(server: Scripted, module: str) -> None:
    """A token without that scope would be refused there: then there is one account."""
    server.on = {
        "/.well-known/oauth-authorization-server": say(
            {"issuer": server.url, "userinfo_endpoint": f"{server.url}/userinfo", "jwks_uri": None}
        ),
        "/.well-known/openid-configuration": reply("", 404),
        "/userinfo": say({"sub": "ada"}),
    }
    asks = provider(server, module, issuer=server.url, scopes=("openid",))
    assert who(asks) == {"id": "ada"}
    assert who(asks, TokenBundle("x", scopes=("openid",))) == {"id": "ada"}
    assert who(asks, TokenBundle("x", scopes=("read",))) == {"id": DEFAULT_ID}
    assert who(provider(server, module, issuer=server.url)) == {"id": DEFAULT_ID}


def test_without_any_way_there_is_one_account(server: Scripted, module: str) -> None:
    """And nobody is asked."""
    assert who(provider(server, module)) == {"id": DEFAULT_ID}
    assert server.seen == []


def test_the_application_knows_best(server: Scripted, module: str) -> None:
    """`identify=` gets the client, and what it says is returned as it is."""
    made = provider(
        server,
        module,
        userinfo_endpoint=f"{server.url}/userinfo",
        identify=lambda api: api.get("/me").raise_for_status().json(),
    )
    server.on = {"/me": say({"id": 7, "label": "ada"})}
    with httpx.Client(base_url=server.url) as client:
        assert made.identify(client, BUNDLE) == {"id": 7, "label": "ada"}
    assert server.paths() == ["/me"]
    assert made.is_same_account(TokenBundle("x", id_token="a.b.c"), "7")


def test_an_api_key_is_asked_for() -> None:
    """Hidden, after the page where it is made has been opened."""
    made = ApiKeyProvider(
        api_url="https://api.todo.example", create_url="https://todo.example/keys"
    )
    person = Person(answer=" canary-key \n")
    bundle = made.login(LoginRequest(), person)
    assert bundle.access_token == "canary-key"
    assert (bundle.refresh_token, bundle.expires_at) == (None, None)
    assert person.opened == ["https://todo.example/keys"]
    assert person.asked == [("API key", True)]
    assert "canary-key" not in repr(person.events)


def test_an_api_key_comes_from_stdin_too() -> None:
    """Then no page is opened; its address is said."""
    made = ApiKeyProvider(create_url="https://todo.example/keys#new")
    person = Person(terminal=False, answer="key")
    assert made.login(LoginRequest(), person).access_token == "key"
    assert person.opened == []
    assert "https://todo.example/keys#new" in person.events[0][1]
    assert made.login(LoginRequest(token="brought"), Person()).access_token == "brought"


@pytest.mark.parametrize("key", ["", "a\nX-Evil: 1", "schlüssel", "a\x00"])
def test_te_19_an_api_key_is_checked(key: str) -> None:
    """It goes into a header."""
    with pytest.raises(LoginFailed, match="not a valid token"):
        ApiKeyProvider().login(LoginRequest(), Person(answer=key))


@pytest.mark.parametrize(
    "facts, header, value",
    [
        ({}, "Authorization", "Bearer key"),
        ({"scheme": "Token"}, "Authorization", "Token key"),
        ({"header": "X-Api-Key", "scheme": ""}, "X-Api-Key", "key"),
        ({"header": "X-Api-Key", "scheme": None}, "X-Api-Key", "key"),
    ],
)
def test_where_an_api_key_goes(facts: dict[str, Any], header: str, value: str) -> None:
    """Into one header, after a scheme where there is one."""
    request = httpx.Request("GET", "https://api.todo.example")
    ApiKeyProvider(**facts).apply(request, TokenBundle("key"))
    assert request.headers[header] == value


@pytest.mark.parametrize(
    "facts",
    [
        {"api_url": "http://api.todo.example"},
        {"create_url": "javascript:alert(1)"},
        {"header": ""},
        {"header": "X-Key:"},
        {"header": "X Key"},
        {"header": "X\r\nEvil"},
    ],
)
def test_an_api_key_has_nowhere_else_to_go(facts: dict[str, str]) -> None:
    """What would leak it is refused at once."""
    with pytest.raises(ValueError, match=r"https|header"):
        ApiKeyProvider(**facts)  # type: ignore[arg-type]


def test_who_holds_an_api_key() -> None:
    """According to the application; else there is one account."""
    made = ApiKeyProvider(identify=lambda _: {"id": "ada"})
    assert made.identify(None, BUNDLE) == {"id": "ada"}  # type: ignore[arg-type]
    assert ApiKeyProvider().identify(None, BUNDLE) == {"id": DEFAULT_ID}  # type: ignore[arg-type]


def test_what_a_person_is_told() -> None:
    """The host that the key is for, and the options that make sense."""
    made = ApiKeyProvider(api_url="https://api.todo.example/v1", create_url="https://x.example")
    assert made.display_name == "api.todo.example"
    assert made.options == {"--with-token", "--no-browser"}
    assert ApiKeyProvider().options == {"--with-token"}
    assert ApiKeyProvider(create_url="https://x.example").display_name == "x.example"
    assert ApiKeyProvider().display_name == "ApiKeyProvider"


class Bespoke(Provider):
    """A provider with the one method that must be written."""

    def login(self, request: LoginRequest, ui: LoginUI) -> TokenBundle:
        """Return a token."""
        return TokenBundle("x")


def test_a_provider_of_ones_own_needs_one_method() -> None:
    """What it does not say, it cannot."""
    made = Bespoke()
    assert made.login(LoginRequest(), Person()).access_token == "x"
    assert who(made) == {"id": DEFAULT_ID}
    assert made.revoke(BUNDLE) is None
    assert made.is_same_account(BUNDLE, "7")
    assert (made.display_name, made.binding, made.options) == ("Bespoke", Binding(), frozenset())
    assert made.http is made.http
    for attempt in (lambda: made.refresh(BUNDLE), lambda: made.client_credentials("a", "b")):
        with pytest.raises(NotLoggedIn) as failed:
            attempt()
        assert failed.value.code == "AUTH_REFRESH_UNAVAILABLE"
    request = httpx.Request("GET", "https://api.todo.example")
    made.apply(request, BUNDLE)
    assert request.headers["authorization"] == "Bearer canary-access"


@pytest.mark.parametrize("header", ["", "-", "X Key", "X-Key:", "X-Schl\u00fcssel"])
def test_what_is_no_header_is_refused_at_once(header: str) -> None:
    """Not by the first request."""
    with pytest.raises(ValueError, match="is not the name of a header"):
        ApiKeyProvider(header=header)
