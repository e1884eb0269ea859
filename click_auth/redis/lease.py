"""The lock of one account in Redis: a lease that its holder renews, with a fencing number.

A holder that was killed, or paused for longer than the lease, is followed by the next one, whose
fencing number is higher; what the earlier one writes after that is refused. Numbers begin at
Redis' time, so that they grow even where Redis has lost the last one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from click_auth.errors import AuthError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click_auth.redis.connection import Connection

_RENEWALS = 3  # of a lease, before it would end
_AGAIN_SECONDS = 0.1  # until a renewal that failed is tried again
_WAKING_SECONDS = 0.25  # until a waiter looks by itself: whoever is to wake it may be killed

# KEYS: lock, fence, wake, run. ARGV: the lease in ms. Returns the fencing number, 0 where it is
# held. While Redis was away no holder could renew, and a Redis that has started since may have
# lost a lock: nobody gets it for one lease, so that a holder can come back with what it received.
_ACQUIRE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
local before = redis.call('GET', KEYS[4])
redis.call('SET', KEYS[4], run, 'EX', 2592000)
if before and before ~= run then
  redis.call('SET', KEYS[1], 0, 'PX', ARGV[1])
  return 0
end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[1], fence, 'PX', ARGV[1])
redis.call('SET', KEYS[2], fence, 'EX', 2592000)
redis.call('DEL', KEYS[3])
return tonumber(fence)
"""

# KEYS: lock, fence. ARGV: fencing number, lease in ms. A lease that ran out, or that Redis has
# lost, is ours again unless somebody has taken it. Returns 0 where somebody has.
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', 2592000)
return 1
"""

# KEYS: lock, fence, wake. ARGV: fencing number, lease in ms. Wakes one of those who wait.
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('LPUSH', KEYS[3], 1)
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return 1
"""


class Lease:
    """A lock that is held for *seconds* from each renewal; `fence` is its fencing number."""

    def __init__(self, connection: Connection, key: str, seconds: float) -> None:
        self._connection = connection
        self._keys = [connection.name(kind, key) for kind in ("lock", "fence", "wake", "run")]
        self._milliseconds = int(seconds * 1000)
        self._key = key
        self.fence: int = 0

    def check(self) -> None:
        """Renew the lease. Raises `Unreachable` where it is lost or cannot be renewed."""
        if not self._renew():
            message = f"The lease of {self._key} ran out and another process has taken it."
            raise Unreachable(message, hints=[Unreachable.try_again])

    @contextlib.contextmanager
    def held(self, seconds: float) -> Iterator[Lease]:
        """Hold the lock within the block, renewed by a thread. Raises TimeoutError after *seconds*.

        A waiter is woken by the one that lets go.
        """
        deadline = time.monotonic() + seconds
        while not self._acquire():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(self._key)
            self._connection.wait(self._keys[2], min(left, _WAKING_SECONDS))
        ended = threading.Event()
        threading.Thread(target=self._beat, args=(ended,), daemon=True).start()
        try:
            yield self
        finally:
            ended.set()
            with contextlib.suppress(AuthError):  # it ends by itself
                self._connection.run(_RELEASE, self._keys, self.fence, self._milliseconds)

    def _acquire(self) -> bool:
        self.fence = self._connection.run(_ACQUIRE, self._keys, self._milliseconds)
        return self.fence != 0

    def _renew(self) -> bool:
        return bool(self._connection.run(_RENEW, self._keys, self.fence, self._milliseconds))

    def _beat(self, ended: threading.Event) -> None:
        """Renew the lease until the hold has *ended*; where that fails, `check` will say so."""
        usual = pause = self._milliseconds / 1000 / _RENEWALS
        while not ended.wait(pause):
            pause = _AGAIN_SECONDS
            with contextlib.suppress(AuthError):
                self._renew()
                pause = usual
