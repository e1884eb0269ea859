"""The authorization endpoint (RFC 6749 4.1, RFC 7636, RFC 9207) and its consent page."""

from __future__ import annotations

from http.cookies import SimpleCookie
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from click_auth.testing import pages
from click_auth.testing.grants import S256_LENGTH, Authorization, Grant
from click_auth.testing.messages import Answer, OAuthError, Request

if TYPE_CHECKING:
    from click_auth.testing.parties import Client
    from click_auth.testing.service import Service


def authorize(service: Service, request: Request) -> Answer:
    """Ask for consent, or approve at once; what is wrong with the client itself never redirects."""
    if "ticket" in request.form:
        return _decide(service, request)
    given = request.given
    client = service.registered.get(given.get("client_id", ""))
    redirect_uri = given.get("redirect_uri", "")
    if client is None:
        return pages.notice("Unknown client", "No client is registered with this client_id.", 400)
    if not client.accepts_redirect(redirect_uri) or "redirect_uri" in request.repeated:
        return pages.notice("Bad redirect", "This redirect_uri is not registered.", 400)
    grant = Grant(client.client_id, None, request.scopes, given.get("nonce"))
    hint = given.get("login_hint")
    asked = Authorization(grant, redirect_uri, given.get("code_challenge"), given.get("state"))
    try:
        _check(service, client, request)
    except OAuthError as error:
        return _return(service, asked, error.parameters())
    if service.auto_approve:
        return _approve(service, asked, service.login_as or hint)
    ticket = token_urlsafe(16)
    service.tickets[ticket] = asked
    return pages.consent(grant, ticket, service.users, service.user(hint or service.login_as))


def check_resource(resource: str | None) -> None:
    """Raise `OAuthError` unless a resource is an absolute URI without a fragment (RFC 8707 2)."""
    if resource is not None and (not urlsplit(resource).scheme or "#" in resource):
        raise OAuthError("invalid_target", "resource is not an absolute URI without a fragment")


def _check(service: Service, client: Client, request: Request) -> None:
    given = request.given
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
    ticket = request.form["ticket"]
    cookie = SimpleCookie(request.headers.get("cookie", "")).get("consent")
    same_browser = cookie is not None and cookie.value == ticket
    asked = service.tickets.pop(ticket, None) if same_browser else None
    if asked is None:
        return pages.notice("Start again", "This page is too old, or another browser's.", 400)
    if request.form.get("decision") != "approve":
        return _return(service, asked, OAuthError("access_denied", "the user said no").parameters())
    return _approve(service, asked, request.form.get("user"))


def _approve(service: Service, asked: Authorization, user: str | None) -> Answer:
    code = service.grants.open_code(asked, service.user(user).id)
    return _return(service, asked, {"code": code})


def _return(service: Service, asked: Authorization, result: dict[str, str]) -> Answer:
    sent = {**result, "state": asked.state, "iss": service.issuer, **service.faults.callback}
    query = urlencode({name: value for name, value in sent.items() if value is not None})
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    return Answer.redirect(f"{asked.redirect_uri}{joint}{query}")
