"""What a provider works with: HTTP, a cache of documents, and registered clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from click_auth.http.client import Http

if TYPE_CHECKING:
    from collections.abc import Mapping


class DocumentCache(Protocol):
    """Discovery documents, by URL, with an age."""

    def load(self, url: str, /) -> Mapping[str, Any] | None:
        """Return the document of *url* if it is young enough. Never raises."""

    def save(self, url: str, document: Mapping[str, Any], /) -> None:
        """Keep *document*. Never raises: a cache that cannot be written is no error."""

    def forget(self, url: str, /) -> None:
        """Drop the document of *url*. Never raises."""


class Registrations(DocumentCache, Protocol):
    """Dynamically registered clients (RFC 7591) by name, secrets stored like tokens. May raise."""

    def insert(self, name: str, registration: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Keep *registration* unless there is one under *name*; return the one that is kept."""


class InMemory:
    """A cache and registrations that last as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, Any]] = {}

    def load(self, name: str, /) -> Mapping[str, Any] | None:
        """Return what was saved under *name*."""
        return self._kept.get(name)

    def save(self, name: str, kept: Mapping[str, Any], /) -> None:
        """Keep it under *name*."""
        self._kept[name] = kept

    def insert(self, name: str, kept: Mapping[str, Any], /) -> Mapping[str, Any]:
        """Keep it under *name* unless something is there; return what is there now."""
        return self._kept.setdefault(name, kept)

    def forget(self, name: str, /) -> None:
        """Drop what was saved under *name*."""
        self._kept.pop(name, None)


@dataclass(frozen=True)
class ProviderContext:
    """HTTP as this application speaks it, and what is remembered between processes."""

    http: Http = field(default_factory=Http)
    cache: DocumentCache = field(default_factory=InMemory)
    registrations: Registrations = field(default_factory=InMemory)
