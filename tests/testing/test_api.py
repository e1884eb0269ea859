from __future__ import annotations

import pytest

from click_auth.testing import AuthorizationServer
from testing.visitor import Visitor


def test_userinfo_says_who_it_is(visitor: Visitor, server: AuthorizationServer) -> None:
    """Userinfo gives the subject, names and e-mail address (OIDC Context 5.3)."""
    headers = {"Authorization": f"Bearer {visitor.log_in()['access_token']}"}

    assert visitor.http.get(f"{server.issuer}/userinfo", headers=headers).json() == {
        "sub": "ada",
        "preferred_username": "ada@todo.example",
        "email": "ada@todo.example",
        "name": "Ada Lovelace",
    }


def test_tasks_can_be_listed_added_and_done(visitor: Visitor, server: AuthorizationServer) -> None:
    """Each user has a to-do list of their own, which lasts as long as the server."""
    ada, bob = (str(server.issue(user)["access_token"]) for user in ("ada", "bob"))

    added = visitor.api("/tasks", ada, "POST", json={"title": "Rest"})
    done = visitor.api(f"/tasks/{added.json()['id']}/done", ada, "POST")

    assert (added.status_code, done.json()) == (201, {"id": 4, "title": "Rest", "done": True})
    assert visitor.api("/tasks", ada).json()[3]["done"] is True
    assert len(visitor.api("/tasks", bob).json()) == 3
    assert [task["id"] for task in visitor.api("/tasks?done=false", ada).json()] == [1, 2, 3]
    assert [task["id"] for task in visitor.api("/tasks?done=true", ada).json()] == [4]


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("POST", "/tasks", 422),
        ("POST", "/tasks/99/done", 404),
        ("POST", "/tasks/one/done", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/tasks", 405),
    ],
)
def test_the_api_refuses_what_it_does_not_know(
    visitor: Visitor, server: AuthorizationServer, method: str, path: str, status: int
) -> None:
    """Bad titles, unknown tasks and unknown paths have their statuses."""
    token = str(server.issue()["access_token"])

    assert visitor.api(path, token, method, json={"title": " "}).status_code == status


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer", "Bearer unknown"])
def test_the_api_wants_a_good_token(
    visitor: Visitor, server: AuthorizationServer, header: str | None
) -> None:
    """Without a good token the answer is 401 with a Bearer challenge (RFC 6750 3)."""
    headers = {} if header is None else {"Authorization": header}

    answer = visitor.http.get(f"{server.api_url}/tasks", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ("invalid_token" in answer.headers["www-authenticate"]) is (header == "Bearer unknown")


def test_a_refresh_token_is_no_access_token(visitor: Visitor) -> None:
    """The API accepts access tokens only."""
    assert visitor.api("/me", visitor.log_in()["refresh_token"]).status_code == 401
