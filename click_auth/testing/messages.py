"""What goes in and out of the test server: requests, answers, OAuth errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl

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
    "introspect",
    "api",
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names are in lower case."""

    method: str
    path: str
    endpoint: Endpoint
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    repeated: tuple[str, ...] = ()

    @property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer`, if there is one (RFC 6750 2.1)."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" and value.strip() else None

    def json(self) -> dict[str, object]:
        """Return the body as a JSON object; raises `OAuthError` for anything else."""
        try:
            document = json.loads(self.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise OAuthError("invalid_request", "the body is not a JSON object")
        return document


@dataclass(frozen=True, slots=True)
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


class OAuthError(Exception):
    """An error of the OAuth protocol (RFC 6749 5.2)."""

    def __init__(
        self,
        error: str,
        description: str = "",
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status
        self.headers = dict(headers or {})

    def parameters(self) -> dict[str, str]:
        """`error` and `error_description`."""
        described = {"error_description": self.description} if self.description else {}
        return {"error": self.error, **described}

    def answer(self) -> Answer:
        """Return the error as a JSON answer."""
        return Answer.json(self.parameters(), self.status, self.headers)


def decode_form(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the parameters of a query or form, and the names that came more than once."""
    found: dict[str, str] = {}
    repeated: list[str] = []
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in found:
            repeated.append(name)
        found[name] = value
    return found, tuple(repeated)


def split_scope(text: str) -> tuple[str, ...]:
    """Return the scopes of a `scope` parameter, in order, each once."""
    return tuple(dict.fromkeys(text.split()))
