"""The page that the browser is left with: what happened, and what to do next.

One self-contained document: nothing is loaded, nothing of the request is in it, everything that
comes from elsewhere is escaped, and no script is needed. The one script there is takes the code
out of the address bar.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from http import HTTPStatus
from string import Template
from typing import TYPE_CHECKING

from click_auth.arguments import PageContext, PageStyle
from click_auth.console import console

if TYPE_CHECKING:
    from collections.abc import Callable

    Page = Callable[[PageContext], str] | PageStyle | None
    """An application's own page, or how the built-in one looks."""

_CLEAN_ADDRESS = 'history.replaceState(null,"",location.pathname)'
_TONES = {
    True: ("good", "M20 33l8.5 8.5L45 24", "You can close this page and return to your terminal."),
    False: ("bad", "M23 23l18 18M41 23L23 41", "Check your terminal for what to do next."),
    None: ("open", "M32 19v14l9 6", "Check your terminal to see how it went."),
}
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Connection": "close",
    "Allow": "GET",
}
_POLICY = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; script-src {script}; style-src {styles}"
)


# In a module and no data file: frozen programs bring modules.
_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5c6470; --paper: #fff; --back: #f1f3f6;
  --line: #e1e5ea; --good: #17794a; --bad: #bf2c32; --open: #2b5fc4 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eceef2; --soft: #a3abb8; --paper: #1d2026; --back: #121418; --line: #2e333c;
    --good: #55cd8f; --bad: #ff8085; --open: #84aeff }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--back); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Ubuntu, sans-serif }
main { width: 100%; max-width: 27rem; padding: 2.75rem 2.5rem 0; text-align: center;
  background: var(--paper); border: 1px solid var(--line); border-radius: 1rem; overflow: hidden;
  box-shadow: 0 1px 2px rgb(0 0 0 / .04), 0 12px 32px rgb(0 0 0 / .07) }
svg { display: block; width: 4rem; height: 4rem; margin: 0 auto 1.5rem; color: var(--$tone);
  fill: none; stroke: currentColor; stroke-width: 4; stroke-linecap: round; stroke-linejoin: round }
circle { fill: currentColor; fill-opacity: .12; stroke: none }
.logo { width: 3rem; height: 3rem; margin-bottom: 1rem; object-fit: contain }
h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em;
  text-wrap: balance }
p { margin: 0; overflow-wrap: anywhere; text-wrap: pretty }
.app, .what { color: var(--soft) } .app { margin-bottom: .35rem; font-weight: 600 }
.next { margin: 2.25rem -2.5rem 0; padding: 1.1rem 2.5rem; font-size: .95rem; font-weight: 500;
  text-wrap: balance; white-space: pre-line; border-top: 1px solid var(--line);
  background: var(--back) }
$accent</style></head>
<body><main>
$logo<svg viewBox="0 0 64 64" aria-hidden="true">
  <circle cx="32" cy="32" r="32"/><path d="$icon"/></svg>
<p class="app">$app</p>
<h1>$title</h1>
<p class="what">$message</p>
<p class="next">$next</p>
</main></body></html>
"""


def render(context: PageContext, style: PageStyle | None = None) -> str:
    """Return the built-in page for *context*, in the application's *style* if it has one."""
    tone, icon, what_next = _TONES[context.success]
    style = style or PageStyle()
    svg = base64.b64encode(style.logo_svg.encode()).decode()
    return Template(_PAGE).substitute(
        tone=tone,
        icon=icon,
        accent=f"main {{ border-top: .3rem solid {style.accent} }}\n" if style.accent else "",
        # As an image: in one a browser runs no script and loads nothing.
        logo=f'<img class="logo" alt="" src="data:image/svg+xml;base64,{svg}">\n' if svg else "",
        next=escape(context.next or what_next),
        app=escape(style.name or context.app_name),
        title=escape(context.title, quote=False),
        message=escape(context.message),
    )


def outcome(
    app_name: str,
    success: bool,  # noqa: FBT001 - as `LoginUI.finish` has it
    message: str | None = None,
    what_next: str = "",
    page: Page = None,
) -> bytes:
    """Return the whole response to the browser that brought the response of a login.

    A *page* that the application makes is a whole document. Inline `<style>` elements and `data:`
    images work in it; scripts, `style` attributes and anything loaded do not. Where making it
    fails, the built-in page is shown.
    """
    title = "You're logged in" if success else "Login failed"
    text = message or (f"{app_name} is ready." if success else "Nothing was stored.")
    context = PageContext(app_name, success, title, text, what_next)
    status = HTTPStatus.OK if success else HTTPStatus.BAD_REQUEST
    try:
        return reply(page(context) if callable(page) else render(context, page), status)
    except Exception as error:  # noqa: BLE001 - the application's; the login stands
        console.current().warn(f"The application's page failed: {type(error).__name__}.")
        return reply(render(context), status)


def undecided(page: Page = None, again: str | None = None) -> bytes:
    """Return the response to a browser that cannot be kept waiting for the outcome any longer.

    It goes to *again* by itself, where the outcome is to be had.
    """
    what_next, refresh = "", {}
    if again is not None:
        what_next, refresh = "This page updates by itself.", {"Refresh": f"1; url={again}"}
    title, message = "Finishing your login...", "Your terminal received the response."
    context = PageContext("", None, title, message, what_next)
    return reply(render(context, None if callable(page) else page), HTTPStatus.OK, **refresh)


def refusal(status: HTTPStatus) -> bytes:
    """Return the response to a request that is not the redirect of this login."""
    message = "This isn't the response your terminal is waiting for."
    html = render(PageContext("", success=False, title=status.phrase, message=message))
    return reply(html, status)


def reply(html: str, status: HTTPStatus, **more: str) -> bytes:
    """Return a response that shows *html* and ends the connection; *more* headers go along."""
    body = f"{html.rstrip()}\n<script>{_CLEAN_ADDRESS}</script>\n".encode("utf-8", "replace")
    styles = re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL | re.IGNORECASE)
    headers = {
        **_HEADERS,
        **more,
        "Content-Length": str(len(body)),
        "Content-Security-Policy": _POLICY.format(
            script=_hash(_CLEAN_ADDRESS), styles=" ".join(map(_hash, styles)) or "'none'"
        ),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n".encode("ascii") + body


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
