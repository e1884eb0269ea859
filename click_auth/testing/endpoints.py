"""The endpoints that programs ask, and from a path to the function that answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from click_auth.testing.grants import Grant, whole
from click_auth.testing.messages import Answer, Endpoint, OAuthError, Request
from click_auth.testing.pages import authorize, device_page
from click_auth.testing.parties import Client, User, may_be_registered
from click_auth.testing.service import Service

_AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post")
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", _DEVICE_CODE)
METADATA: dict[str, Endpoint] = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "device_authorization_endpoint": "device_authorization",
    "revocation_endpoint": "revoke",
    "userinfo_endpoint": "userinfo",
    "registration_endpoint": "register",
}


def find_endpoint(service: Service, path: str) -> Endpoint:
    """Return what is at a path; metadata is wherever clients look for it (RFC 8414 3.1, 5)."""
    well_known, tenant = "/.well-known", urlsplit(service.issuer).path.rstrip("/")
    if path in (
        f"{well_known}/oauth-authorization-server{tenant}",
        f"{well_known}/openid-configuration{tenant}",
        f"{service.path}{well_known}/openid-configuration",
    ):
        return "discovery"
    if f"{path}/".startswith("/api/"):
        return "api"
    for endpoint in (*METADATA.values(), "device"):
        if path == f"{service.path}/{endpoint}":
            return endpoint
    return "unknown"


def answer(service: Service, request: Request) -> Answer:
    """Return what the server itself says to a request."""
    if request.endpoint == "unknown":
        return Answer(404)
    function, methods = _FUNCTIONS[request.endpoint]
    if request.method not in methods:
        return Answer(405, {"Allow": ", ".join(methods)})
    try:
        with service.lock:
            return function(service, request)
    except OAuthError as error:
        return Answer.json(error.parameters(), error.status, error.headers)


def _discovery(service: Service, _request: Request) -> Answer:
    """Return the metadata document (RFC 8414)."""
    base = service.issuer.rstrip("/")
    document = {
        "issuer": service.issuer,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": _GRANT_TYPES,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": _AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["none"],
        "authorization_response_iss_parameter_supported": True,
    }
    return Answer.json(document | {name: f"{base}/{path}" for name, path in METADATA.items()})


def _register(service: Service, request: Request) -> Answer:
    """Register a client; it gets a secret unless its method is `none` (RFC 7591)."""
    wanted = request.json()
    uris = wanted.get("redirect_uris")
    if not isinstance(uris, list) or not uris or not all(map(may_be_registered, uris)):
        raise OAuthError("invalid_redirect_uri", "redirect_uris are to be https or loopback http")
    method = wanted.get("token_endpoint_auth_method", "client_secret_basic")
    if method not in _AUTH_METHODS:
        raise OAuthError("invalid_client_metadata", "no such token_endpoint_auth_method")
    client_id, now = f"client-{secrets.token_hex(8)}", int(time.time())
    defaults = {"grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}
    document = {**defaults, **wanted, "client_id": client_id, "client_id_issued_at": now}
    document["token_endpoint_auth_method"] = method
    secret, expires_at = None, 0
    if method != "none":
        secret, life = secrets.token_urlsafe(32), service.client_secret_lifetime
        expires_at = 0 if life is None else int(now + life)
        document |= {"client_secret": secret, "client_secret_expires_at": expires_at}
    service.add_client(Client(client_id, tuple(uris), secret, (method,), expires_at))
    return Answer.json(document, 201)


def _device_authorization(service: Service, request: Request) -> Answer:
    """Open a device code (RFC 8628); a server that approves by itself approves it at once."""
    client = service.authenticate(request)
    grant = Grant(client.client_id, None, request.scopes)
    device_code, user_code = service.grants.open_device(grant)
    if service.auto_approve:
        hint = service.login_as or request.form.get("login_hint")
        service.grants.decide_device(user_code, service.user(hint).id)
    page = f"{service.issuer.rstrip('/')}/device"
    document = {
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': user_code})}",
        "expires_in": whole(service.device_lifetime),
        "interval": whole(service.device_interval),
    }
    return Answer.json(document)


def _token(service: Service, request: Request) -> Answer:
    """Issue tokens; raises `OAuthError` (RFC 6749 5.2)."""
    if request.repeated:
        raise OAuthError("invalid_request", f"repeated: {', '.join(request.repeated)}")
    grant_type = request.required("grant_type")
    if grant_type not in _GRANT_TYPES:
        raise OAuthError("unsupported_grant_type", "no such grant type is offered")
    client, grants = service.authenticate(request), service.grants
    request.check_resource()
    if grant_type == "refresh_token":
        value = request.required("refresh_token")
        document = grants.refresh(value, client.client_id, request.scopes)
    elif grant_type == "client_credentials":
        if client.secret is None:
            raise OAuthError("unauthorized_client", "a public client has no credentials")
        document = grants.issue(Grant(client.client_id, None, request.scopes))
    elif grant_type == "authorization_code":
        code, redirect_uri = request.required("code"), request.required("redirect_uri")
        verifier = request.form.get("code_verifier")
        document = grants.issue(grants.redeem(code, client.client_id, redirect_uri, verifier))
    else:
        if service.faults.device_errors:
            raise OAuthError(service.faults.device_errors.pop(0))
        device_code = request.required("device_code")
        document = grants.issue(grants.poll_device(device_code, client.client_id))
    return Answer.json(service.add_id_token(document))


def _revoke(service: Service, request: Request) -> Answer:
    """Revoke a token; one that is unknown is as good as revoked (RFC 7009 2.2)."""
    client = service.authenticate(request)
    service.grants.revoke(request.required("token"), client.client_id)
    return Answer(200)


def _userinfo(service: Service, request: Request) -> Answer:
    """Return who the token's user is (OIDC Core 5.3)."""
    user = _user(service, _find_grant(service, request))
    names = {"preferred_username": user.email, "email": user.email, "name": user.name}
    return Answer.json({"sub": user.id, **names})


def _api(service: Service, request: Request) -> Answer:
    """Serve the to-do API: `/me`, `/tasks` (`?done=false`), `/tasks/<id>/done`."""
    grant = _find_grant(service, request)
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


def _find_grant(service: Service, request: Request) -> Grant:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    challenge = 'Bearer realm="todo"'
    if scheme.lower() != "bearer" or not value.strip():
        # No error code where no token was sent (RFC 6750 3.1).
        raise OAuthError("", "", 401, {"WWW-Authenticate": challenge})
    token = service.grants.find(value.strip())
    if token is None:
        headers = {"WWW-Authenticate": f'{challenge}, error="invalid_token"'}
        raise OAuthError("invalid_token", "expired or unknown", 401, headers)
    return token.grant


def _user(service: Service, grant: Grant) -> User:
    if grant.user is None:
        raise OAuthError("insufficient_scope", "the token has no user", 403)
    return service.user(grant.user)


_FUNCTIONS: dict[Endpoint, tuple[Callable[[Service, Request], Answer], tuple[str, ...]]] = {
    "discovery": (_discovery, ("GET",)),
    "authorize": (authorize, ("GET", "POST")),
    "token": (_token, ("POST",)),
    "device_authorization": (_device_authorization, ("POST",)),
    "device": (device_page, ("GET", "POST")),
    "revoke": (_revoke, ("POST",)),
    "userinfo": (_userinfo, ("GET", "POST")),
    "register": (_register, ("POST",)),
    "api": (_api, ("GET", "POST")),
}
