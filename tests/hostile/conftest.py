from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring.core
import pytest

from click_auth.testing import AuthorizationServer
from crash.filed_keyring import FOLDER
from hostile.locking_keyring import LockingKeyring
from hostile.world import World


@pytest.fixture
def world(auth_server: AuthorizationServer, tmp_path: Path) -> World:
    """A server, an empty home, and a keyring that is a folder."""
    return World(auth_server, tmp_path)


@pytest.fixture
def here(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same keyring in this process, too."""
    before = keyring.core._keyring_backend
    monkeypatch.setenv(FOLDER, str(world.keyring))
    keyring.set_keyring(LockingKeyring())
    yield world
    keyring.core._keyring_backend = before
