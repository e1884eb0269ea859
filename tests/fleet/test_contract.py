"""Redis keeps the contract that every store keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from click_auth import TokenStore
from click_auth.redis import RedisTokenStore
from click_auth.testing import StoreContract
from fleet.redis_server import RedisServer


class TestRedis(StoreContract):
    """A lease of two seconds."""

    seconds_of_a_lost_lock = 2.0

    @pytest.fixture(autouse=True)
    def _redis(self, shared_server: RedisServer) -> None:
        self.url = shared_server.url
        with shared_server.client() as client:
            client.flushall()

    def make_store(self, place: Path) -> TokenStore:
        """Return a machine's handle."""
        return RedisTokenStore(self.url, app_name="todo", key=bytes(32), lease=2.0)
