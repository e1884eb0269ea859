from __future__ import annotations

from pathlib import Path

import pytest

from click_auth.testing import AuthorizationServer
from refresh.crowd import Place


@pytest.fixture
def place(auth_server: AuthorizationServer, tmp_path: Path) -> Place:
    """A server, and a folder with nobody logged in."""
    return Place(auth_server, tmp_path / "config")
