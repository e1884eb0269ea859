"""What an API asks for beyond the token that it got: more scopes, or a stronger login.

The challenges of RFC 6750 (`insufficient_scope`) and RFC 9470 (`insufficient_user_authentication`).
"""

from __future__ import annotations

import re
from typing import Any

from click_auth.errors import INSUFFICIENT_SCOPE, NotLoggedIn
from click_auth.http.call import challenge_parameters, host_in

_ERRORS = ("insufficient_scope", "insufficient_user_authentication")
_WORD = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749 section 3.3
_MOST_WORDS = 50


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
