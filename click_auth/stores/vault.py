"""Where secrets lie, by slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Vault(Protocol):
    """A place for secrets. Every method raises `StorageUnavailable` when the place fails."""

    @property
    def backend_name(self) -> str:
        """What the place is called in a message; known once it was touched."""

    @property
    def origin(self) -> str | None:
        """What to give to `get` so that it need not look for the place; known after a `set`."""

    def get(self, slot: str, origin: str | None = None) -> str | None:
        """Return the secret in *slot*, None where there is none."""

    def set(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot* and return what it held before.

        When this raises, the slot holds what it held before, unless the place is broken.
        """

    def delete(self, slot: str) -> None:
        """Empty *slot*. Harmless where it is empty."""

    def check(self) -> None:
        """Raise unless there is a place for secrets. Touches no secret and prompts nobody."""

    def probe(self) -> None:
        """Raise unless secrets can be reached right now. May ask a person to unlock the place."""

    def confirm(self, slot: str, origin: str | None = None) -> None:
        """Raise unless *slot* can be written, as one real write of what it holds has shown."""

    def waiting(self, seconds: float) -> AbstractContextManager[None]:
        """Return a block within which calls may wait *seconds* for a person to answer a prompt."""
