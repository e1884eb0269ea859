"""Every store of ours keeps the contract that others are asked to keep."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend

from click_auth import KeyringTokenStore, MemoryTokenStore, SharedTokenStore, TokenStore
from click_auth.testing import StoreContract
from crash.filed_keyring import FOLDER, FiledKeyring


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


class TestEncrypted(StoreContract):
    """Sealed in the record file."""

    def make_store(self, place: Path) -> TokenStore:
        """Return a store with a folder and a key."""
        return KeyringTokenStore("todo", folder=place, storage="encrypted", key=bytes(32))


class TestKeyring(StoreContract):
    """A keyring that is a folder, so that processes share it."""

    @pytest.fixture(autouse=True)
    def _keyring(
        self,
        tmp_path: Path,
        use: Callable[[KeyringBackend], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (tmp_path / "keyring").mkdir()
        monkeypatch.setenv(FOLDER, str(tmp_path / "keyring"))
        use(FiledKeyring())

    def make_store(self, place: Path) -> TokenStore:
        """Return a store with a folder."""
        return KeyringTokenStore("todo", folder=place, storage="system")


def documented() -> Callable[[Path, bytes, float], TokenStore]:
    """Return the function that the example of docs/stores.md ends with."""
    page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text("utf-8")
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], names)
    made: Callable[[Path, bytes, float], TokenStore] = names["sqlite_store"]
    return made


class TestSQLite(StoreContract):
    """The store that the documentation writes: shared, sealed, with leases."""

    seconds_of_a_lost_lock = 2.0
    open_store = staticmethod(documented())

    def make_store(self, place: Path) -> TokenStore:
        """Return a handle of its own."""
        return self.open_store(place / "auth.sqlite", bytes(32), self.seconds_of_a_lost_lock)


class Drawers:
    """A place for secrets: a folder with a file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _file(self, name: str) -> Path:
        return self.folder / name.replace("/", "+")

    def get(self, name: str) -> str | None:
        """Return what is in the drawer."""
        with contextlib.suppress(FileNotFoundError):
            return self._file(name).read_text("utf-8")
        return None

    def put(self, name: str, secret: str) -> None:
        """Put it in."""
        self._file(name).write_text(secret, "utf-8")

    def delete(self, name: str) -> None:
        """Empty the drawer."""
        self._file(name).unlink(missing_ok=True)


class TestSecretStore(TestSQLite):
    """The same records, and the tokens in a place that is made for secrets."""

    def make_store(self, place: Path) -> TokenStore:
        """Return a handle of its own."""
        sealed = self.open_store(place / "auth.sqlite", bytes(32), self.seconds_of_a_lost_lock)
        records = sealed.account_store.records._records  # type: ignore[attr-defined]
        return SharedTokenStore(records, Drawers(place / "secrets"), app_name="todo")
