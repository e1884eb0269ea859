from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring.core
import pytest
from keyring.backend import KeyringBackend

from click_auth.testing import AuthorizationServer
from doctor.patient import Patient


@pytest.fixture
def patient(auth_server: AuthorizationServer, tmp_path: Path) -> Patient:
    """An application in good health: a server that answers, tokens in a file on request."""
    return Patient(auth_server, tmp_path / "todo")


@pytest.fixture
def use() -> Iterator[Callable[[KeyringBackend], None]]:
    """Lend a function that puts a keyring backend into this process."""
    before = keyring.core._keyring_backend
    yield keyring.set_keyring
    keyring.core._keyring_backend = before


@pytest.fixture(autouse=True)
def _unheard() -> Iterator[None]:
    """Take the log back that TODO_AUTH_DEBUG turns on for a whole process."""
    logger = logging.getLogger("click_auth")
    before = list(logger.handlers), logger.level, logger.propagate
    yield
    logger.handlers, logger.level, logger.propagate = before
