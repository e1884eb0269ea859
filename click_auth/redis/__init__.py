"""One account on many machines: its record and its tokens in Redis (extra `redis`).

redis-py is loaded when the store is first used.
"""

from click_auth.redis.records import RedisTokenStore

__all__ = ["RedisTokenStore"]
