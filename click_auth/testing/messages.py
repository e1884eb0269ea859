"""What goes in and out of the test server: requests, answers, OAuth errors, and their journal."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_OAuth = Literal["discovery", "authorize", "token", "device_authorization", "device", "revoke"]
Endpoint = _OAuth | Literal["userinfo", "register", "api", "unknown"]


@dataclass(frozen=True)
class Request:
    """One request as it arrived, at monotonic seconds; header names are in lower case."""

    method: str
    path: str
    endpoint: Endpoint
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
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
        try:
            document = json.loads(self.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise OAuthError("invalid_request", "the body is not a JSON object")
        return document


@dataclass(frozen=True)
class Answer:
    """A whole answer: what the server sends, or what a fault makes it send."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def json(
        cls, document: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return a JSON answer that nobody may cache (RFC 6749 5.1)."""
        own = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return cls(status, {**own, **(headers or {})}, json.dumps(document).encode())

    @classmethod
    def html(cls, text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
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
    headers: Mapping[str, str] = field(default_factory=dict)

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
