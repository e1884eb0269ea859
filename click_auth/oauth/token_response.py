"""What a token endpoint's answer grants: the one place where JSON becomes tokens or an error.

Services leave RFC 6749 a little. What a login may refuse and begin again, a refresh has to take:
the old tokens may be spent already.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from click_auth.oauth.endpoint import SUCCESS, EndpointFailed
from click_auth.tokens import TokenBundle, from_posix, usable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LONGEST_LIFE = 100 * 365.25 * 86400  # seconds; what is said to live longer has no known expiry
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]+)?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # section 3.3
_KNOWN = ("access_token", "refresh_token", "token_type", "expires_in", "scope", "id_token", "error")
# Ways to send a token (section 7.1). Any other word is a service's own name of what it grants:
# Slack's "bot", eBay's "User Access Token".
_SCHEMES = {"bearer", "dpop", "pop", "mac", "hmac", "n_a", "basic", "digest", "negotiate"}


def bundle_from(
    document: Mapping[str, Any],
    *,
    sent_at: float,
    requested_scopes: tuple[str, ...] | None = None,
    separator: str = " ",
    token_type: str = "Bearer",  # noqa: S107 - no password
    renews: TokenBundle | None = None,
) -> TokenBundle:
    """Return the tokens that a token endpoint's answer grants (RFC 6749 section 5.1).

    Null and "" are as good as absent, but for an empty scope: then nothing is granted.
    *requested_scopes* are granted where the answer names none. *renews* is what a refresh renews:
    whatever cannot be understood beside the new access token falls back to it.
    Raises `EndpointFailed`.
    """
    _check_type(document.get("token_type"), token_type, renews)
    access_token = usable_token(document.get("access_token"), "access token")
    lives = document.get("refresh_token_expires_in", document.get("refresh_expires_in"))
    id_token = document.get("id_token")
    return TokenBundle(
        access_token,
        _refresh_token(document.get("refresh_token"), renews),
        _expires_at(document.get("expires_in"), sent_at, renews),
        from_posix(expiry(lives, sent_at)),
        _scopes(document.get("scope"), requested_scopes, separator, renews),
        token_type,
        id_token if isinstance(id_token, str) and id_token else None,
        {name: value for name, value in document.items() if name not in _KNOWN},
    )


def usable_token(token: object, name: str) -> str:
    """Return *token* if it is one that can be sent: printable ASCII. Raises `EndpointFailed`."""
    secret = usable(token)
    if secret is None:
        raise _unusable(f"no usable {name}")
    return secret


def expiry(lives: object, sent_at: float) -> float | None:
    """Return when what *lives* so many seconds ends, or None where it does not say clearly."""
    if isinstance(lives, bool) or not isinstance(lives, (int, float, str)):
        return None
    if isinstance(lives, str) and _NUMBER.fullmatch(lives) is None:
        return None
    try:
        seconds = float(lives)
    except OverflowError:
        return None
    return sent_at + seconds if 0 < seconds <= LONGEST_LIFE else None


def _expires_at(lives: object, sent_at: float, renews: TokenBundle | None) -> datetime | None:
    """Return when the access token expires, None where that is not known: 0 and null say so.

    What a refresh says unclearly is no reason to forget an expiry that is still to come.
    """
    known = None if renews is None or lives in (None, "", 0) else renews.expires_at
    is_to_come = known is not None and known.timestamp() > sent_at
    return from_posix(expiry(lives, sent_at)) or (known if is_to_come else None)


def _check_type(kind: object, expected: str, renews: TokenBundle | None) -> None:
    is_odd = kind is not None and not isinstance(kind, str)
    is_other = str(kind).strip().lower() in _SCHEMES - {expected.lower()}
    if is_other or (is_odd and renews is None):
        raise _unusable(f"a token that is not of type {expected}")


def _refresh_token(token: object, renews: TokenBundle | None) -> str | None:
    if token in (None, "") or (renews is not None and usable(token) is None):
        return None  # a refresh goes on with the one that there is
    return usable_token(token, "refresh token")


def _scopes(
    scope: object,
    requested: tuple[str, ...] | None,
    separator: str,
    renews: TokenBundle | None,
) -> tuple[str, ...] | None:
    if isinstance(scope, list) and all(isinstance(name, str) for name in scope):
        scope = separator.join(scope)  # Twitch
    names = scope.replace(separator, " ").split() if isinstance(scope, str) else [""]
    if all(_SCOPE.fullmatch(name) for name in names):
        return tuple(dict.fromkeys(names))
    if scope is not None and renews is None:
        raise _unusable("scopes that cannot be read")
    return requested if renews is None else renews.scopes


def _unusable(what: str) -> EndpointFailed:
    return EndpointFailed(f"the server answered with {what}", status=SUCCESS[0], answered=True)
