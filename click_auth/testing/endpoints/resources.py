"""What tokens are for (userinfo, the to-do API), and how they are revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click_auth.testing.messages import Answer, OAuthError, Request
from click_auth.testing.parties import authenticate

if TYPE_CHECKING:
    from click_auth.testing.grants import Grant
    from click_auth.testing.parties import User
    from click_auth.testing.service import Service


def revoke(service: Service, request: Request) -> Answer:
    """Revoke a token; one that is unknown is as good as revoked (RFC 7009 2.2)."""
    client = authenticate(request, service.registered)
    service.grants.revoke(request.required("token"), client.client_id)
    return Answer(200)


def userinfo(service: Service, request: Request) -> Answer:
    """Who the token's user is (OIDC Context 5.3)."""
    user = _user(service, _grant(service, request))
    names = {"preferred_username": user.email, "email": user.email, "name": user.name}
    return Answer.json({"sub": user.id, **names})


def api(service: Service, request: Request) -> Answer:
    """Serve the to-do API: `/me`, `/tasks` (`?done=false`), `/tasks/<id>/done`."""
    grant = _grant(service, request)
    tasks = service.tasks[grant.user or grant.client_id]
    match request.method, request.path.split("/")[2:]:
        case "GET", ["me"]:
            user = _user(service, grant)
            return Answer.json({"id": user.id, "label": user.email, "name": user.name})
        case "GET", ["tasks"]:
            wanted = {"true": (True,), "false": (False,)}.get(request.query.get("done", ""))
            return Answer.json([task for task in tasks if not wanted or task["done"] in wanted])
        case "POST", ["tasks"]:
            title = request.json().get("title")
            if not isinstance(title, str) or not title.strip():
                return Answer.json({"message": "title is missing"}, 422)
            tasks.append({"id": len(tasks) + 1, "title": title, "done": False})
            return Answer.json(tasks[-1], 201)
        case "POST", ["tasks", number, "done"]:
            for task in tasks:
                if str(task["id"]) == number:
                    task["done"] = True
                    return Answer.json(task)
    return Answer.json({"message": "no such resource"}, 404)


def _grant(service: Service, request: Request) -> Grant:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    challenge = 'Bearer realm="todo"'
    if scheme.lower() != "bearer" or not value.strip():
        # No error code where no token was sent (RFC 6750 3.1).
        raise OAuthError("", "", 401, {"WWW-Authenticate": challenge})
    token = service.grants.find(value.strip())
    if token is None:
        challenge += ', error="invalid_token"'
        raise OAuthError(
            "invalid_token", "expired or unknown", 401, {"WWW-Authenticate": challenge}
        )
    return token.grant


def _user(service: Service, grant: Grant) -> User:
    if grant.user is None:
        raise OAuthError("insufficient_scope", "the token has no user", 403)
    return service.user(grant.user)
