"""What goes in and out of the test server: requests, answers, their journal, faults on order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

_OAuth = Literal["discovery", "authorize", "token", "device_authorization", "device", "revoke"]
Endpoint = _OAuth | Literal["userinfo", "register", "api", "unknown"]
Headers = Mapping[str, str]
_SUCCESS = range(200, 300)


@dataclass(frozen=True)
class Request:
    """One request as it arrived, at monotonic seconds; header names are in lower case."""

    method: str
    path: str
    endpoint: Endpoint
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    repeated: tuple[str, ...] = ()
    at: float = 0.0

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters: of the form if it is a POST, else of the query."""
        return self.form if self.method == "POST" else self.query

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that it asks for, in order, each once."""
        return tuple(dict.fromkeys(self.parameters.get("scope", "").split()))

    def required(self, name: str) -> str:
        """Return a field of the form; raises `OAuthError` if it is missing."""
        if name not in self.form:
            raise OAuthError("invalid_request", f"{name} is missing")
        return self.form[name]

    def check_resource(self) -> None:
        """Raise `OAuthError` unless `resource` is absolute, without a fragment (RFC 8707 2)."""
        resource = self.parameters.get("resource")
        if resource is not None and (not urlsplit(resource).scheme or "#" in resource):
            raise OAuthError("invalid_target", "resource is not an absolute URI without a fragment")

    def json(self) -> dict[str, object]:
        """Return the body as a JSON object; raises `OAuthError` for anything else."""
        with suppress(ValueError):
            document = json.loads(self.body)
            if isinstance(document, dict):
                return document
        raise OAuthError("invalid_request", "the body is not a JSON object")


@dataclass(frozen=True)
class Answer:
    """A whole answer: what the server sends, or what a fault makes it send."""

    status: int = 200
    headers: Headers = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def json(cls, document: object, status: int = 200, headers: Headers | None = None) -> Answer:
        """Return a JSON answer that nobody may cache (RFC 6749 5.1)."""
        own = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return cls(status, {**own, **(headers or {})}, json.dumps(document).encode())

    @classmethod
    def html(cls, text: str, status: int = 200, headers: Headers | None = None) -> Answer:
        """Return an HTML page."""
        own = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        return cls(status, {**own, **(headers or {})}, text.encode())

    @classmethod
    def redirect(cls, location: str, status: int = 303) -> Answer:
        """Return a redirect without a body."""
        return cls(status, {"Location": location, "Cache-Control": "no-store"})


@dataclass(eq=False)
class OAuthError(Exception):
    """An error of the OAuth protocol (RFC 6749 5.2)."""

    error: str
    description: str = ""
    status: int = 400
    headers: Headers = field(default_factory=dict)

    def parameters(self) -> dict[str, str]:
        """`error` and `error_description`."""
        described = {"error_description": self.description} if self.description else {}
        return {"error": self.error, **described}


@dataclass(frozen=True)
class JournalEntry(Request):
    """A request and the status that it was answered with; None: it got no answer."""

    status: int | None = None


class Journal(list[JournalEntry]):
    """Entries that may be read while the server runs; each is there before its answer is sent."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def __repr__(self) -> str:
        lines = (f"{entry.method} {entry.path} {entry.status}" for entry in self)
        return f"Journal({', '.join(lines)})"

    def snapshot(self) -> list[JournalEntry]:
        """Return a list of what there is now."""
        return list(self)

    def add(self, request: Request, status: int | None) -> None:
        """Append an entry and wake whoever waits for one."""
        with self._changed:
            self.append(JournalEntry(**vars(request), status=status))
            self._changed.notify_all()

    def wait_for(
        self, endpoint: Endpoint, *, count: int = 1, timeout: float = 5.0
    ) -> list[JournalEntry]:
        """Wait for `count` requests; raises `TimeoutError` after `timeout` seconds."""

        def found() -> list[JournalEntry]:
            return [entry for entry in self if entry.endpoint == endpoint]

        with self._changed:
            if self._changed.wait_for(lambda: len(found()) >= count, timeout):
                return found()
            raise TimeoutError(f"{endpoint}: {len(found())} of {count} requests")


@dataclass
class Faults:
    """Orders, most of them by endpoint; they may change at any time while the server runs.

    Numbers of `drop_request`, `drop_answer` and `truncate` say how many requests it
    befalls; everything else lasts until it is taken back.
    """

    #: Seconds before a request is looked at.
    delay: dict[Endpoint, float] = field(default_factory=dict)
    #: Seconds between the deed and its answer.
    delay_answer: dict[Endpoint, float] = field(default_factory=dict)
    #: The request is read, then nothing happens.
    never_answer: set[Endpoint] = field(default_factory=set)
    #: The connection is cut before anything is done.
    drop_request: dict[Endpoint, int] = field(default_factory=dict)
    #: It is done, then the connection is cut without a status: rotated, and lost.
    drop_answer: dict[Endpoint, int] = field(default_factory=dict)
    #: A function that sees the request first; what it returns is the answer, unless None.
    hooks: dict[Endpoint, Callable[[Request], Answer | None]] = field(default_factory=dict)
    #: Given instead of doing anything, one for each request in turn.
    answers: dict[Endpoint, list[Answer]] = field(default_factory=dict)
    #: A status and body (JSON if it begins so), given instead of doing anything.
    status: dict[Endpoint, tuple[int, str]] = field(default_factory=dict)
    #: A URL to which a 307 points, instead of doing anything.
    redirect: dict[Endpoint, str] = field(default_factory=dict)
    #: The very bytes of the answer, instead of doing anything; then the connection is cut.
    raw: dict[Endpoint, bytes] = field(default_factory=dict)
    #: It is done, and the answer is a 200 with an HTML page.
    not_json: set[Endpoint] = field(default_factory=set)
    #: Fields laid over the JSON object of a successful answer.
    overlay: dict[Endpoint, dict[str, object]] = field(default_factory=dict)
    #: Fields left out of the JSON object of a successful answer.
    omit: dict[Endpoint, set[str]] = field(default_factory=dict)
    #: Headers added to every answer, those of other faults included.
    headers: dict[Endpoint, dict[str, str]] = field(default_factory=dict)
    #: Seconds between two bytes of the answer.
    drip: dict[Endpoint, float] = field(default_factory=dict)
    #: The answer is cut half way through its body.
    truncate: dict[Endpoint, int] = field(default_factory=dict)
    #: Parameters laid over the redirect back to the client; None leaves one out.
    callback: dict[str, str | None] = field(default_factory=dict)
    #: Errors with which polls for a device code are answered, in turn.
    device_errors: list[str] = field(default_factory=list)
    #: Claims laid over those of an ID token.
    id_token: dict[str, object] = field(default_factory=dict)
    #: Seconds by which the `Date` header is ahead.
    date_skew: float = 0.0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Take every order back."""
        vars(self).update(vars(type(self)()))

    def spend(self, orders: dict[Endpoint, int], endpoint: Endpoint) -> bool:
        """Whether this request is one of those that an order counts."""
        with self._lock:
            left = orders.get(endpoint, 0)
            if left > 0:
                orders[endpoint] = left - 1
            return left > 0

    def instead(self, request: Request) -> Answer | None:
        """Return the answer that replaces what the endpoint would do, if one is ordered."""
        endpoint = request.endpoint
        hook = self.hooks.get(endpoint)
        if hook is not None and (answer := hook(request)) is not None:
            return answer
        with suppress(IndexError):
            return self.answers.get(endpoint, []).pop(0)
        if endpoint in self.redirect:
            return Answer.redirect(self.redirect[endpoint], 307)
        if endpoint in self.status:
            status, body = self.status[endpoint]
            kind = "application/json" if body.startswith(("{", "[")) else "text/html; charset=utf-8"
            return Answer(status, {"Content-Type": kind}, body.encode())
        return None

    def change(self, endpoint: Endpoint, answer: Answer) -> Answer:
        """Return what becomes of an answer that the endpoint itself gave."""
        if endpoint in self.not_json:
            return Answer.html("<!doctype html><title>Maintenance</title>")
        if answer.status not in _SUCCESS or not (endpoint in self.overlay or endpoint in self.omit):
            return answer
        document = {**json.loads(answer.body), **self.overlay.get(endpoint, {})}
        left_out = self.omit.get(endpoint, set())
        kept = {name: value for name, value in document.items() if name not in left_out}
        return replace(answer, body=json.dumps(kept).encode())
