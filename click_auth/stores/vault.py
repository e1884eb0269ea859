"""Where secrets lie, by slot."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Vault(ABC):
    """A place for secrets. Every method raises `StorageUnavailable` when the place fails.

    What has a default suits a place that is always there and asks nobody.
    """

    @property
    @abstractmethod
    def backend_name(self) -> str:
        """What the place is called in a message; known once it was touched."""

    @property
    def origin(self) -> str | None:
        """What to give to `get` so that it need not look for the place; known after a `set`."""
        return None

    @abstractmethod
    def get(self, slot: str, origin: str | None = None) -> str | None:
        """Return the secret in *slot*, None where there is none."""

    @abstractmethod
    def set(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot* and return what it held before.

        When this raises, the slot holds what it held before, unless the place is broken.
        """

    @abstractmethod
    def delete(self, slot: str) -> None:
        """Empty *slot*. Harmless where it is empty."""

    def replace(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot*, whatever it holds: that is spent, and need not come back.

        Returns what the slot held before, if it was looked at.
        """
        return self.set(slot, secret)

    def check(self) -> None:  # noqa: B027 - see the class
        """Raise unless there is a place for secrets. Touches no secret and prompts nobody."""

    def probe(self) -> None:  # noqa: B027 - see the class
        """Raise unless secrets can be reached right now. May ask a person to unlock the place."""

    def confirm(self, slot: str, origin: str | None = None, secret: str | None = None) -> None:  # noqa: B027
        """Raise unless *slot* can be written, as one real write of what it holds has shown.

        *secret* is what `get` has just returned, if it was asked.
        """


class MemoryVault(Vault):
    """Secrets in memory."""

    backend_name = "memory"

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def get(self, slot: str, origin: str | None = None) -> str | None:
        """Return the secret in *slot*, None where there is none."""
        del origin
        return self._secrets.get(slot)

    def set(self, slot: str, secret: str) -> str | None:
        """Put *secret* into *slot* and return what it held before."""
        before = self._secrets.get(slot)
        self._secrets[slot] = secret
        return before

    def delete(self, slot: str) -> None:
        """Empty *slot*."""
        self._secrets.pop(slot, None)
