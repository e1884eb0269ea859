"""How Redis is spoken to: one place for the names of keys, for scripts and for errors."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from click_auth.account import folder_name
from click_auth.errors import BAD_SETTING, AuthError, StorageUnavailable, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CALL_SECONDS = 3.0
_REFUSED = (exceptions.AuthenticationError, exceptions.AuthorizationError)
_AWAY = (
    *(redis.ConnectionError, redis.TimeoutError, OSError, exceptions.ReadOnlyError),
    *(exceptions.ClusterDownError, exceptions.TryAgainError),
)


class Connection:
    """One application's keys in Redis. All have one hash tag: a cluster keeps them together."""

    def __init__(self, client_or_url: Any, app_name: str, prefix: str) -> None:
        self.client: Any = client_or_url
        if isinstance(client_or_url, str):
            try:
                self.client = redis.Redis.from_url(
                    client_or_url,
                    socket_timeout=_CALL_SECONDS,
                    socket_connect_timeout=_CALL_SECONDS,
                    retry=Retry(NoBackoff(), 1),
                    retry_on_error=[redis.ConnectionError, redis.TimeoutError],
                )
            except ValueError:  # whose text may quote a part of the password, taken for a port
                hint = "Write redis://, rediss:// or unix://, and percent-encode the password."
                message = "The URL of Redis is not valid."
                raise AuthError(message, code=BAD_SETTING, hints=[hint]) from None
            # redis-py's own `__del__` comes too late in a circle: the socket's may be first
            weakref.finalize(self, self.client.close)
        self._tag = f"{{{prefix}:{folder_name(app_name)}}}"
        facts: dict[str, Any] = getattr(self.client, "get_connection_kwargs", dict)()
        self.place: str = ":".join(str(facts[name]) for name in ("host", "port") if name in facts)

    def name(self, kind: str, key: str = "") -> str:
        """Return the name of a key in Redis."""
        return f"{self._tag}:{kind}:{key}"

    def run(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        """Run a script. It may run twice, where the first answer is lost.

        Raises `StoreUnreachable` where Redis is away, `StorageUnavailable` where it refuses.
        """
        with self._errors():
            return self.client.eval(script, len(keys), *keys, *arguments)

    def info(self) -> dict[str, Any]:
        """Return what the server says of itself. Raises as `run`."""
        with self._errors():
            return dict(self.client.info())

    def wait(self, name: str, seconds: float) -> None:
        """Sleep until somebody puts something into the list *name*, *seconds* at most."""
        with self._errors(), contextlib.suppress(redis.TimeoutError):
            self.client.blpop([name], timeout=seconds)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what redis-py raises within the block into our errors."""
        try:
            yield
        except (exceptions.RedisError, OSError) as error:
            message = f"Redis at {self.place or 'the given client'}: {error}"
            if isinstance(error, _AWAY) and not isinstance(error, _REFUSED):
                raise StoreUnreachable(message, hints=[StorageUnavailable.try_later]) from None
            raise StorageUnavailable(message) from None
