"""Where a person decides: the authorization endpoint and the page of device codes."""

from __future__ import annotations

from html import escape
from http.cookies import SimpleCookie
from secrets import token_urlsafe
from urllib.parse import urlencode, urlsplit

from click_auth.testing.grants import S256_LENGTH, Authorization, Grant
from click_auth.testing.messages import Answer, Headers, OAuthError, Request
from click_auth.testing.parties import Client
from click_auth.testing.service import Service

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


def authorize(service: Service, request: Request) -> Answer:
    """Ask for consent, or approve at once (RFC 6749 4.1, RFC 7636, RFC 9207).

    What is wrong with the client itself never redirects.
    """
    if "ticket" in request.form:
        return _decide(service, request)
    given = request.parameters
    client = service.registered.get(given.get("client_id", ""))
    redirect_uri = given.get("redirect_uri", "")
    if client is None:
        return _page("Unknown client", "No client is registered with this client_id.", 400)
    if not client.accepts_redirect(redirect_uri) or "redirect_uri" in request.repeated:
        return _page("Bad redirect", "This redirect_uri is not registered.", 400)
    grant = Grant(client.client_id, None, request.scopes, given.get("nonce"))
    pending = Authorization(grant, redirect_uri, given.get("code_challenge"), given.get("state"))
    try:
        _check(service, client, request)
    except OAuthError as error:
        return _redirect(service, pending, error.parameters())
    hint = given.get("login_hint")
    if service.auto_approve:
        return _approve(service, pending, service.login_as or hint)
    ticket = token_urlsafe(16)
    service.tickets[ticket] = pending
    scopes = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in request.scopes)
    asks = f"<b>{escape(client.client_id)}</b> asks for:<ul>{scopes or '<li>who you are'}</ul>"
    kept = f'<input type="hidden" name="ticket" value="{ticket}">'
    body = asks + _form(service, kept, hint or service.login_as)
    cookie = {"Set-Cookie": f"consent={ticket}; Path=/; HttpOnly; SameSite=Lax"}
    return _page("Log in", body, headers=cookie)


def device_page(service: Service, request: Request) -> Answer:
    """Show the form on which a device's code is entered, or take the decision (RFC 8628 3.3)."""
    if request.method == "GET":
        asks = "Only continue if you started this login and the code is the one you see."
        attributes = 'name="user_code" autocomplete="off" required'
        user_code = escape(request.query.get("user_code", ""))
        field = f'<label>Code<input {attributes} value="{user_code}"></label>'
        return _page("Connect a device", asks + _form(service, field, service.login_as))
    approved = request.form.get("decision") == "approve"
    user = service.user(request.form.get("user")).id if approved else None
    if not service.grants.decide_device(request.form.get("user_code", ""), user):
        return _page("No such code", "The code is wrong, already used or expired.", 400)
    if not approved:
        return _page("Denied", "The device was not connected.")
    return _page("Connected", "You can close this page and go back to your device.")


def _check(service: Service, client: Client, request: Request) -> None:
    given = request.parameters
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
    request.check_resource()
    if given.get("prompt") == "none" and not service.auto_approve:
        raise OAuthError("login_required", "nobody is logged in")


def _decide(service: Service, request: Request) -> Answer:
    ticket = request.form["ticket"]
    cookie = SimpleCookie(request.headers.get("cookie", "")).get("consent")
    same_browser = cookie is not None and cookie.value == ticket
    pending = service.tickets.pop(ticket, None) if same_browser else None
    if pending is None:
        return _page("Start again", "This page has expired or belongs to another browser.", 400)
    if request.form.get("decision") == "approve":
        return _approve(service, pending, request.form.get("user"))
    return _redirect(service, pending, OAuthError("access_denied", "the user said no").parameters())


def _approve(service: Service, pending: Authorization, user: str | None) -> Answer:
    code = service.grants.open_code(pending, service.user(user).id)
    return _redirect(service, pending, {"code": code})


def _redirect(service: Service, pending: Authorization, result: dict[str, str]) -> Answer:
    sent = {**result, "state": pending.state, "iss": service.issuer, **service.faults.callback}
    query = urlencode({name: value for name, value in sent.items() if value is not None})
    joint = "&" if urlsplit(pending.redirect_uri).query else "?"
    return Answer.redirect(f"{pending.redirect_uri}{joint}{query}")


def _form(service: Service, field: str, hint: str | None) -> str:
    selected = service.user(hint)
    users = "".join(
        f'<option value="{escape(user.id)}"{" selected" if user is selected else ""}>'
        f"{escape(user.name)} ({escape(user.email)})</option>"
        for user in service.users
    )
    # Without an action: it goes to the page's own address, wherever that is routed.
    return f"""<form method="post">{field}
<label>Log in as<select name="user">{users}</select></label>
<button name="decision" value="approve">Allow</button>
<button name="decision" value="deny">Deny</button></form>"""


def _page(title: str, body: str, status: int = 200, headers: Headers | None = None) -> Answer:
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
body {{ margin: 15vh auto; padding: 2rem; max-width: 24rem }}
button, input, select {{ font: inherit; padding: .5rem 1rem; margin-bottom: 1rem; width: 100% }}
</style></head><body><h1>{title}</h1>{body}</body></html>"""
    return Answer.html(page, status, {**_HEADERS, **(headers or {})})
