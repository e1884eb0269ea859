"""What can go wrong at the test server, on order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from click_auth.testing.messages import Answer, Endpoint, Request

Hook = Callable[[Request], "Answer | None"]

_SUCCESS = range(200, 300)


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
    hooks: dict[Endpoint, Hook] = field(default_factory=dict)
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
        answer = None if hook is None else hook(request)
        if answer is not None:
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
