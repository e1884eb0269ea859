"""A thousand requests in one process: `many_requests.py sync|async|cold|watched ours|fixed`.

Prints what they cost as {"cpu", "wall"} in milliseconds. Start-up does not count, on either
side: one request before the clock starts pays for imports, certificates and the keyring's read.

`cold` is the exception: fifty tasks start at once on a new client, twenty requests each, and what
the first token costs is in it.

`watched` is `async` with an eye on the event loop, which costs more than our code does and so is a
run of its own: it prints {"held", "computed", "late"} in milliseconds, as event_loop.py has it.
"""

import asyncio
import json
import os
import sys
import time

import httpx

from event_loop import Watch

REQUESTS = 1_000
AT_ONCE = 50
# Both sides of what is asynchronous open a connection for each request. Left to itself httpx's pool
# opens 50 of them or 1,000, as the moments fall, on either side, and the 50 take 1.6 times the CPU.
LIMITS = httpx.Limits(max_keepalive_connections=0)
API_URL = os.environ["API_URL"]


def fixed_header() -> dict[str, str]:
    """Return the header of somebody who read the keyring once, by hand."""
    import keyring  # here: where a program has chosen keyring itself, ours reads through it too

    slot = os.environ["SLOT"]
    return {"Authorization": f"Bearer {keyring.get_password('todo/' + slot, slot)}"}


class Clock:
    """CPU and wall time since `start`."""

    def start(self) -> None:
        """Count from now on."""
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """Print what was counted."""
        cost = {"cpu": time.process_time() - self.cpu, "wall": time.perf_counter() - self.wall}
        print(json.dumps({name: seconds * 1000 for name, seconds in cost.items()}))


def sequential(api: httpx.Client) -> None:
    """Make all requests, one after the other."""
    clock = Clock()
    with api:
        api.get("/me").raise_for_status()
        clock.start()
        for _ in range(REQUESTS):
            api.get("/me").raise_for_status()
        clock.stop()


async def concurrent(api: httpx.AsyncClient, clock: Clock | Watch) -> None:
    """Make all requests, many at once."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with slots:
            (await api.get("/me")).raise_for_status()

    async with api:
        await one()
        clock.start()
        await asyncio.gather(*(one() for _ in range(REQUESTS)))
        clock.stop()


async def cold(api: httpx.AsyncClient) -> None:
    """Make all requests in as many tasks as run at once; none was made before."""

    async def some() -> None:
        for _ in range(REQUESTS // AT_ONCE):
            (await api.get("/me")).raise_for_status()

    clock = Clock()
    async with api:
        clock.start()
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        clock.stop()


def ours(way: str) -> httpx.Client | httpx.AsyncClient:
    """Return a client with our credential, which fails where the keyring is read a second time."""
    from click_auth import stores
    from todo import auth

    if way != "sync":
        return httpx.AsyncClient(auth=auth.bearer(), base_url=API_URL, limits=LIMITS)
    contacts: list[str] = []

    def once(contact: str) -> None:
        contacts.append(contact)
        if len(contacts) > 1:
            raise RuntimeError(f"the keyring was asked more than once: {contacts}")

    stores.keyring_guard = once
    return auth.client()


def fixed(way: str) -> httpx.Client | httpx.AsyncClient:
    """Return a client that sends what it read once."""
    if way == "sync":
        return httpx.Client(base_url=API_URL, headers=fixed_header())
    return httpx.AsyncClient(base_url=API_URL, headers=fixed_header(), limits=LIMITS)


def main(way: str, whose: str) -> None:
    """Measure one way, with our credential or with a fixed header."""
    api = ours(way) if whose == "ours" else fixed(way)
    if isinstance(api, httpx.Client):
        sequential(api)
    elif way == "cold":
        asyncio.run(cold(api))
    else:
        asyncio.run(concurrent(api, Watch(api) if way == "watched" else Clock()))


if __name__ == "__main__":
    main(*sys.argv[1:])
