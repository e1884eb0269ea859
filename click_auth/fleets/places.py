"""What a place that many machines share has to do: `RecordStore`, and `SecretStore` beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager


class StoredRecord(NamedTuple):
    """A text and the number of its write: it grows, and no text of one key has it twice."""

    generation: int
    text: str


class StoreLock(Protocol):
    """A lock that is held; it may be lost while its holder is paused or cut off."""

    def check(self) -> None:
        """Raise `Unreachable` unless the lock is held, and stays so for as long as a call takes."""


class RecordStore(Protocol):
    """A place for texts by key, which many machines share. A key is ASCII without blanks.

    Methods block for as long as the place takes. They raise `StoreUnreachable` where it is away,
    and `StorageUnavailable` where it has to be repaired.
    """

    def all(self) -> Mapping[str, StoredRecord]:
        """Return everything that is stored, by key."""

    def get(self, key: str) -> StoredRecord | None:
        """Return what is stored under *key*, None where there is nothing."""

    def swap(
        self,
        key: str,
        expected: int,
        new: StoredRecord | None,
        *,
        expires_at: float | None = None,
        lock: Any = None,
    ) -> bool:
        """Compare and set: put *new* in place of the text whose generation is *expected*.

        Generation 0 is that of nothing, and None as *new* deletes. Return whether it was done;
        a call that is repeated as its response was lost returns True once more. The text may be
        dropped at *expires_at*, in POSIX seconds of `now`. *lock* is what `lock` yielded for this
        key, None where it is not held; one that was lost to another holder changes nothing.
        """

    def lock(self, key: str, seconds: float) -> AbstractContextManager[StoreLock]:
        """Return the lock of *key* on all machines. Raises TimeoutError after *seconds*.

        A holder that is killed must not hold it for ever.
        """

    def now(self) -> float:
        """Return POSIX seconds by the clock of the place: the same on every machine."""


class SecretStore(Protocol):
    """A place for secrets by name. Methods raise as those of `RecordStore`."""

    def get(self, name: str) -> str | None:
        """Return the secret, None where there is none."""

    def put(self, name: str, secret: str) -> None:
        """Store *secret* in place of what is there."""

    def delete(self, name: str) -> None:
        """Delete the secret. Harmless where there is none."""
