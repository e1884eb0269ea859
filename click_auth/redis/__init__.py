"""One account on many machines: its record and its tokens in Redis (extra `redis`).

redis-py is loaded when the store is first used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from click_auth.redis.records import RedisRecords
from click_auth.stores.shared import SharedTokenStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click_auth.stores.cipher import KeyGiven

__all__ = ["RedisTokenStore"]

_SHORTEST_LEASE = 2.0


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
