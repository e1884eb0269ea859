"""The token endpoint: what it is asked for, what it grants, and the end of a grant.

Services leave RFC 6749 a little. What a login may refuse and begin again, a refresh has to take:
the old tokens may be spent already.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from click_auth.defaults import REVOCATION_SECONDS
from click_auth.errors import REFRESH_EXPIRED, REFRESH_UNAVAILABLE, NotLoggedIn
from click_auth.oauth.endpoint import SUCCESS, Client, EndpointFailed, error_code, granted, unusable
from click_auth.record import Hidden, TokenBundle, from_posix, usable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from click_auth.oauth.server import Server

LONGEST_LIFE = 100 * 365.25 * 86400  # seconds; what is said to live longer has no known expiry
FOR_PEOPLE = ("openid", "offline_access")
"""Scopes that mean nothing where no person logs in."""
_REFUSALS = ("invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type")
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]+)?")
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # section 3.3
_KNOWN = ("access_token", "refresh_token", "token_type", "expires_in", "scope", "id_token", "error")
# Ways to send a token (section 7.1). Any other word is a service's own name of what it grants:
# Slack's "bot", eBay's "User Access Token".
_SCHEMES = {"bearer", "dpop", "pop", "mac", "hmac", "n_a", "basic", "digest", "negotiate"}


def request_tokens(
    server: Server,
    client: Client,
    form: Mapping[str, str],
    requested_scopes: tuple[str, ...] | None = None,
    renews: TokenBundle | None = None,
) -> TokenBundle:
    """Return the tokens that the token endpoint grants *client* for *form*.

    *requested_scopes* and *renews* are as in `parse_grant`. Raises `EndpointFailed`.
    """
    facts = server.facts
    body = Hidden({**facts.token_params, **server.request_fields(), **form})
    answer = server.post("token_endpoint", client, body)
    return parse_grant(
        granted(answer, facts.token_response),
        sent_at=answer.sent_at,
        requested_scopes=requested_scopes,
        separator=facts.scope_separator,
        token_type="DPoP" if facts.binds_tokens else "Bearer",
        renews=renews,
    )


def refresh(server: Server, bundle: TokenBundle) -> TokenBundle:
    """Return what one POST yields for the refresh token of *bundle* (RFC 6749 section 6).

    The new bundle has no refresh token where the server did not rotate it. Raises `NotLoggedIn`
    where the grant is dead, `AnswerLost` where the server may have rotated and no status came,
    `Unreachable` for all else.
    """
    if bundle.refresh_token is None:
        message = "There is no refresh token, so the session can't be refreshed."
        raise NotLoggedIn(message, code=REFRESH_UNAVAILABLE, hints=[NotLoggedIn.log_in_again])
    form = Hidden({"grant_type": "refresh_token", "refresh_token": bundle.refresh_token})
    try:
        client = server.known_client()
        if client is not None:
            return request_tokens(server, client, form, renews=bundle)
    except EndpointFailed as error:
        if not server.drop_client(error):
            raise
    # A registered client that is no more, and its grants with it.
    message = f"{server.facts.display_name} no longer knows this application."
    raise NotLoggedIn(message, code=REFRESH_EXPIRED, hints=[NotLoggedIn.log_in_again])


def client_credentials(server: Server, given: Client) -> TokenBundle:
    """Return a token for the client itself. Raises `NotLoggedIn` or `Unreachable`."""
    scopes = tuple(scope for scope in server.facts.scopes if scope not in FOR_PEOPLE)
    form = {"grant_type": "client_credentials", **server.request_fields(scopes)}
    try:
        return request_tokens(server, server.with_method(given), form, scopes)
    except EndpointFailed as error:
        if error.error in _REFUSALS:
            message = f"The client credentials were rejected: {error.reason}."
            raise NotLoggedIn(message, hints=["Check the client ID and secret."]) from None
        raise error.as_refresh_error("check the client ID and secret") from None


def revoke(server: Server, bundle: TokenBundle) -> bool | None:
    """Revoke both tokens of *bundle* (RFC 7009), the one that can make new ones first.

    Returns False when a token may still be valid, None where the server revokes nothing. Raises
    `EndpointFailed` where the server can't be asked for its endpoints.
    """
    server.limit(REVOCATION_SECONDS)
    if server.offered("revocation_endpoint") is None:
        return None
    client = server.known_client()
    if client is None:
        return False
    hints = [hint for hint in ("refresh_token", "access_token") if getattr(bundle, hint)]
    gone = [_is_gone(server, client, hint, bundle) for hint in hints]
    return all(gone)


def _is_gone(server: Server, client: Client, hint: str, bundle: TokenBundle) -> bool:
    form = Hidden({"token": getattr(bundle, hint), "token_type_hint": hint})
    try:
        answer = server.post("revocation_endpoint", client, form)
    except EndpointFailed:
        return False
    # Some call it an error that the token is invalid already; section 2.2 does not.
    return answer.status in SUCCESS or error_code(answer) == "invalid_token"


def parse_grant(
    document: Mapping[str, Any],
    *,
    sent_at: float,
    requested_scopes: tuple[str, ...] | None = None,
    separator: str = " ",
    token_type: str = "Bearer",  # noqa: S107 - no password
    renews: TokenBundle | None = None,
) -> TokenBundle:
    """Return the tokens that a token endpoint's response grants (RFC 6749 section 5.1).

    Null and "" are as good as absent, but for an empty scope: then nothing is granted.
    *requested_scopes* are granted where the response names none. *renews* is what a refresh renews:
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
        raise unusable(f"the server sent no usable {name}")
    return secret


def expiry(lives: object, sent_at: float = 0.0) -> float | None:
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
        raise unusable(f"the server sent a token that is not of type {expected}")


def _refresh_token(token: object, renews: TokenBundle | None) -> str | None:
    if token in (None, "") or (renews is not None and usable(token) is None):
        return None  # a refresh goes on with the one that there is
    return usable_token(token, "refresh token")


def _scopes(
    scope: object, requested: tuple[str, ...] | None, separator: str, renews: TokenBundle | None
) -> tuple[str, ...] | None:
    if isinstance(scope, list) and all(isinstance(name, str) for name in scope):
        scope = separator.join(scope)  # Twitch
    names = scope.replace(separator, " ").split() if isinstance(scope, str) else [""]
    if all(SCOPE.fullmatch(name) for name in names):
        return tuple(dict.fromkeys(names))
    if scope is not None and renews is None:
        raise unusable("the server sent invalid scopes")
    return requested if renews is None else renews.scopes
