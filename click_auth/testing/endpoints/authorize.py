"""The authorization endpoint (RFC 6749 4.1, RFC 7636, RFC 9207) and its consent page."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from click_auth.testing import pages
from click_auth.testing.grants import S256_LENGTH, Grant
from click_auth.testing.messages import Answer, OAuthError, Request, split_scope
from click_auth.testing.service import AuthorizationAsked, Service

if TYPE_CHECKING:
    from click_auth.testing.parties import Client


def authorize(service: Service, request: Request) -> Answer:
    """Ask for consent, or approve at once; what is wrong with the client itself never redirects."""
    if request.path.endswith("/consent"):
        return _decide(service, request)
    given = request.form if request.method == "POST" else request.query
    client = service.directory.client(given.get("client_id", ""))
    if client is None:
        return pages.notice("Unknown client", "No client is registered with this client_id.", 400)
    redirect_uri = given.get("redirect_uri", "")
    if not client.accepts_redirect(redirect_uri) or "redirect_uri" in request.repeated:
        return pages.notice("Bad redirect", "This redirect_uri is not registered.", 400)
    asked = AuthorizationAsked(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        scopes=split_scope(given.get("scope", "")),
        state=given.get("state"),
        challenge=given.get("code_challenge"),
        resource=tuple(filter(None, [given.get("resource")])),
        nonce=given.get("nonce"),
        login_hint=given.get("login_hint"),
    )
    try:
        _check(service, client, request)
    except OAuthError as error:
        return _return(service, asked, error.parameters())
    if service.auto_approve:
        chosen = service.directory.user(service.login_as or asked.login_hint)
        return _approve(service, asked, chosen.id)
    chosen = service.directory.user(asked.login_hint or service.login_as)
    ticket = service.tickets.keep(asked)
    return pages.consent(asked.client_id, asked.scopes, service.directory.users, chosen, ticket)


def check_resource(resource: str | None) -> None:
    """Raise `OAuthError` unless a resource is an absolute URI without a fragment (RFC 8707 2)."""
    if resource is not None and (not urlsplit(resource).scheme or "#" in resource):
        raise OAuthError("invalid_target", "resource is not an absolute URI without a fragment")


def _check(service: Service, client: Client, request: Request) -> None:
    given = request.form if request.method == "POST" else request.query
    # Only resource may come several times (RFC 8707 2).
    if set(request.repeated) - {"resource"}:
        raise OAuthError("invalid_request", f"repeated: {', '.join(request.repeated)}")
    if given.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "only code is offered")
    if given.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "only the response mode query is offered")
    challenge = given.get("code_challenge")
    if challenge is None and (client.secret is None or "code_challenge_method" in given):
        raise OAuthError("invalid_request", "code_challenge is missing")
    if challenge is not None and given.get("code_challenge_method", "plain") != "S256":
        raise OAuthError("invalid_request", "only the challenge method S256 is offered")
    if challenge is not None and len(challenge) != S256_LENGTH:
        raise OAuthError("invalid_request", "code_challenge is not a SHA-256 digest")
    check_resource(given.get("resource"))
    if given.get("prompt") == "none" and not service.auto_approve:
        raise OAuthError("login_required", "nobody is logged in")


def _decide(service: Service, request: Request) -> Answer:
    ticket = request.form.get("ticket", "")
    asked = service.tickets.take(ticket) if _cookie(request) == ticket else None
    if asked is None:
        return pages.notice("Start again", "This page is too old, or another browser's.", 400)
    if request.form.get("decision") != "approve":
        return _return(service, asked, OAuthError("access_denied", "the user said no").parameters())
    return _approve(service, asked, service.directory.user(request.form.get("user")).id)


def _approve(service: Service, asked: AuthorizationAsked, user: str) -> Answer:
    grant = Grant(asked.client_id, user, asked.scopes, asked.resource, asked.nonce)
    code = service.grants.open_code(grant, asked.redirect_uri, asked.challenge)
    return _return(service, asked, {"code": code})


def _return(service: Service, asked: AuthorizationAsked, result: dict[str, str]) -> Answer:
    sent: dict[str, str | None] = {**result, "state": asked.state, "iss": service.issuer}
    sent.update(service.faults.callback)
    query = urlencode({name: value for name, value in sent.items() if value is not None})
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    return Answer.redirect(f"{asked.redirect_uri}{joint}{query}")


def _cookie(request: Request) -> str | None:
    try:
        morsel = SimpleCookie(request.headers.get("cookie", "")).get("consent")
    except CookieError:
        return None
    return None if morsel is None else morsel.value
