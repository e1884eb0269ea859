from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from click_auth.testing import AuthorizationServer
from testing.visitor import Visitor


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """Run a server for one test."""
    with AuthorizationServer() as running:
        yield running


@pytest.fixture
def visitor(server: AuthorizationServer) -> Iterator[Visitor]:
    """Talk to it as a client program."""
    with httpx.Client(trust_env=False, timeout=60) as http:
        yield Visitor(server, http)
