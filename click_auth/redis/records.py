"""A store in Redis: records are hashes, changed by one script that compares before it writes."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from click_auth.fleets.places import StoredRecord
from click_auth.fleets.shared_store import SharedTokenStore
from click_auth.redis.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from click_auth.redis.connection import Connection
    from click_auth.stores.cipher import KeyGiven

_SHORTEST_LEASE = 2.0

# KEYS: record. Returns its generation and text, and Redis' time in seconds and microseconds.
_READ = """
local found = redis.call('HMGET', KEYS[1], 'generation', 'text')
local time = redis.call('TIME')
return {found[1], found[2], time[1], time[2]}
"""

# KEYS: record, fence, accounts. ARGV: key, expected and new generation (0: none), text, POSIX ms
# of the record's end (0: never), fencing number (0: written without a lock).
# Returns 1 where it is written, or was: the answer may have been lost. DEL comes first: where
# memory is short Redis lets a script go on that has begun to write, and a received token is kept.
_SWAP = """
local fence = tonumber(redis.call('GET', KEYS[2]) or '0')
if ARGV[6] ~= '0' and fence > tonumber(ARGV[6]) then return 0 end
local found = redis.call('HMGET', KEYS[1], 'generation', 'text')
if (found[1] or '0') == ARGV[3] and (found[2] or '') == ARGV[4] then return 1 end
if (found[1] or '0') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[3], ARGV[1])
if ARGV[3] ~= '0' then
  redis.call('HSET', KEYS[1], 'generation', ARGV[3], 'text', ARGV[4])
  redis.call('SADD', KEYS[3], ARGV[1])
  if ARGV[5] ~= '0' then redis.call('PEXPIREAT', KEYS[1], ARGV[5]) end
end
return 1
"""

# KEYS: accounts. ARGV: what the names of records begin with. Returns key, generation and text of
# each. All of them have one hash tag, and so one place in a cluster.
_ALL = """
local found = {}
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local record = redis.call('HMGET', ARGV[1] .. key, 'generation', 'text')
  if record[1] then found[#found + 1] = {key, record[1], record[2]} end
end
return found
"""


class RedisTokenStore(SharedTokenStore):
    """An account of *app_name* that many machines share, sealed with *key*.

    *client_or_url* is where Redis is, or a client of redis-py; *prefix* begins the name of each
    key in it. A lock is a lease of *lease* seconds. *key* is what `Auth(key=)` takes; the variable
    `<APP>_AUTH_KEY` beats it. Raises ValueError for a lease under two seconds. No I/O until used.
    """

    def __init__(
        self,
        client_or_url: Any,
        *,
        app_name: str,
        key: KeyGiven | None,
        prefix: str = "click-auth",
        lease: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not lease >= _SHORTEST_LEASE:
            raise ValueError(f"lease must be at least {_SHORTEST_LEASE:g} seconds, not {lease!r}")
        if set(prefix) & set("{}"):
            raise ValueError(f"prefix must not contain braces, as {prefix!r} does")
        self._redis = RedisRecords(client_or_url, app_name, prefix, lease)
        super().__init__(self._redis, app_name=app_name, key=key, clock=clock)

    def checks(self) -> Iterable[tuple[str, str, str | None]]:
        """Return what can be said of Redis: scripts may run, version, eviction, persistence."""
        return self._redis.checks()


class RedisRecords:
    """The records of one application, and their locks: leases of *lease* seconds."""

    def __init__(self, client_or_url: Any, app_name: str, prefix: str, lease: float) -> None:
        self._where = client_or_url, app_name, prefix
        self._lease_seconds = lease
        self._ahead: float | None = None

    @cached_property
    def _connection(self) -> Connection:
        from click_auth.redis.connection import Connection  # noqa: PLC0415 - redis-py: 90 ms

        return Connection(*self._where)

    def all(self) -> Mapping[str, StoredRecord]:
        """Return all records by key."""
        name = self._connection.name
        found = self._connection.run(_ALL, [name("accounts")], name("record"))
        return {_text(key): StoredRecord(int(number), _text(text)) for key, number, text in found}

    def get(self, key: str) -> StoredRecord | None:
        """Return the record of *key*, None where there is none."""
        began = time.time()
        name = self._connection.name("record", key)
        generation, text, seconds, micros = self._connection.run(_READ, [name])
        self._ahead = int(seconds) + int(micros) / 1e6 - (began + time.time()) / 2
        return None if text is None else StoredRecord(int(generation), _text(text))

    def swap(
        self,
        key: str,
        expected: int,
        new: StoredRecord | None,
        *,
        expires_at: float | None = None,
        lock: Lease | None = None,
    ) -> bool:
        """Put *new* in place of the record of generation *expected*; return whether it was there.

        A *lock* that somebody else has held since changes nothing.
        """
        name, end = self._connection.name, int((expires_at or 0) * 1000)
        keys = [name("record", key), name("fence", key), name("accounts")]
        words = (key, expected, *(new or (0, "")), end, lock.fence if lock else 0)
        return bool(self._connection.run(_SWAP, keys, *words))

    def lock(self, key: str, seconds: float) -> AbstractContextManager[Lease]:
        """Hold the lock of one account. Raises TimeoutError after *seconds*."""
        return Lease(self._connection, key, self._lease_seconds).held(seconds)

    def checks(self) -> Iterator[tuple[str, str, str | None]]:
        """Yield what can be said of the server: a name, a value, and a hint where one is due."""
        began = time.monotonic()
        self.get("")
        yield "redis scripts", f"may run, {(time.monotonic() - began) * 1000:.0f} ms", None
        facts = self._connection.info()
        version = str(facts.get("redis_version", "unknown"))
        is_old = version.partition(".")[0] in ("2", "3", "4", "5")
        yield "redis version", version, "Redis 6 or later is needed." if is_old else None
        role = str(facts.get("role", "unknown"))
        yield "redis role", role, "A replica accepts no writes." if role == "slave" else None
        policy = str(facts.get("maxmemory_policy", "unknown"))
        hint = "Set maxmemory-policy to noeviction: an evicted account is logged out."
        yield "redis eviction", policy, None if policy in ("noeviction", "unknown") else hint
        has_log = bool(facts.get("aof_enabled"))
        hint = "Set appendonly to yes: a restart may restore a refresh token that was already used."
        yield "redis persistence", "log" if has_log else "no log", None if has_log else hint

    def now(self) -> float:
        """Return Redis' time in POSIX seconds, as the last read has shown it."""
        if self._ahead is None:
            self.get("")
        return time.time() + (self._ahead or 0.0)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
