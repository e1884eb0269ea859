"""What goes in and out of the test server: requests, answers, OAuth errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Endpoint = Literal[
    "discovery",
    "authorize",
    "token",
    "device_authorization",
    "device",
    "revoke",
    "userinfo",
    "register",
    "api",
    "unknown",
]


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
    def given(self) -> Mapping[str, str]:
        """The parameters: of the form if it is a POST, else of the query."""
        return self.form if self.method == "POST" else self.query

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that it asks for, in order, each once."""
        return tuple(dict.fromkeys(self.given.get("scope", "").split()))

    def required(self, name: str) -> str:
        """Return a field of the form; raises `OAuthError` if it is missing."""
        if name not in self.form:
            raise OAuthError("invalid_request", f"{name} is missing")
        return self.form[name]

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
