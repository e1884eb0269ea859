"""The pytest plugin: `auth_server`, `isolated_auth`, and no way to the real keyring.

Every test run of whoever has click-auth installed loads this module, so it imports nothing
before a fixture is used.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from click_auth.testing.isolation import IsolateAuth

    from click_auth.testing.server import AuthorizationServer

_MARK = "real_keyring"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"{_MARK}: the test may touch the real keyring")


@pytest.fixture
def auth_server() -> Iterator[AuthorizationServer]:
    """Run an authorization server with a to-do API, for one test."""
    from click_auth.testing.server import AuthorizationServer

    with AuthorizationServer() as server:
        yield server


@pytest.fixture
def isolated_auth(tmp_path: Path) -> Iterator[IsolateAuth]:
    """Cut an `Auth` off from this machine until the test ends: `isolated_auth(auth)`."""
    from click_auth.testing.isolation import IsolateAuth

    with ExitStack() as until_the_end:
        yield IsolateAuth(tmp_path, until_the_end)
