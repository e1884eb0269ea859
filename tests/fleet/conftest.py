from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.redis_server import RedisServer


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Start one server for the tests that do it no harm."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture
def server(shared_server: RedisServer) -> RedisServer:
    """Lend it, empty."""
    with shared_server.client() as client:
        client.flushall()
    return shared_server


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a server that a test may harm."""
    server = RedisServer(tmp_path / "redis").start()
    yield server
    server.kill()
