"""What a provider is lent by the `Auth` that uses it: HTTP, a cache, and registered clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click_auth.http import Http


class DocumentCache(Protocol):
    """Discovery documents, by URL, with an age."""

    def load(self, url: str) -> Mapping[str, Any] | None:
        """Return the document of *url* if it is young enough. Never raises."""

    def save(self, url: str, document: Mapping[str, Any]) -> None:
        """Keep *document*. Never raises: a cache that cannot be written is no error."""


class Registrations(Protocol):
    """Dynamically registered clients (RFC 7591), secrets kept as tokens are."""

    def load(self, name: str) -> Mapping[str, Any] | None:
        """Return the registration saved under *name*, with its `client_secret` if it has one."""

    def save(self, name: str, registration: Mapping[str, Any]) -> None:
        """Keep *registration* under *name*."""

    def forget(self, name: str) -> None:
        """Drop the registration *name*."""


@dataclass(frozen=True)
class Surroundings:
    """HTTP as this application speaks it, and what is remembered between processes."""

    http: Http
    cache: DocumentCache
    registrations: Registrations
