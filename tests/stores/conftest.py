from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring.core
import pytest
from keyring.backend import KeyringBackend

from click_auth.console import console
from click_auth.stores.token_store import KeyringTokenStore
from stores.keyrings import Cellar


class Heard(console.Console):
    """What a person would have been told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        """Ignore it."""

    def warn(self, text: str) -> None:
        """Keep it."""
        self.warnings.append(text)

    def event(self, name: str, text: str, **fields: Any) -> None:
        """Ignore it."""

    def error(self, _error: Exception, _as_json: object, /) -> None:
        """Ignore it."""


@pytest.fixture(autouse=True)
def heard() -> Iterator[Heard]:
    """Listen to the warnings of a test."""
    listener = Heard()
    with console.use_console(listener):
        yield listener


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder that is not created yet."""
    return tmp_path / "todo"


@pytest.fixture
def use() -> Iterator[Callable[[KeyringBackend], None]]:
    """Lend a function that puts a keyring backend into this process."""
    before = keyring.core._keyring_backend
    yield keyring.set_keyring
    keyring.core._keyring_backend = before


@pytest.fixture
def cellar(use: Callable[[KeyringBackend], None]) -> Cellar:
    """Put a good keyring into this process."""
    backend = Cellar()
    use(backend)
    return backend


@pytest.fixture
def store(folder: Path, cellar: Cellar) -> KeyringTokenStore:
    """Make a store over a good keyring."""
    return KeyringTokenStore("todo", folder=folder, clock=lambda: 1_000_000.0)
