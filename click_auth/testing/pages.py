"""The few pages that a person sees; nothing in them comes from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from click_auth.testing.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from click_auth.testing.parties import User

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --back: #eef0f3; --blue: #2459c7 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --paper: #24262b; --back: #16181c; --blue: #6d9bff }
}
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: var(--back); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { background: var(--paper); padding: 2rem; border-radius: 12px; width: min(22rem, 80vw) }
h1 { font-size: 1.25rem; margin-top: 0 }
button, select, input { font: inherit; padding: .5rem 1rem; border-radius: 8px;
  border: 1px solid var(--blue); color: inherit; background: transparent; box-sizing: border-box }
select, input { width: 100%; margin: .25rem 0 1rem }
button[value=approve] { background: var(--blue); color: var(--paper) }
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


def notice(title: str, text: str, status: int = 200) -> Answer:
    """Return a page that only says something."""
    return _page(title, f"<p>{escape(text)}</p>", status)


def consent(
    client_id: str, scopes: Iterable[str], users: Iterable[User], chosen: User, ticket: str
) -> Answer:
    """Return the page that asks whether a client may have what it asks for."""
    asks = f"<p><b>{escape(client_id)}</b> asks for:</p>{_items(scopes)}"
    form = _form("/consent", {"ticket": ticket}, _users(users, chosen) + _BUTTONS)
    return _page("Log in", asks + form, cookie=f"consent={ticket}; Path=/; HttpOnly; SameSite=Lax")


def device(user_code: str, users: Iterable[User], chosen: User) -> Answer:
    """Return the page on which a device's code is entered and approved (RFC 8628 3.3)."""
    code = (
        '<label>Code<input name="user_code" autocomplete="off" required '
        f'value="{escape(user_code)}"></label>'
    )
    warning = "<p>Go on only if you started this yourself and the code is the one you see.</p>"
    form = _form("/device", {}, code + _users(users, chosen) + _BUTTONS)
    return _page("Connect a device", warning + form)


_BUTTONS = (
    '<button name="decision" value="approve">Allow</button> '
    '<button name="decision" value="deny">Deny</button>'
)


def _page(title: str, body: str, status: int = 200, cookie: str | None = None) -> Answer:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    own = _HEADERS if cookie is None else {**_HEADERS, "Set-Cookie": cookie}
    return Answer.html(text, status, own)


def _form(action: str, hidden: Mapping[str, str], inner: str) -> str:
    kept = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in hidden.items()
    )
    return f'<form method="post" action="{action}">{kept}{inner}</form>'


def _users(users: Iterable[User], chosen: User) -> str:
    options = "".join(
        f'<option value="{escape(user.id)}"{" selected" if user is chosen else ""}>'
        f"{escape(user.name)} ({escape(user.email)})</option>"
        for user in users
    )
    return f'<label>Log in as<select name="user">{options}</select></label>'


def _items(scopes: Iterable[str]) -> str:
    items = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in scopes)
    return f"<ul>{items}</ul>" if items else "<p>who you are</p>"
