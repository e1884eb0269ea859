"""What an authorization server answers: the one place where bytes become tokens or an error."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_plus, urlencode

from click_auth.errors import (
    REFRESH_EXPIRED,
    TOKEN_EXCHANGE_FAILED,
    AnswerLost,
    AuthError,
    LoginFailed,
    NotLoggedIn,
    Unreachable,
)
from click_auth.http import Answer, Call, Http, TransportFailed
from click_auth.providers.strict_json import parsed
from click_auth.text import inert
from click_auth.tokens import TokenBundle, from_posix
from click_auth.urls import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SUCCESS = (200, 201)
LONGEST_LIFE = 100 * 365.25 * 86400  # seconds; what is said to live longer has no known expiry
LONGEST_RETRY_AFTER = 3600.0  # seconds
_NOT_HERE = frozenset({404, 405, 410, *range(300, 400)})
_SECRETS = ("client_secret", "code", "code_verifier", "device_code", "refresh_token", "token")
_TOKEN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")  # RFC 6749 appendix A.12
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]+)?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # section 3.3
_KNOWN = ("access_token", "refresh_token", "token_type", "expires_in", "scope", "id_token", "error")


class EndpointFailed(Exception):
    """An endpoint gave no usable answer. *reason* is inert and holds no secret.

    `error` is the code that the server named, for comparing only; `status` is None where none
    came; `lost` says that the server may have done what it was asked, `unsent` that nothing was
    sent. `retry_after` is in seconds, `headers` are those of the answer. Never leaves this package.
    """

    def __init__(
        self,
        reason: str,
        *,
        error: str | None = None,
        status: int | None = None,
        lost: bool = False,
        unsent: bool = False,
        retry_after: float | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.status = status
        self.lost = lost
        self.unsent = unsent
        self.retry_after = retry_after
        self.headers = headers

    @property
    def not_here(self) -> bool:
        """Whether nothing was done because the endpoint is not at this URL, or no more."""
        return self.unsent or self.status in _NOT_HERE

    @property
    def rejects_client(self) -> bool:
        """Whether the server knows no such client (RFC 6749 section 5.2); some misname it."""
        known = ("invalid_client", self.status), ("unauthorized_client", 401)
        return (self.error, self.status) in known

    def as_login_error(self, code: str = TOKEN_EXCHANGE_FAILED) -> LoginFailed:
        """Return the error of a login that ends here."""
        advice = "Start the login again." if self.retry_after is None else self._advice
        hints = [f"Nothing was stored. {advice}"]
        return LoginFailed(f"The login failed: {self.reason}.", code=code, hints=hints)

    def as_refresh_error(self) -> AuthError:
        """Return what a refresh raises: the grant is dead, or nothing is known about it."""
        if self.error == "invalid_grant":
            message = f"The login has expired or was revoked: {self.reason}."
            return NotLoggedIn(message, code=REFRESH_EXPIRED, hints=["Log in again."])
        kind = AnswerLost if self.lost else Unreachable
        failed = kind(f"The token could not be refreshed: {self.reason}.", hints=[self._advice])
        failed.retry_after = self.retry_after
        return failed

    @property
    def _advice(self) -> str:
        if self.retry_after is None:
            return "Try again later."
        return f"Try again in {self.retry_after:.0f} seconds."


class Granted(NamedTuple):
    """The JSON object of a successful answer, and when it was asked for, in POSIX seconds."""

    document: dict[str, Any]
    sent_at: float


def ask(http: Http, call: Call, timeout: float) -> Answer:
    """Return the answer to *call*, whatever its status. Raises `EndpointFailed`."""
    try:
        return http.call(call, timeout=timeout)
    except TransportFailed as gone:
        failed = EndpointFailed(gone.reason, status=gone.status, lost=gone.lost, unsent=gone.unsent)
    raise failed


def post_form(
    http: Http,
    url: str,
    form: Mapping[str, str],
    *,
    timeout: float,
    headers: Mapping[str, str] = MappingProxyType({}),
    secrets: Iterable[str] = (),
) -> Granted:
    """Return the JSON object with which an endpoint grants a form-encoded request.

    *secrets* are hidden where the server quotes them, beside those of *form*. Raises
    `EndpointFailed` for everything else: errors at any status, and what is no JSON.
    """
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ask(http, Call(url, urlencode(form).encode("ascii"), {**headers, **kind}), timeout)
    sent = [value for name, value in form.items() if name in _SECRETS]
    return Granted(granted(answer, host_of(url), [*sent, *secrets]), answer.sent_at)


def granted(answer: Answer, host: str, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON object of a successful *answer*.

    Raises `EndpointFailed`: whatever it quotes of the answer is inert and free of *secrets*.
    """
    retry_after = retry_after_seconds(answer.headers.get("retry-after"))
    try:
        document = parsed(answer.body)
    except ValueError as problem:
        reason = f"{host} answered with status {answer.status} and {problem}"
        failed = EndpointFailed(reason, status=answer.status, retry_after=retry_after)
    else:
        if answer.status in SUCCESS and document.get("error") in (None, ""):
            return document
        reason = f"{host} answered {_said(document, answer.status, list(filter(None, secrets)))}"
        failed = EndpointFailed(
            reason,
            error=_text(document, "error") or None,
            status=answer.status,
            retry_after=retry_after,
            headers=answer.headers,
        )
    raise failed


def error_code(answer: Answer) -> str | None:
    """Return the error that *answer* names, if it is one that can be read. Never shown."""
    try:
        return _text(parsed(answer.body), "error") or None
    except ValueError:
        return None


def _said(document: Mapping[str, Any], status: int, secrets: Sequence[str]) -> str:
    error = inert(without(_text(document, "error"), secrets), 60)
    details = inert(without(_text(document, "error_description"), secrets))
    said = error or f"with an error and status {status}"
    return f"{said} ({details})" if details else said


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def without(text: str, secrets: Iterable[str]) -> str:
    """Return *text* with each of *secrets* hidden, encoded as in a URL or a form too."""
    for secret in secrets:
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(form, "[hidden]")
    return text


def bundle_from(
    document: Mapping[str, Any],
    *,
    sent_at: float,
    requested_scopes: tuple[str, ...] | None = None,
    separator: str = " ",
    token_type: str = "Bearer",  # noqa: S107 - no password
) -> TokenBundle:
    """Return the tokens that a token endpoint's answer grants (RFC 6749 section 5.1).

    *requested_scopes* are granted where the answer names none. Raises `EndpointFailed`.
    """
    kind = document.get("token_type")
    if not isinstance(kind, str) or kind.lower() != token_type.lower():
        raise _unusable(f"a token that is not of type {token_type}")
    access_token = usable_token(document.get("access_token"), "access token")
    refresh_token = None
    if "refresh_token" in document:
        refresh_token = usable_token(document["refresh_token"], "refresh token")
    id_token = document.get("id_token")
    lives = document.get("refresh_token_expires_in", document.get("refresh_expires_in"))
    return TokenBundle(
        access_token,
        refresh_token,
        from_posix(expiry(document.get("expires_in"), sent_at)),
        from_posix(expiry(lives, sent_at)),
        _scopes(document, requested_scopes, separator),
        token_type,
        id_token if isinstance(id_token, str) else None,
        {name: value for name, value in document.items() if name not in _KNOWN},
    )


def usable_token(token: object, name: str) -> str:
    """Return *token* if it is one that can be sent: printable ASCII. Raises `EndpointFailed`."""
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise _unusable(f"no usable {name}")
    return token


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


def _scopes(
    document: Mapping[str, Any], requested: tuple[str, ...] | None, separator: str
) -> tuple[str, ...] | None:
    if "scope" not in document:
        return requested
    scope = document["scope"]
    if not isinstance(scope, str):
        raise _unusable("scopes that are no text")
    names = scope.replace(separator, " ").split()
    if not all(_SCOPE.fullmatch(name) for name in names):
        raise _unusable("scopes that cannot be read")
    return tuple(dict.fromkeys(names))


def retry_after_seconds(value: str | None) -> float | None:
    """Return for how many seconds a server wants to be left alone (RFC 9110 section 10.2.3).

    At most `LONGEST_RETRY_AFTER`; None for what cannot be read and for the past.
    """
    if value is None:
        return None
    value = value.strip()
    try:
        digits = value.isascii() and value.isdecimal()
        seconds = float(value) if digits else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else None


def _unusable(what: str) -> EndpointFailed:
    return EndpointFailed(f"the server answered with {what}", status=SUCCESS[0])
