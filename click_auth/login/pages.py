"""The page that the browser is left with: what happened, and what to do next.

One self-contained document: nothing is loaded, nothing of the request is in it, everything that
comes from elsewhere is escaped, and no script is needed. The one script there is takes the code
out of the address bar.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from string import Template
from typing import TYPE_CHECKING

from click_auth.login.page import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

_CLEAN_ADDRESS = 'history.replaceState(null,"",location.pathname)'
_TONES = {
    True: ("good", "You can close this page and go back to the terminal."),
    False: ("bad", "Go back to the terminal: it says what to do next."),
    None: ("open", "Go back to the terminal to see how it went."),
}
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Connection": "close",
}
_POLICY = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; script-src {script}; style-src {styles}"
)


@dataclass(frozen=True)
class PageContext:
    """What a page has to say. `success` is None while the outcome is not known.

    Plain text throughout: whoever puts it into HTML escapes it.
    """

    app_name: str
    success: bool | None
    title: str
    message: str


def render(context: PageContext) -> str:
    """Return the built-in page for *context*."""
    tone, what_next = _TONES[context.success]
    return Template(PAGE).substitute(
        tone=tone,
        next=what_next,
        app=escape(context.app_name),
        title=escape(context.title),
        message=escape(context.message),
    )


def outcome(
    app_name: str,
    *,
    success: bool,
    message: str | None = None,
    page: Callable[[PageContext], str] | None = None,
) -> bytes:
    """Return the whole answer to the browser that brought the answer of a login.

    *page* is an application's own look: it returns a whole document. Inline `<style>` elements
    and `data:` images work in it; scripts, `style` attributes and anything loaded do not.
    """
    title = "You are logged in" if success else "The login failed"
    text = message or (f"{app_name} is ready." if success else "Nothing was stored.")
    html = (page or render)(PageContext(app_name, success, title, text))
    return reply(html, HTTPStatus.OK if success else HTTPStatus.BAD_REQUEST)


def undecided() -> bytes:
    """Return the answer to a browser that cannot be kept waiting for the outcome any longer."""
    message = "Your answer has arrived, and the login is being completed."
    return reply(render(PageContext("", None, "Almost there", message)), HTTPStatus.OK)


def refusal(status: HTTPStatus) -> bytes:
    """Return the answer to a request that is not the redirect of this login."""
    if status is HTTPStatus.BAD_REQUEST:
        message = "This is not the answer to the login that the terminal waits for."
    else:
        message = "There is nothing to see at this address."
    html = render(PageContext("", success=False, title=status.phrase, message=message))
    return reply(html, status)


def reply(html: str, status: HTTPStatus) -> bytes:
    """Return a response that shows *html* and ends the connection."""
    body = f"{html.rstrip()}\n<script>{_CLEAN_ADDRESS}</script>\n".encode("utf-8", "replace")
    styles = re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL | re.IGNORECASE)
    headers = {
        **_HEADERS,
        "Content-Length": str(len(body)),
        "Content-Security-Policy": _POLICY.format(
            script=_hash(_CLEAN_ADDRESS), styles=" ".join(map(_hash, styles)) or "'none'"
        ),
    }
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET"
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n".encode("ascii") + body


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
