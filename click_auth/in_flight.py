"""One worker thread for each credential and event loop; everybody else awaits it.

Needs anyio, which httpx itself stands on: asyncio and trio alike.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from click_auth.credentials import Credential
    from click_auth.tokens import Rejected, TokenBundle

_locks: RunVar[WeakKeyDictionary[Credential, anyio.Lock]] = RunVar("click_auth_locks")


async def first(credential: Credential) -> TokenBundle:
    """Return a token of *credential*. Raises as `Credential.bundle` does."""
    async with _turn(credential):
        bundle = credential.at_hand()
        return bundle if bundle is not None else await anyio.to_thread.run_sync(credential.bundle)


async def another(credential: Credential, rejected: Rejected) -> TokenBundle | None:
    """Return a token that is not the *rejected* one, None where there is none."""
    async with _turn(credential):
        bundle = credential.at_hand()
        if bundle is not None and bundle.access_token != rejected:
            return bundle
        return await anyio.to_thread.run_sync(credential.after_401, rejected)


@asynccontextmanager
async def _turn(credential: Credential) -> AsyncIterator[None]:
    """Wait for one's turn. Whoever has it is the only one in a thread; the others find its token.

    A cancellation does not interrupt the thread: a rotated token is stored before the task ends.
    """
    locks = _locks.get(None)
    if locks is None:
        locks = WeakKeyDictionary()
        _locks.set(locks)
    async with locks.setdefault(credential, anyio.Lock()):
        yield
