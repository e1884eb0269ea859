from __future__ import annotations

import httpx
import pytest

from click_auth.testing import AuthorizationServer, Client
from testing.visitor import REDIRECT, VERIFIER, Visitor, challenge_of, query_of


def test_a_login_yields_tokens_for_the_api(visitor: Visitor) -> None:
    """A code with its verifier is worth a token that the API accepts."""
    tokens = visitor.log_in()

    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == "tasks:read offline_access"
    assert visitor.api("/me", tokens["access_token"]).json() == {
        "id": "ada",
        "label": "ada@todo.example",
        "name": "Ada Lovelace",
    }


def test_token_answers_are_not_to_be_cached(visitor: Visitor) -> None:
    """Answers with tokens say no-store (RFC 6749 5.1)."""
    answer = visitor.exchange(query_of(visitor.authorize())["code"])

    assert answer.headers["cache-control"] == "no-store"


def test_the_answer_carries_state_and_issuer(visitor: Visitor, server: AuthorizationServer) -> None:
    """The redirect brings back the state as it was and the issuer (RFC 9207)."""
    answer = visitor.authorize(state="a&b=ü +")

    assert answer.headers["location"].startswith(f"{REDIRECT}?")
    assert query_of(answer)["state"] == "a&b=ü +"
    assert query_of(answer)["iss"] == server.issuer


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"code_verifier": "w" * 50}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:4322/callback"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code": "no-such-code"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"resource": "not a URI"}, "invalid_target"),
    ],
)
def test_an_exchange_that_does_not_fit_is_refused(
    visitor: Visitor, changes: dict[str, str | None], error: str
) -> None:
    """A wrong verifier, redirect URI or parameter gets 400 and an error code."""
    answer = visitor.exchange(query_of(visitor.authorize())["code"], **changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"resource": "https://api.todo.example/#fragment"}, "invalid_target"),
    ],
)
def test_a_bad_request_goes_back_to_the_client(
    visitor: Visitor, changes: dict[str, str | None], error: str
) -> None:
    """What is wrong with the request comes back with the state and without a code."""
    back = query_of(visitor.authorize(**changes))

    assert back["error"] == error
    assert back["state"] == "the-state"
    assert "code" not in back


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "http://127.0.0.1:4321/elsewhere"},
        {"redirect_uri": "http://127.0.0.1.evil.example/callback"},
        {"redirect_uri": "http://ada@127.0.0.1:4321/callback"},
    ],
)
def test_nobody_is_sent_to_an_unknown_place(
    visitor: Visitor, changes: dict[str, str | None]
) -> None:
    """An unknown client or redirect URI is a page, never a redirect (RFC 6749 3.1.2.4)."""
    answer = visitor.authorize(**changes)

    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:50123/callback",
        "http://[::1]:50123/callback",
        "http://localhost:50123/callback",
        "http://127.0.0.1/callback",
    ],
)
def test_a_loopback_redirect_takes_any_port(visitor: Visitor, redirect_uri: str) -> None:
    """A loopback redirect URI that was registered without a port is good at any (RFC 8252 7.3)."""
    code = query_of(visitor.authorize(redirect_uri=redirect_uri))["code"]

    assert visitor.exchange(code, redirect_uri=redirect_uri).status_code == 200


def test_a_registered_port_is_meant(visitor: Visitor, server: AuthorizationServer) -> None:
    """A redirect URI that was registered with a port is good at that one only."""
    server.add_client(Client("fixed", ("http://127.0.0.1:8765/callback",)))
    right, wrong = "http://127.0.0.1:8765/callback", "http://127.0.0.1:8766/callback"

    assert visitor.authorize(client_id="fixed", redirect_uri=right).status_code == 303
    assert visitor.authorize(client_id="fixed", redirect_uri=wrong).status_code == 400


def test_a_code_is_good_once(visitor: Visitor, server: AuthorizationServer) -> None:
    """The second use of a code is refused and ends what the first one yielded (RFC 6749 4.1.2)."""
    code = query_of(visitor.authorize())["code"]
    tokens = visitor.exchange(code).json()

    assert visitor.exchange(code).json()["error"] == "invalid_grant"
    assert not server.family_alive(tokens["refresh_token"])
    assert visitor.api("/me", tokens["access_token"]).status_code == 401


def test_a_parameter_that_comes_twice_is_refused(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """Parameters must not be repeated, at neither endpoint (RFC 6749 3.1, 3.2)."""
    url = f"{server.issuer}/authorize?client_id=todo-cli&redirect_uri={REDIRECT}&state=a&state=b"
    posted = visitor.http.post(
        f"{server.issuer}/token", data={"grant_type": ["refresh_token", "refresh_token"]}
    )

    assert query_of(visitor.http.get(url))["error"] == "invalid_request"
    assert posted.json()["error"] == "invalid_request"


def test_a_confidential_client_may_leave_out_the_challenge(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """Without a challenge a secret is enough, and a verifier is a downgrade (RFC 9700 2.1.1)."""
    bare = {"client_id": "todo-ci", "code_challenge": None, "code_challenge_method": None}
    secret = {"client_id": "todo-ci", "client_secret": "todo-ci-secret"}
    code, other = (query_of(visitor.authorize(**bare))["code"] for _ in range(2))

    assert visitor.exchange(code, code_verifier=None, **secret).status_code == 200
    assert visitor.exchange(other, **secret).json()["error"] == "invalid_grant"


def test_login_hint_says_who_logs_in(visitor: Visitor, server: AuthorizationServer) -> None:
    """A server that approves by itself logs in whom the hint means, else the first user."""
    bob = visitor.log_in(login_hint="BOB@todo.example")
    somebody = visitor.log_in(login_hint="carol")
    server.login_as = "bob"
    ordered = visitor.log_in(login_hint="ada")

    ids = [
        visitor.api("/me", each["access_token"]).json()["id"] for each in (bob, somebody, ordered)
    ]
    assert ids == ["bob", "ada", "bob"]


def test_prompt_none_wants_a_session(visitor: Visitor, server: AuthorizationServer) -> None:
    """Where a person would have to decide, prompt=none is an error (OIDC Context 3.1.2.6)."""
    server.auto_approve = False

    assert query_of(visitor.authorize(prompt="none"))["error"] == "login_required"


def test_an_id_token_names_the_login(visitor: Visitor, server: AuthorizationServer) -> None:
    """With openid there is an ID token with issuer, audience, subject and nonce."""
    import base64
    import json

    token = visitor.log_in(scope="openid", nonce="n-1")["id_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))

    assert {name: claims[name] for name in ("iss", "aud", "sub", "nonce")} == {
        "iss": server.issuer,
        "aud": "todo-cli",
        "sub": "ada",
        "nonce": "n-1",
    }


def test_the_consent_page_takes_a_decision(visitor: Visitor, server: AuthorizationServer) -> None:
    """Without auto_approve a page asks, and its buttons lead back with a code or access_denied."""
    server.auto_approve = False
    outcomes = []
    for decision in ("approve", "deny"):
        page = visitor.authorize(login_hint="bob")
        ticket = page.text.split('name="ticket" value="')[1].split('"')[0]
        form = {"ticket": ticket, "decision": decision, "user": "bob"}
        outcomes.append(query_of(visitor.http.post(f"{server.issuer}/authorize", data=form)))

    assert "code" in outcomes[0]
    assert outcomes[1]["error"] == "access_denied"


def test_the_consent_page_belongs_to_one_browser(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """A decision from a browser that did not see the page is refused."""
    server.auto_approve = False
    page = visitor.authorize()
    ticket = page.text.split('name="ticket" value="')[1].split('"')[0]
    form = {"ticket": ticket, "decision": "approve"}

    stranger = httpx.post(f"{server.issuer}/authorize", data=form, trust_env=False)

    assert stranger.status_code == 400


def test_pages_are_inert_and_need_nothing_else(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """What a client sends is escaped, and a page loads nothing from elsewhere."""
    server.auto_approve = False

    page = visitor.authorize(scope="<script>alert(1)</script>")

    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_challenge_may_be_posted(visitor: Visitor, server: AuthorizationServer) -> None:
    """The authorization endpoint takes POST too (RFC 6749 3.1)."""
    form = {
        "response_type": "code",
        "client_id": "todo-cli",
        "redirect_uri": REDIRECT,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }

    answer = visitor.http.post(f"{server.issuer}/authorize", data=form)

    assert visitor.exchange(query_of(answer)["code"]).status_code == 200
