"""A store in this process's memory: for tests, and for programs that must leave no trace."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from click_auth.record import CUSTOM
from click_auth.stores.account_store import AccountStore
from click_auth.stores.records import Records
from click_auth.stores.token_store import RecordedTokenStore
from click_auth.stores.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable


class MemoryTokenStore(RecordedTokenStore):
    """Tokens and records in memory; neither a disk nor a keyring is touched. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(AccountStore(MemoryRecords(), MemoryVault, CUSTOM, clock))


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


class MemoryRecords(Records):
    """Records in memory, with the transactions of a record file."""

    def __init__(self) -> None:
        self._content = b""
        self._writes = 0
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def content(self) -> bytes:
        """Return the text of the records."""
        return self._content

    def replace(self, content: bytes, *, is_damaged: bool) -> None:
        """Keep *content*."""
        del is_damaged
        self._content = content
        self._writes += 1

    def alone(self) -> threading.Lock:
        """Hold this process's lock."""
        return self._lock

    def lock(self, key: str) -> threading.Lock:
        """Return this process's lock of one account."""
        return self._locks.setdefault(key, threading.Lock())

    def stamp(self) -> object:
        """Return how often something was written."""
        return self._writes
