"""What may lie in Redis, and what is answered: clear errors that change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from click_auth import Account, Auth, OAuthProvider, StorageUnavailable, TokenBundle
from click_auth.redis import RedisTokenStore
from fleet.redis_server import RedisServer

ADA, KEY = Account("ada", "Ada"), bytes(range(32))
RECORD = "{click-auth:todo}:record:ada"


def opened(server: RedisServer, **changes: Any) -> RedisTokenStore:
    """Return a machine's handle."""
    return RedisTokenStore(server.url, **{"app_name": "todo", "key": KEY, "lease": 2.0, **changes})


def state(server: RedisServer) -> dict[str, Any]:
    """Return all that Redis holds."""
    with server.client() as client:
        names = [name for name in client.scan_iter() if ":record:" in name]
        return {name: client.hgetall(name) for name in names}


@pytest.fixture
def stored(server: RedisServer) -> RedisServer:
    """Store ada's tokens."""
    opened(server).set_bundle(ADA, TokenBundle("at-secret", "rt-secret"), promote_default=True)
    return server


def refused(server: RedisServer, expected: str, **changes: Any) -> None:
    """Check that ada's token cannot be had, for a reason that is said, and that nothing changes."""
    before = state(server)
    with pytest.raises(StorageUnavailable, match=expected) as caught:
        opened(server, **changes).active("ada")
    assert caught.value.exit_code == 6
    assert "secret" not in caught.value.message
    assert state(server) == before


def test_redis_never_sees_a_token(stored: RedisServer) -> None:
    """Names and expiries are plain, tokens are not, in memory and in the log on disk."""
    assert "secret" not in json.dumps(state(stored))
    log = b"".join(path.read_bytes() for path in Path(stored.folder).rglob("*.aof"))
    assert b"sealed:1:" in log
    assert b"at-secret" not in log


def test_a_key_that_does_not_open(stored: RedisServer) -> None:
    """It is said, and the right key opens it still."""
    refused(stored, "no key of Auth", key=bytes(32))
    assert opened(stored).active("ada") == "at-secret"


def test_another_application_sees_nothing(stored: RedisServer) -> None:
    """With the same prefix and the same key."""
    other = opened(stored, app_name="other")
    assert (other.active(), list(other.accounts())) == (None, [])
    other.set(ADA, "at-2")
    other.clear("ada")
    assert opened(stored).active("ada") == "at-secret"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2 {}", "newer version"),
        ("1 {", "damaged"),
        ("1 {}", "damaged"),
        ("anything", "damaged"),
    ],
)
def test_what_we_have_not_written(stored: RedisServer, text: str, expected: str) -> None:
    """A later version, and what is no record."""
    with stored.client() as client:
        client.hset(RECORD, "text", text)
    refused(stored, expected)


def test_what_somebody_has_edited(stored: RedisServer) -> None:
    """Another account's sealed token is none of this one's."""
    opened(stored).set(Account("bob"), "at-bob")
    with stored.client() as client:
        text = json.loads((client.hget(RECORD, "text") or "").partition(" ")[2])
        other = client.hget("{click-auth:todo}:record:bob", "text") or ""
        text["fallback_token"] = json.loads(other.partition(" ")[2])["fallback_token"]
        client.hset(RECORD, "text", f"1 {json.dumps(text)}")
    refused(stored, "no key of Auth")


def test_what_is_for_all_accounts_is_damaged(stored: RedisServer) -> None:
    """A login repairs it."""
    with stored.client() as client:
        client.hset("{click-auth:todo}:record:*", "text", "1 [")
    with pytest.raises(StorageUnavailable, match="damaged"):
        opened(stored).active()
    opened(stored).set_bundle(ADA, TokenBundle("at-2"), promote_default=True)
    assert opened(stored).active() == "at-2"


def test_tokens_go_with_their_refresh_token(server: RedisServer) -> None:
    """A key expires when its refresh token does; one of unknown end does not."""
    import datetime as dt

    end = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
    opened(server).set_bundle(ADA, TokenBundle("at-1", "rt-1", refresh_expires_at=end))
    opened(server).set_bundle(Account("bob"), TokenBundle("at-2", "rt-2"))
    with server.client() as client:
        assert 3500 < client.ttl(RECORD) <= 3600
        assert client.ttl("{click-auth:todo}:record:bob") == -1


def test_a_client_object_serves_as_well(stored: RedisServer) -> None:
    """One that decodes answers, and one that does not."""
    for decodes in (True, False):
        client = redis.Redis(port=stored.port, decode_responses=decodes)
        store = RedisTokenStore(client, app_name="todo", key=KEY)
        assert store.active() == "at-secret"
        client.close()


@pytest.mark.parametrize("lease", [0, 1.9, -3, float("nan")])
def test_a_lease_under_two_seconds(lease: float) -> None:
    """It is refused where it is written."""
    with pytest.raises(ValueError, match="at least 2 seconds"):
        RedisTokenStore("redis://localhost", app_name="todo", key=KEY, lease=lease)
    with pytest.raises(ValueError, match="braces"):
        RedisTokenStore("redis://localhost", app_name="todo", key=KEY, prefix="a{b}")


def test_the_doctor_looks_at_redis(stored: RedisServer, tmp_path: Path) -> None:
    """Scripts, version, role, eviction, persistence; the password and the key are not shown."""
    provider = OAuthProvider(client_id="c", token_endpoint="http://127.0.0.1:9/token")
    auth = Auth("todo", provider, store=opened(stored), folder=tmp_path)
    found = {check.name: check for check in auth.doctor().checks if "redis" in check.name}
    assert set(found) == {
        *("redis scripts", "redis version", "redis role", "redis eviction", "redis persistence")
    }
    assert {check.verdict for check in found.values()} == {"ok"}
    with stored.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            verdicts = {check.name: check.verdict for check in auth.doctor().checks}
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert verdicts["redis eviction"] == "warn"
