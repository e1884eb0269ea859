"""What befalls a token while a program runs, and how many POSTs that may take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import count

from click_auth.testing import AuthorizationServer, Request
from world import World, expire

# The library renews a token that lives so shortly when half of its life is over: these two when
# 0.3 s of a run have passed since the last POST, and the third one outlives it.
LIFETIMES = (0.6, 0.6, 3600.0)
# Among a thousand requests to the API.
REFUSED_AT = (334, 667)


@contextlib.contextmanager
def posts(server: AuthorizationServer, expected: int) -> Iterator[None]:
    """Raise RuntimeError unless so many refreshes, and no more, are asked for in the block."""
    before = server.refresh_count
    yield
    came = server.refresh_count - before
    if came != expected:
        raise RuntimeError(f"{came} POSTs for a refresh, not {expected}")


@contextlib.contextmanager
def one_at_the_start(world: World, server: AuthorizationServer) -> Iterator[None]:
    """Let the token be over when the program starts: the first POST, and the only one."""
    expire(world)
    with posts(server, 1):
        yield


@contextlib.contextmanager
def ending_twice(world: World, server: AuthorizationServer) -> Iterator[None]:
    """Let the token be over when the program starts, and each of the next two after 0.3 s.

    The first POST belongs to the request before the clock starts; two are measured.
    """
    lifetimes = iter(LIFETIMES)

    def shorten(_: Request) -> None:
        server.access_token_lifetime = next(lifetimes, LIFETIMES[-1])

    expire(world)
    server.faults.hooks["token"] = shorten
    try:
        with posts(server, len(LIFETIMES)):
            yield
    finally:
        del server.faults.hooks["token"]


@contextlib.contextmanager
def refused_twice(world: World, server: AuthorizationServer) -> Iterator[None]:
    """Let the token be over when the program starts, and the API refuse the next two.

    The first POST belongs to the request before the clock starts; two are measured.
    """
    numbers = count(1)

    def refuse(_: Request) -> None:
        if next(numbers) in REFUSED_AT:
            server.expire_access_tokens()

    expire(world)
    server.faults.hooks["api"] = refuse
    try:
        with posts(server, 1 + len(REFUSED_AT)):
            yield
    finally:
        del server.faults.hooks["api"]
