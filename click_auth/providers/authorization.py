"""The typed handshake of an authorization request: request -> response -> tokens.

A response exists only for the request that it responds to: state, issuer and redirect URI are
checked on the way from the one type to the other. And the random values that bind the two:
Proof Key for Code Exchange (RFC 7636), S256 only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from click_auth.console.text import printable
from click_auth.errors import LoginFailed
from click_auth.record import Unpickled

_MOST_FIELDS = 50
_MOST_EXTRA = 20
_LONGEST_EXTRA = 1000  # characters
_ONCE = ("code", "state", "iss", "error")
_STANDARD = frozenset({*_ONCE, "error_description", "error_uri"})
_IMPLICIT = ("access_token", "id_token", "token", "response")


def random_text() -> str:
    """Return a new code verifier (section 4.1), `state` or `nonce`.

    43 unreserved characters, 256 random bits.
    """
    return secrets.token_urlsafe(32)


def code_challenge(verifier: str) -> str:
    """Return the S256 code challenge of *verifier* (section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


class StrayCallback(Exception):
    """A request to the redirect URI that is not the response to this login."""


class OtherIssuer(LoginFailed):
    """The response is not from the authorization server that was asked (RFC 9207)."""


@dataclass(frozen=True)
class AuthorizationResponse(Unpickled):
    """The server's response to one `AuthorizationRequest`: a code, still to be exchanged.

    `extra` is what the redirect brought beyond the standard parameters (QuickBooks' `realmId`):
    at most 20 texts, inert. It has come through the browser: a hint, and no proof of anything.
    """

    code: str = field(repr=False)
    redirect_uri: str
    iss: str | None = None
    extra: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class AuthorizationRequest(Unpickled):
    """One authorization request (RFC 6749 section 4.1.1) and the secrets that bind its response.

    `issuer` is whom the response must name in `iss` (RFC 9207), None where the issuer is not
    known; `iss_required` says that the server promised to name itself.
    """

    url: str = field(repr=False)
    redirect_uri: str
    state: str = field(repr=False)
    code_verifier: str = field(repr=False)
    nonce: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    issuer: str | None = None
    iss_required: bool = False

    def answered_by(self, query: str) -> AuthorizationResponse:
        """Return the response that the redirect's *query* carries.

        Raises `StrayCallback` for whatever is not the response to this request: it must not end
        the login. Raises `LoginFailed` when it is and the server says no.
        """
        values = _parsed(query)
        if not hmac.compare_digest(values.get("state", "").encode(), self.state.encode()):
            error = values.get("error")
            quoted = f" (error: {printable(error, 60)})" if error else ""
            raise StrayCallback(f"a response that doesn't belong to this login{quoted}")
        self._check_issuer(values.get("iss"))
        if "error" in values:
            said = {name: text.replace(self.state, "[hidden]") for name, text in values.items()}
            raise refusal(said)
        if not values.get("code"):
            raise StrayCallback("a response without a code")
        iss = values.get("iss")
        return AuthorizationResponse(values["code"], self.redirect_uri, iss, _extra(values))

    def answered_with(self, code: str) -> AuthorizationResponse:
        """Return the response for a bare *code* that the person pasted.

        There is no state to compare; the code verifier still binds the code to this login.
        """
        return AuthorizationResponse(code, self.redirect_uri)

    def _check_issuer(self, iss: str | None) -> None:
        if iss is None and self.iss_required:
            message = "The response doesn't name its authorization server, as this server promises."
        elif iss is not None and self.issuer not in (None, iss):
            message = "The response came from a different authorization server than expected."
        else:
            return
        raise OtherIssuer(message, hints=["Nothing was stored. Log in again."])


def _extra(values: dict[str, str]) -> dict[str, str]:
    """Return what *values* hold beyond the standard; cut short it would be another value."""
    fits = (pair for pair in values.items() if len("".join(pair)) <= _LONGEST_EXTRA)
    others = [
        (printable(n), printable(value, _LONGEST_EXTRA)) for n, value in fits if n not in _STANDARD
    ]
    return dict(others[:_MOST_EXTRA])


def refusal(values: dict[str, str]) -> LoginFailed:
    """Return the error for an authorization error response (RFC 6749 section 4.1.2.1)."""
    error = printable(values["error"], 60)
    if error == "access_denied":
        message = "You declined the request in the browser."
        return LoginFailed(message, hints=[LoginFailed.if_a_mistake])
    details = printable(values.get("error_description", ""))
    said = f"{error} ({details})" if details else error
    return LoginFailed(f"The server rejected the login: {said}.")


def _parsed(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise StrayCallback("an unreadable response") from None
    names = [name for name, _ in pairs]
    if any(names.count(name) > 1 for name in _ONCE) or {"code", "error"} <= set(names):
        raise StrayCallback("a response with duplicate parameters")
    if any(name in names for name in _IMPLICIT) or any("\0" in value for _, value in pairs):
        raise StrayCallback("an unexpected kind of response")
    return dict(pairs)
