"""What a person pastes while a login waits: the URL of the redirect, or the bare code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from click_auth.login.keyboard import strip_control
from click_auth.providers.authorization import OtherIssuer, StrayCallback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.providers.authorization import AuthorizationRequest, AuthorizationResponse

_SHORTEST_CODE = 6
_AMPERSANDS = re.compile(r"&(?:amp;|#38;|#x26;)+|\\u0026", re.IGNORECASE)
_NOT_IN_URLS = re.compile(r'(?:[^!-~]|["<>\\`])+')  # nor in a query as browsers show it
_ADDRESS = re.compile(r"\W*(?:https?:|localhost[:/]|127\.\d|\[::1)", re.IGNORECASE)
_STARTS = re.compile(r"[?#]|^(?=\w+=)")
_QUERY = re.compile(r"(?:^|&)(?:code|state|error)=")
_HERE = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?![^:/])")
_ISSUER_HERE = re.compile(
    r"(?<=iss=)http(?::|%3A)(?://|%2F%2F)(?:localhost|127\.0\.0\.1|(?:\[|%5B)(?:::|%3A%3A)1(?:]|%5D))"
    r"(?=%3A|%2F|[:/&]|$)",
    re.IGNORECASE,
)
_AFTERWARDS = ".,;:!)]'*"
_MOST_QUERIES = 20  # of one word: a URL within a URL within a URL
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")


class WrongPaste(Exception):
    """What was pasted is of no use, and why: one sentence."""


def parse_paste(text: str, request: AuthorizationRequest) -> AuthorizationResponse | None:
    """Return the response that a person pasted, None for nothing but empty lines.

    *text* holds the URL of the redirect or its query, with whatever else stands around it, or
    is the bare code. The state and the code verifier bind the response to this login, so where the
    browser says that it was does not matter. Raises `WrongPaste` for everything else, the response
    of another issuer included, and `LoginFailed` when it is the response and the server says no.
    """
    line = _AMPERSANDS.sub("&", strip_control(text)).strip()
    here = _HERE.match(request.issuer or "")  # what renames this machine does so everywhere
    wrong: str | None = None
    for query in _find_queries(line, request.state):
        try:
            return request.answered_by(_ISSUER_HERE.sub(here[0], query) if here else query)
        except StrayCallback as stray:  # noqa: PERF203 - each of them may be the one
            wrong = wrong or f"That is {stray}."
        except OtherIssuer as other:
            wrong = wrong or other.message
    if wrong is None and _ADDRESS.match(line):
        wrong = f"Paste the URL your browser ends up on; it starts with {request.redirect_uri}."
    if wrong is not None:
        raise WrongPaste(wrong)
    return request.answered_with(_parse_code(line.strip("'\"<>`"), request)) if line else None


def _find_queries(text: str, state: str) -> Iterator[str]:
    """Yield what may be the query of the redirect, the likeliest first.

    A URL may be wrapped into lines, stand among words, in quotes or in HTML, be encoded to
    travel within another URL, or be there twice.
    """
    junk = re.compile(rf"(?<=state={re.escape(state)})[^&]*")  # what was typed right behind it
    lines = [line.strip() for line in text.splitlines()]
    forms = [text, "".join(lines), _NOT_IN_URLS.sub("", text)]
    if not any(map(_NOT_IN_URLS.search, lines)):  # wrapped: one of them alone may end too early
        forms.reverse()
    for form in forms:
        for readable in (form, unquote(form), unquote(unquote(form))):
            for word in _NOT_IN_URLS.split(readable):
                starts = [found.end() for found in _STARTS.finditer(word)]
                for start in starts[:_MOST_QUERIES]:
                    query = word[start:].partition("#")[0].rstrip(_AFTERWARDS)
                    if _QUERY.search(query):
                        yield junk.sub("", query)


def is_address(text: str) -> bool:
    """Return whether *text* may be a URL or a piece of one, and is more than a code."""
    return "=" in text or _ADDRESS.match(text) is not None


def _parse_code(line: str, request: AuthorizationRequest) -> str:
    """Return the code. It does not say who sent it: not enough where that was promised."""
    if len(line) < _SHORTEST_CODE or not all("!" <= character <= "~" for character in line):
        raise WrongPaste("That doesn't look like the redirect URL or a code.")
    if request.iss_required:
        raise WrongPaste("This server needs the whole URL, not just the code.")
    return unquote(line) if _ESCAPED.search(line) else line
