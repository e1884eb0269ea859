"""How long an event loop is held: by a credential's own code, and by whatever else runs in it.

The credential's flow is driven step by step from here. A step is all that runs between two moments
at which the loop is free, and it begins and ends in the flow: what httpx does before, after and
around it is in no step. Where a step waits for the interpreter, because a worker thread of ours
computes, the wait is in it; where it waits for a processor that another process has, as Linux
counts it, or for the interpreter's garbage collector, it is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterator
from typing import Any, Generic, TypeVar

import httpx

T = TypeVar("T")

TICK_SECONDS = 0.002


class Steps:
    """The longest step so far, in seconds: `held` for, and `computed` in this thread.

    `collected` is the longest collection that fell into a step, whoever's objects made it due.
    """

    held = computed = collected = 0.0

    def __init__(self) -> None:
        self._waits = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._collecting_since = self._collecting = 0.0
        gc.callbacks.append(self._note_collection)

    def _note_collection(self, phase: str, _: object) -> None:
        """Add up the time of collections, which stop every thread."""
        if phase == "start":
            self._collecting_since = time.perf_counter()
        else:
            self._collecting += time.perf_counter() - self._collecting_since

    def waited(self) -> float:
        """Return the seconds for which this thread has waited for a processor so far."""
        return int(os.pread(self._waits, 64, 0).split()[1]) / 1e9

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Time one step."""
        collecting = self._collecting
        waited, wall, cpu = self.waited(), time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            computed, held = time.thread_time() - cpu, time.perf_counter() - wall
            collected = self._collecting - collecting
            self.collected = max(self.collected, collected)
            self.computed = max(self.computed, computed)
            self.held = max(self.held, held - collected - (self.waited() - waited))


class Stepped(Generic[T]):
    """An awaitable whose steps are timed."""

    def __init__(self, awaited: Awaitable[T], steps: Steps) -> None:
        self._awaited, self._steps = awaited, steps

    def __await__(self) -> Generator[Any, None, T]:
        iterator = self._awaited.__await__()
        while True:
            try:
                with self._steps.one():
                    waits_for = next(iterator)
            except StopIteration as done:
                return done.value
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
        self._steps.held = self._steps.computed = self._steps.collected = 0.0
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    def stop(self) -> None:
        """Print what was seen."""
        self._ticking.cancel()
        steps = self._steps
        seen = {
            "held": steps.held,
            "collected": steps.collected,
            "computed": steps.computed,
            "late": self._late,
        }
        print(json.dumps({name: seconds * 1000 for name, seconds in seen.items()}))

    async def _tick(self) -> None:
        while True:
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._late = max(self._late, time.perf_counter() - due)
