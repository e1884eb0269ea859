"""What tokens are for (userinfo, the to-do API), and how they are revoked and looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.testing.messages import Answer, OAuthError, Request

if TYPE_CHECKING:
    from click_auth.testing.grants import Token
    from click_auth.testing.parties import User
    from click_auth.testing.service import Service


def revoke(service: Service, request: Request) -> Answer:
    """Revoke a token; one that is unknown is as good as revoked (RFC 7009 2.2)."""
    client = service.directory.authenticate(request)
    if "token" not in request.form:
        raise OAuthError("invalid_request", "token is missing")
    service.grants.revoke(request.form["token"], client.client_id)
    return Answer(200)


def introspect(service: Service, request: Request) -> Answer:
    """Say what a token is (RFC 7662), to anybody: this is a server for tests."""
    token = service.grants.find(request.form.get("token"))
    if token is None:
        return Answer.json({"active": False})
    left = service.grants.seconds_left(token)
    return Answer.json(
        {
            "active": True,
            "client_id": token.grant.client_id,
            "sub": token.grant.user,
            "scope": " ".join(token.scopes),
            "aud": list(token.grant.resource),
            "token_use": token.kind,
            "expires_in": None if left is None else int(left),
        }
    )


def userinfo(service: Service, request: Request) -> Answer:
    """Who the token's user is (OIDC Core 5.3)."""
    user = _user(service, _bearer(service, request))
    return Answer.json(
        {
            "sub": user.id,
            "preferred_username": user.email,
            "email": user.email,
            "name": user.name,
        }
    )


def api(service: Service, request: Request) -> Answer:
    """Serve the to-do API: `/me`, `/tasks` (`?done=false`), `/tasks/<id>/done`."""
    token = _bearer(service, request)
    owner = token.grant.user or token.grant.client_id
    match request.method, request.path.split("/")[2:]:
        case "GET", ["me"]:
            user = _user(service, token)
            return Answer.json({"id": user.id, "label": user.email, "name": user.name})
        case "GET", ["tasks"]:
            wanted = {"true": [True], "false": [False]}.get(
                request.query.get("done", ""), [True, False]
            )
            tasks = service.lists.tasks(owner)
            return Answer.json([task for task in tasks if task["done"] in wanted])
        case "POST", ["tasks"]:
            title = request.json().get("title")
            if not isinstance(title, str) or not title.strip():
                return Answer.json({"message": "title is missing"}, 422)
            return Answer.json(service.lists.add(owner, title), 201)
        case "POST", ["tasks", number, "done"] if number.isdecimal():
            task = service.lists.finish(owner, int(number))
            return (
                Answer.json({"message": "no such task"}, 404) if task is None else Answer.json(task)
            )
    return Answer.json({"message": "no such resource"}, 404)


def _bearer(service: Service, request: Request) -> Token:
    if request.bearer is None:
        # No error code where no token was sent (RFC 6750 3.1).
        raise OAuthError("", status=401, headers={"WWW-Authenticate": 'Bearer realm="todo"'})
    token = service.grants.find_access(request.bearer)
    if token is None:
        challenge = 'Bearer realm="todo", error="invalid_token"'
        raise OAuthError(
            "invalid_token",
            "expired or unknown",
            status=401,
            headers={"WWW-Authenticate": challenge},
        )
    return token


def _user(service: Service, token: Token) -> User:
    if token.grant.user is None:
        raise OAuthError("insufficient_scope", "the token has no user", status=403)
    return service.directory.user(token.grant.user)
