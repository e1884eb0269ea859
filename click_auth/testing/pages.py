"""The few pages that a person sees; nothing in them comes from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from click_auth.testing.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click_auth.testing.grants import Grant
    from click_auth.testing.parties import User

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
body {{ margin: 15vh auto; padding: 2rem; max-width: 24rem }}
button, input, select {{ font: inherit; padding: .5rem 1rem; margin-bottom: 1rem; width: 100% }}
</style></head><body><h1>{title}</h1>{body}</body></html>"""
# Without an action: it goes to the page's own address, wherever that is routed.
_FORM = """{intro}<form method="post">{fields}
<label>Log in as<select name="user">{options}</select></label>
<button name="decision" value="approve">Allow</button>
<button name="decision" value="deny">Deny</button></form>"""


def notice(title: str, text: str, status: int = 200) -> Answer:
    """Return a page that only says something."""
    return _page(title, f"<p>{escape(text)}</p>", status)


def consent(grant: Grant, ticket: str, users: Iterable[User], chosen: User) -> Answer:
    """Return the page that asks whether a client may have what it asks for."""
    items = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in grant.scopes)
    asks = f"<p><b>{escape(grant.client_id)}</b> asks for:</p><ul>{items or '<li>who you are'}</ul>"
    kept = f'<input type="hidden" name="ticket" value="{ticket}">'
    body = _FORM.format(intro=asks, fields=kept, options=_options(users, chosen))
    return _page("Log in", body, cookie=f"consent={ticket}; Path=/; HttpOnly; SameSite=Lax")


def device(user_code: str, users: Iterable[User], chosen: User) -> Answer:
    """Return the page on which a device's code is entered and approved (RFC 8628 3.3)."""
    warning = "<p>Go on only if you started this yourself and the code is the one you see.</p>"
    value = f'value="{escape(user_code)}"'
    code = f'<label>Code<input name="user_code" autocomplete="off" required {value}></label>'
    body = _FORM.format(intro=warning, fields=code, options=_options(users, chosen))
    return _page("Connect a device", body)


def _page(title: str, body: str, status: int = 200, cookie: str | None = None) -> Answer:
    headers = _HEADERS if cookie is None else {**_HEADERS, "Set-Cookie": cookie}
    return Answer.html(_PAGE.format(title=escape(title), body=body), status, headers)


def _options(users: Iterable[User], chosen: User) -> str:
    return "".join(
        f'<option value="{escape(user.id)}"{" selected" if user is chosen else ""}>'
        f"{escape(user.name)} ({escape(user.email)})</option>"
        for user in users
    )
