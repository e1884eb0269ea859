"""What an authorization server returns: a JSON object that is what was asked for, or an error."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, quote_plus

from click_auth.console.text import printable
from click_auth.errors import (
    OAUTH_FAILED,
    REFRESH_EXPIRED,
    AnswerLost,
    AuthError,
    LoginFailed,
    NotLoggedIn,
    Unreachable,
)
from click_auth.http.call import TransportFailed, send
from click_auth.http.urls import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from click_auth.http.call import Answer, Call
    from click_auth.http.client import Http

    Meaning = Callable[[dict[str, Any]], Mapping[str, Any]]

SUCCESS = (200, 201)
LONGEST_RETRY_AFTER = 3600.0  # seconds
_LONGEST_INTEGER = 400  # digits: more is an attack on the parser, and no number that we use
_BUSY = frozenset({408, 425, 429})
_NOT_HERE = frozenset({404, 405, 410, *range(300, 400)})
_BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"  # a byte order mark, and white space
# How servers say that a grant is dead: RFC 6749's own word, GitHub's, Slack's, and OpenID
# Connect's of a session that only the person can continue (Microsoft Entra).
_DEAD_GRANT = frozenset(
    {
        *("invalid_grant", "bad_refresh_token", "invalid_refresh_token"),
        *("interaction_required", "login_required", "consent_required"),
    }
)


@dataclass(eq=False, repr=False)
class EndpointFailed(TransportFailed):
    """An endpoint gave no usable response. *reason* is inert and holds no secret.

    `error` is the code that the server named, for comparing only; `answered` says that a JSON
    object came with status 200 or 201, so that what was sent is used up. `retry_after` is in
    seconds, `interval` what the server says of it, unchecked. Never leaves this package.
    """

    again: ClassVar[str] = AuthError.log_in_again
    """What a person whose login ends with it is told."""

    error: str | None = None
    answered: bool = False
    retry_after: float | None = None
    interval: object = None

    @property
    def not_here(self) -> bool:
        """Whether nothing was done because the endpoint is not at this URL, or no more."""
        return self.unsent or self.status in _NOT_HERE

    @property
    def rejects_client(self) -> bool:
        """Whether the server knows no such client (RFC 6749 section 5.2); some misname it."""
        known = ("invalid_client", self.status), ("unauthorized_client", 401)
        return (self.error, self.status) in known

    def as_login_error(self, code: str = OAUTH_FAILED) -> LoginFailed | Unreachable:
        """Return the error of a login that ends here."""
        message = f"Login failed: {self.reason}."
        if self.away:
            advice = "Nothing was stored. Check the network and log in again."
            return Unreachable(message, hints=[advice])
        advice = self.again if self.retry_after is None else self._advice
        return LoginFailed(message, code=code, hints=[f"Nothing was stored. {advice}"])

    def as_refresh_error(self, remedy: str = "log in again") -> AuthError:
        """Return what a refresh raises: the grant is dead, or nothing is known about it.

        *remedy* is what helps where the server goes on saying no.
        """
        if self.error in _DEAD_GRANT:
            message = f"Your session has expired or was revoked: {self.reason}."
            return NotLoggedIn(message, code=REFRESH_EXPIRED, hints=[f"{remedy.capitalize()}."])
        kind = AnswerLost if self.lost else Unreachable
        hints = [self._advice, *([f"If this keeps happening, {remedy}."] if self._says_no else [])]
        failed = kind(f"The token could not be refreshed: {self.reason}.", hints=hints)
        failed.retry_after = self.retry_after
        return failed

    @property
    def _says_no(self) -> bool:
        """Whether the server was well, and refused."""
        return self.answered or (self.status not in _BUSY and 400 <= (self.status or 0) < 500)  # noqa: PLR2004

    @property
    def _advice(self) -> str:
        if self.retry_after is None:
            return AuthError.try_later
        return f"Try again in {self.retry_after:.0f} seconds."


class EndpointUnfit(EndpointFailed):
    """The server has no such endpoint, or names one to which no secret may go."""

    again = "Trying again won't help: the server or this program's settings must change."


def unusable(what: str) -> EndpointFailed:
    """Return the failure of a response that came whole and holds *what*."""
    return EndpointFailed(what, status=SUCCESS[0], answered=True)


def ask(http: Http, call: Call, timeout: float) -> Answer:
    """Return the response to *call*, whatever its status. Raises `EndpointFailed`."""
    try:
        return send(http, call, timeout)
    except TransportFailed as error:
        failed = EndpointFailed(**vars(error))
    raise failed


def granted(answer: Answer, meaning: Meaning | None = None) -> dict[str, Any]:
    """Return the JSON object of a successful *answer*.

    *meaning* makes of the object, whatever the status, what a standard server would have said.
    Raises `EndpointFailed`: what it quotes of the response is inert and free of the call's secrets.
    """
    host = host_of(answer.call.url)
    failure = partial(
        EndpointFailed,
        status=answer.status,
        answered=answer.status in SUCCESS and answer.body.lstrip(_BEFORE_JSON).startswith(b"{"),
        retry_after=retry_after_seconds(answer.headers.get("retry-after")),
    )
    try:
        document = _understood(parse_object(answer.body), meaning)
    except ValueError as problem:
        failed = failure(f"{host} returned status {answer.status} and {problem}")
    else:
        if answer.status in SUCCESS and not document.get("error"):
            return document
        said = _said(document, answer.status, list(filter(None, answer.call.secrets)))
        error, interval = _text(document, "error") or None, document.get("interval")
        failed = failure(f"{host} returned {said}", error=error, interval=interval)
    raise failed


def _understood(document: dict[str, Any], meaning: Meaning | None) -> dict[str, Any]:
    """Return what *meaning* makes of *document*. Raises `ValueError`, which quotes nothing."""
    if meaning is None:
        return document
    with contextlib.suppress(Exception):  # whatever the application's function stumbles over
        return dict(meaning(document))
    message = "a response that token_response= can't read"
    raise ValueError(message)


def error_code(answer: Answer) -> str | None:
    """Return the error that *answer* names, if it is one that can be read. Never shown."""
    try:
        return _text(parse_object(answer.body), "error") or None
    except ValueError:
        return None


def _said(document: Mapping[str, Any], status: int, secrets: Sequence[str]) -> str:
    error = printable(without(_text(document, "error"), secrets), 60)
    details = printable(without(_text(document, "error_description"), secrets))
    said = error or f"an error and status {status}"
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


def retry_after_seconds(value: str | None) -> float | None:
    """Return for how many seconds a server wants to be left alone (RFC 9110 section 10.2.3).

    At most `LONGEST_RETRY_AFTER`; None for what cannot be read and for the past.
    """
    value = (value or "").strip()
    try:
        digits = value.isascii() and value.isdecimal()
        seconds = float(value) if digits else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else None


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in *body*, and nothing that only some parsers would read (RFC 7493).

    Raises `ValueError`, which holds nothing of the body, for anything that is not exactly one:
    duplicate names (section 2.3), too deep, numbers too long, another encoding.
    """
    try:
        document = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_without_duplicates, parse_int=_integer
        )
    except RecursionError:
        problem = "JSON that is nested too deeply"
    except _RefusedError as refused:
        problem = str(refused)
    except ValueError:
        problem = "something other than JSON" if body.strip() else "nothing"
    else:
        if isinstance(document, dict):
            return document
        problem = "JSON that is not an object"
    raise ValueError(problem)


class _RefusedError(ValueError):
    pass


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _RefusedError("JSON with duplicate keys")
    return document


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise _RefusedError("JSON with an oversized number")
    return int(digits)
