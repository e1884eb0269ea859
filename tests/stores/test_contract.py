"""Every store of ours keeps the contract that others are asked to keep."""

from __future__ import annotations

from pathlib import Path

from click_auth import KeyringTokenStore, MemoryTokenStore, TokenStore
from click_auth.testing import StoreContract


class TestMemory(StoreContract):
    """One process's own."""

    reaches_processes = False

    def make_store(self, place: Path) -> TokenStore:
        """Return what this test has already made for *place*: memory is opened once."""
        return vars(self).setdefault(str(place), MemoryTokenStore())


class TestRecordFile(StoreContract):
    """Plain text in the record file."""

    def make_store(self, place: Path) -> TokenStore:
        """Return a store with a folder."""
        return KeyringTokenStore("todo", folder=place, storage="plaintext")
