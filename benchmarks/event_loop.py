"""How long an event loop is held: by a credential's own code, and by whatever else runs in it.

The credential's flow is driven step by step from here. A step is all that runs between two moments
at which the loop is free, and it begins and ends in the flow: what httpx does before, after and
around it is in no step. That it waits for the interpreter while a worker thread computes is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Generator
from typing import Any, Generic, TypeVar

import httpx

T = TypeVar("T")

TICK_SECONDS = 0.002


class Steps:
    """The longest step so far, in seconds: by the wall, and of this thread's CPU time."""

    wall = cpu = 0.0


class Stepped(Generic[T]):
    """An awaitable whose steps are timed."""

    def __init__(self, awaited: Awaitable[T], steps: Steps) -> None:
        self._awaited, self._steps = awaited, steps

    def __await__(self) -> Generator[Any, None, T]:
        iterator = self._awaited.__await__()
        while True:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                waits_for = next(iterator)
            except StopIteration as done:
                return done.value
            finally:
                self._steps.wall = max(self._steps.wall, time.perf_counter() - wall)
                self._steps.cpu = max(self._steps.cpu, time.thread_time() - cpu)
            yield waits_for


class WatchedAuth(httpx.Auth):
    """A credential's flow, each step of it timed."""

    def __init__(self, auth: httpx.Auth, steps: Steps) -> None:
        self._auth, self._steps = auth, steps

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do what the credential does."""
        flow = self._auth.async_auth_flow(request)
        try:
            to_send = await Stepped(anext(flow), self._steps)
            while True:
                response = yield to_send
                to_send = await Stepped(flow.asend(response), self._steps)
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()


class Watch:
    """An eye on the event loop of one client."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self._steps, self._late = Steps(), 0.0
        if api.auth is not None:
            api.auth = WatchedAuth(api.auth, self._steps)

    def start(self) -> None:
        """Watch from now on."""
        self._steps.wall = self._steps.cpu = 0.0
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    def stop(self) -> None:
        """Print what was seen."""
        self._ticking.cancel()
        seen = {"held": self._steps.wall, "computed": self._steps.cpu, "late": self._late}
        print(json.dumps({name: seconds * 1000 for name, seconds in seen.items()}))

    async def _tick(self) -> None:
        while True:
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._late = max(self._late, time.perf_counter() - due)
