from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from click_auth.testing import AuthorizationServer, Client
from testing.visitor import Visitor


def test_a_refresh_rotates(visitor: Visitor, server: AuthorizationServer) -> None:
    """A refresh brings a new pair; the older access token lives on."""
    old = visitor.log_in()

    new = visitor.refresh(old["refresh_token"]).json()

    assert new["refresh_token"] != old["refresh_token"]
    assert new["scope"] == "tasks:read offline_access"
    for tokens in (old, new):
        assert visitor.api("/tasks", tokens["access_token"]).status_code == 200
    assert server.refresh_count == 1


def test_reuse_of_a_rotated_token_ends_the_family(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """A refresh token that comes a second time kills its grant, the newest tokens included."""
    old = visitor.log_in()
    new = visitor.refresh(old["refresh_token"]).json()

    answer = visitor.refresh(old["refresh_token"])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert visitor.refresh(new["refresh_token"]).json()["error"] == "invalid_grant"
    assert visitor.api("/me", new["access_token"]).status_code == 401
    assert not server.family_alive("ada")
    assert server.reuse_count == 1


def test_of_many_refreshes_at_once_one_wins_and_the_family_dies(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """Rotation is atomic: eight unlocked refreshes are one success and a dead grant."""
    token = visitor.log_in()["refresh_token"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(visitor.refresh, [token] * 8))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert not server.family_alive("ada")


def test_other_families_are_left_alone(visitor: Visitor, server: AuthorizationServer) -> None:
    """Reuse in one grant does nothing to another one of the same user."""
    first, second = visitor.log_in(), visitor.log_in()
    visitor.refresh(first["refresh_token"])
    visitor.refresh(first["refresh_token"])

    assert server.family_alive(second["refresh_token"])
    assert visitor.refresh(second["refresh_token"]).status_code == 200


def test_a_grace_window_forgives_reuse(visitor: Visitor, server: AuthorizationServer) -> None:
    """With reuse_grace a rotated token yields a pair once more, for that many seconds."""
    server.reuse_grace = 60
    token = visitor.log_in()["refresh_token"]
    visitor.refresh(token)

    assert visitor.refresh(token).status_code == 200
    assert server.family_alive(token)


def test_without_rotation_the_token_stays(visitor: Visitor, server: AuthorizationServer) -> None:
    """With rotate=False the refresh token comes back as it was, and stays good."""
    server.rotate = False
    token = visitor.log_in()["refresh_token"]

    assert [visitor.refresh(token).json()["refresh_token"] for _ in range(2)] == [token, token]


def test_a_refresh_may_ask_for_less(visitor: Visitor) -> None:
    """A narrower scope is granted, a broader one refused (RFC 6749 6)."""
    tokens = visitor.log_in(scope="tasks:read tasks:write")

    narrow = visitor.refresh(tokens["refresh_token"], scope="tasks:read").json()
    broad = visitor.refresh(narrow["refresh_token"], scope="tasks:read admin")

    assert narrow["scope"] == "tasks:read"
    assert (broad.status_code, broad.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "form, error",
    [
        ({"refresh_token": None}, "invalid_request"),
        ({"refresh_token": "unknown"}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_grant"),
        ({"client_id": "nobody"}, "invalid_client"),
    ],
)
def test_a_refresh_that_does_not_fit_is_refused(
    visitor: Visitor, server: AuthorizationServer, form: dict[str, str | None], error: str
) -> None:
    """A token is good for the client it was issued to, and an access token is none."""
    server.add_client(Client("other"))
    tokens = visitor.log_in()

    assert visitor.refresh(tokens["refresh_token"], **form).json()["error"] == error
    assert visitor.refresh(tokens["access_token"]).json()["error"] == "invalid_grant"


def test_refresh_tokens_come_on_request(visitor: Visitor, server: AuthorizationServer) -> None:
    """With always_refresh=False only offline_access brings a refresh token."""
    server.always_refresh = False

    assert "refresh_token" not in visitor.log_in(scope="tasks:read")
    assert "refresh_token" in visitor.log_in(scope="offline_access")


def test_tokens_expire(visitor: Visitor, server: AuthorizationServer) -> None:
    """Lifetimes are kept by the server's clock, for access and refresh tokens."""
    server.access_token_lifetime = 0.05
    server.refresh_token_lifetime = 0.05
    tokens = visitor.log_in()
    time.sleep(0.06)

    assert tokens["expires_in"] == 0.05
    assert visitor.api("/me", tokens["access_token"]).status_code == 401
    assert visitor.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_access_tokens_can_be_expired_at_once(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """expire_access_tokens ends access tokens and leaves refresh tokens good."""
    tokens = visitor.log_in()

    server.expire_access_tokens()

    answer = visitor.api("/me", tokens["access_token"])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert visitor.refresh(tokens["refresh_token"]).status_code == 200


def test_every_grant_can_be_revoked_at_once(visitor: Visitor, server: AuthorizationServer) -> None:
    """revoke_all ends access and refresh tokens."""
    tokens = visitor.log_in()

    server.revoke_all()

    assert visitor.api("/me", tokens["access_token"]).status_code == 401
    assert visitor.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_issued_tokens_are_like_those_of_a_login(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """issue() makes a pair without a browser."""
    issued = server.issue("bob", scopes=("tasks:read",), lifetime=7)

    assert issued["expires_in"] == 7
    assert issued["scope"] == "tasks:read"
    assert visitor.api("/me", str(issued["access_token"])).json()["id"] == "bob"
    assert visitor.refresh(str(issued["refresh_token"])).status_code == 200


def test_revoking_a_refresh_token_ends_the_grant(
    visitor: Visitor, server: AuthorizationServer
) -> None:
    """Revocation of a refresh token takes its access tokens along (RFC 7009 2.1)."""
    tokens = visitor.log_in()

    answer = visitor.post("revoke", token=tokens["refresh_token"], token_type_hint="refresh_token")

    assert answer.status_code == 200
    assert visitor.api("/me", tokens["access_token"]).status_code == 401
    assert not server.family_alive(tokens["refresh_token"])


def test_revoking_an_access_token_leaves_the_grant(visitor: Visitor) -> None:
    """Revocation of an access token ends that one only."""
    tokens = visitor.log_in()

    visitor.post("revoke", token=tokens["access_token"])

    assert visitor.api("/me", tokens["access_token"]).status_code == 401
    assert visitor.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    "form, status",
    [
        ({"token": "unknown"}, 200),
        ({}, 400),
        ({"token": "unknown", "client_id": "nobody"}, 401),
        ({"client_id": "other"}, 400),
    ],
)
def test_revocation_says_what_the_rfc_says(
    visitor: Visitor, server: AuthorizationServer, form: dict[str, str], status: int
) -> None:
    """An unknown token is revoked already; another client's is not revoked (RFC 7009 2.1, 2.2)."""
    server.add_client(Client("other"))
    if form == {"client_id": "other"}:
        form["token"] = visitor.log_in()["refresh_token"]

    assert visitor.post("revoke", **form).status_code == status


def test_client_credentials(visitor: Visitor, server: AuthorizationServer) -> None:
    """A confidential client gets a token of its own, without a refresh token; a public one none."""
    secret = {"client_id": "todo-ci", "client_secret": "todo-ci-secret"}
    tokens = visitor.post(
        "token", grant_type="client_credentials", scope="tasks:read", **secret
    ).json()
    public = visitor.post("token", grant_type="client_credentials")

    assert "refresh_token" not in tokens
    assert visitor.api("/tasks", tokens["access_token"]).status_code == 200
    assert visitor.api("/me", tokens["access_token"]).status_code == 403
    assert public.json()["error"] == "unauthorized_client"


def test_basic_credentials_are_form_encoded(visitor: Visitor, server: AuthorizationServer) -> None:
    """Client id and secret are form-decoded after Base64 (RFC 6749 2.3.1)."""
    server.add_client(Client("a:b", secret="p%+_: ü"))
    form = {"grant_type": "client_credentials"}

    def ask(pair: str) -> int:
        header = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return visitor.http.post(f"{server.issuer}/token", data=form, headers=header).status_code

    assert ask("a%3Ab:p%25%2B_%3A+%C3%BC") == 200
    assert ask("a:b:p%+_: ü") == 401


@pytest.mark.parametrize(
    "header, form, error",
    [
        ("Basic !!!", {}, "invalid_client"),
        ("Bearer x", {}, "invalid_client"),
        ("Basic dG9kby1jaTp3cm9uZw==", {}, "invalid_client"),
        ("Basic dG9kby1jbGk6", {}, "invalid_client"),
        ("", {"client_id": "todo-ci"}, "invalid_client"),
        ("", {"client_id": "todo-ci", "client_secret": "wrong"}, "invalid_client"),
        ("", {"client_id": "todo-cli", "client_secret": "any"}, "invalid_client"),
        ("Basic dG9kby1jaTp3cm9uZw==", {"client_secret": "x"}, "invalid_request"),
    ],
)
def test_a_client_must_prove_itself_in_one_way(
    visitor: Visitor, server: AuthorizationServer, header: str, form: dict[str, str], error: str
) -> None:
    """Wrong, missing or double client authentication is refused, with a challenge for Basic."""
    answer = visitor.http.post(
        f"{server.issuer}/token",
        data={"grant_type": "client_credentials", **form},
        headers={"Authorization": header} if header else {},
    )

    assert answer.json()["error"] == error
    if error == "invalid_client":
        assert answer.status_code == 401
        assert ("www-authenticate" in answer.headers) is bool(header)


def test_a_forgotten_client_is_invalid(visitor: Visitor, server: AuthorizationServer) -> None:
    """forget_client makes a registration as good as never made."""
    tokens = visitor.log_in()

    server.forget_client("todo-cli")

    assert visitor.refresh(tokens["refresh_token"]).json()["error"] == "invalid_client"
