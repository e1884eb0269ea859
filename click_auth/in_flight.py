"""One worker thread for each credential and event loop; everybody else awaits it.

Needs anyio, which httpx itself stands on: asyncio and trio alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from click_auth.credentials import Credential
    from click_auth.tokens import TokenBundle

_waiting: RunVar[WeakKeyDictionary[Credential, anyio.Event]] = RunVar("click_auth_in_flight")


async def shared(credential: Credential, rejected: str | None) -> TokenBundle | None:
    """Return a token of *credential* that is not the *rejected* one; None where there is none.

    A cancellation does not interrupt the thread: a rotated token is stored before the task ends.
    """
    in_flight = _waiting.get(None)
    if in_flight is None:
        in_flight = WeakKeyDictionary()
        _waiting.set(in_flight)
    while (event := in_flight.get(credential)) is not None:
        await event.wait()
        bundle = credential.at_hand()
        if bundle is not None and bundle.access_token != rejected:
            return bundle
    event = in_flight[credential] = anyio.Event()
    try:
        return await anyio.to_thread.run_sync(_obtain, credential, rejected)
    finally:
        del in_flight[credential]
        event.set()


def _obtain(credential: Credential, rejected: str | None) -> TokenBundle | None:
    return credential.bundle() if rejected is None else credential.after_401(rejected)
