"""What an API asks for beyond the token that it got: more scopes, or a stronger login.

Challenges (`WWW-Authenticate`), those of RFC 6750 (`insufficient_scope`) and RFC 9470
(`insufficient_user_authentication`) above all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from click_auth.errors import INSUFFICIENT_SCOPE, NotLoggedIn
from click_auth.http.call import host_in

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERRORS = ("insufficient_scope", "insufficient_user_authentication")
_WORD = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749 section 3.3
_MOST_WORDS = 50
# A name begins where no letter stands before it: else a long word takes a time of its square.
_PARAMETER = re.compile(r'(?<![A-Za-z_])([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')


def challenge_parameters(header: str) -> Mapping[str, str]:
    """Return the parameters of a `WWW-Authenticate` header; of several alike the first counts."""
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(header):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or bare)
    return found


def find_step_up(response: Any) -> NotLoggedIn | None:
    """Return the error with the login line that helps, None where *response* asks for no step-up.

    What the API says beside the parameters that a login takes is not quoted.
    """
    asked = challenge_parameters(response.headers.get("www-authenticate", ""))
    if asked.get("error") not in _ERRORS:
        return None
    scopes = _words(asked.get("scope"))
    options = [part for scope in scopes for part in ("--scope", scope)]
    levels, age = _words(asked.get("acr_values")), asked.get("max_age", "")
    if levels:
        options += ["--acr-values", " ".join(levels)]
    if age.isascii() and age.isdecimal():
        options += ["--max-age", str(int(age[:9]))]
    what = f"the permission {', '.join(scopes)}" if scopes else "a stronger login"
    error = NotLoggedIn(f"{host_in(response.request)} requires {what}.", code=INSUFFICIENT_SCOPE)
    error.login_options = tuple(options)
    return error


def _words(text: str | None) -> list[str]:
    """Return the words of a list; nothing of one that holds what no scope has."""
    words = (text or "").split()[:_MOST_WORDS]
    return words if all(map(_WORD.fullmatch, words)) else []
