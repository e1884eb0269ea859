"""The endpoints of an authorization server: as whom they are asked, and what they return."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, quote_plus, urlencode

from click_auth.console.text import printable
from click_auth.errors import REFRESH_EXPIRED, AnswerLost, LoginFailed, NotLoggedIn, Unreachable
from click_auth.http.call import Answer, Call, TransportFailed, retry_after_seconds, send
from click_auth.http.urls import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from click_auth.http.client import Http

    Meaning = Callable[[dict[str, Any]], Mapping[str, Any]]

SUCCESS = (200, 201)
_LONGEST_INTEGER = 400  # digits: more is an attack on the parser, and no number that we use
_BUSY = frozenset({408, 425, 429})
_BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"  # a byte order mark, and white space
# How servers say that a grant is dead: RFC 6749's own word, GitHub's, Slack's, and OpenID
# Connect's of a session that only the person can continue (Microsoft Entra).
_DEAD_GRANT = frozenset(
    {
        *("invalid_grant", "bad_refresh_token", "invalid_refresh_token"),
        *("interaction_required", "login_required", "consent_required"),
    }
)


NONE = "none"
BASIC = "client_secret_basic"
POST = "client_secret_post"
_SECRETS = ("client_secret", "code", "code_verifier", "device_code", "refresh_token", "token")


@dataclass(eq=False, repr=False)
class EndpointFailed(TransportFailed):
    """An endpoint gave no usable response. *reason* is inert and holds no secret.

    `error` is the code that the server named, for comparing only; `answered` says that a JSON
    object came with status 200 or 201, so that what was sent is used up. `retry_after` is in
    seconds, `interval` what the server says of it, unchecked. Never leaves this package.
    """

    again: ClassVar[str] = LoginFailed.log_in_again
    """What a person whose login ends with it is told."""

    error: str | None = None
    answered: bool = False
    retry_after: float | None = None
    interval: object = None

    @property
    def rejects_client(self) -> bool:
        """Whether the server knows no such client (RFC 6749 section 5.2); some misname it."""
        known = ("invalid_client", self.status), ("unauthorized_client", 401)
        return (self.error, self.status) in known

    def as_login_error(self, code: str | None = None) -> LoginFailed | Unreachable:
        """Return the error of a login that ends here."""
        message = f"Login failed: {self.reason}."
        if self.away:
            advice = "Nothing was stored. Check the network and log in again."
            return Unreachable(message, hints=[advice])
        advice = self.again if self.retry_after is None else self._advice
        return LoginFailed(message, code=code, hints=[f"Nothing was stored. {advice}"])

    def as_refresh_error(self, remedy: str = "log in again") -> NotLoggedIn | Unreachable:
        """Return what a refresh raises: the grant is dead, or nothing is known about it.

        *remedy* is what helps where the server goes on saying no.
        """
        if self.error in _DEAD_GRANT:
            message = f"Your session has expired or was revoked: {self.reason}."
            return NotLoggedIn(message, code=REFRESH_EXPIRED, hints=[f"{remedy.capitalize()}."])
        kind = AnswerLost if self.lost else Unreachable
        hints = [self._advice]
        is_refused = 400 <= (self.status or 0) < 500 and self.status not in _BUSY  # noqa: PLR2004
        if self.answered or is_refused:  # the server was well, and said no
            hints.append(f"If this keeps happening, {remedy}.")
        failed = kind(f"The token could not be refreshed: {self.reason}.", hints=hints)
        failed.retry_after = self.retry_after
        return failed

    @property
    def _advice(self) -> str:
        if self.retry_after is None:
            return Unreachable.try_later
        return f"Try again in {self.retry_after:.0f} seconds."


class EndpointUnfit(EndpointFailed):
    """The server has no such endpoint, or names one to which no secret may go."""

    again = "Trying again won't help: the server or this program's settings must change."


@dataclass(frozen=True)
class Client:
    """A client as the server knows it, and the method by which it authenticates."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    method: str = NONE

    def authenticated(self, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return *form* and the headers of a request, with this client's authentication.

        RFC 6749 section 2.3.
        """
        if self.secret is None or self.method == NONE:
            return {**form, "client_id": self.client_id}, {}
        if self.method == POST:
            return {**form, "client_id": self.client_id, "client_secret": self.secret}, {}
        pair = [self.client_id, self.secret]
        if self.method == BASIC:  # form-encoded first: section 2.3.1, appendix B
            pair = [quote_plus(each) for each in pair]
        credentials = base64.b64encode(":".join(pair).encode()).decode("ascii")
        return dict(form), {"Authorization": f"Basic {credentials}"}

    def call(self, url: str, form: Mapping[str, str], proof: Mapping[str, str]) -> Call:
        """Return the POST of *form* to *url* as this client, with the header *proof*.

        What it returns shows nothing; a traceback of who sends it does not pass through here.
        """
        fields, headers = self.authenticated(form)
        secrets = [value for name, value in fields.items() if name in _SECRETS]
        secrets += [self.secret or "", headers.get("Authorization", "").partition(" ")[2]]
        headers |= {**proof, "Content-Type": "application/x-www-form-urlencoded"}
        return Call(url, urlencode(fields).encode("ascii"), headers, tuple(secrets))


def method_for(secret: str | None, configured: str | None, supported: object) -> str:
    """Return the method for a client with this *secret* (None: a public client).

    *configured* wins; else what the server says it supports, RFC 8414's default where it does
    not say. Raises `EndpointFailed` when none of that can be done.
    """
    if secret is None:
        return NONE
    if configured not in (None, NONE):
        return configured
    offered = supported if supported and isinstance(supported, list) else [BASIC]
    for method in (BASIC, POST):
        if method in offered:
            return method
    raise EndpointFailed("the server supports none of this client's authentication methods")


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
    raise ValueError("a response that token_response= can't read")


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
