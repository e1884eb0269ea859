from __future__ import annotations

from pathlib import Path

import pytest

from click_auth.testing import AuthorizationServer
from hostile.world import World


@pytest.fixture
def world(auth_server: AuthorizationServer, tmp_path: Path) -> World:
    """A server, an empty home, and a keyring that is a folder."""
    return World(auth_server, tmp_path)
