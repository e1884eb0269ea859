"""A thousand requests in one process: `many_requests.py sync|async ours|fixed`.

Prints what they cost as {"cpu", "wall"} in milliseconds. Start-up does not count, on either
side: one request before the clock starts pays for imports, certificates and the keyring's read.
"""

import asyncio
import json
import os
import sys
import time

import httpx
import keyring

REQUESTS = 1_000
AT_ONCE = 50
API_URL = os.environ["API_URL"]


def fixed_header() -> dict[str, str]:
    """Return the header of somebody who read the keyring once, by hand."""
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


async def concurrent(api: httpx.AsyncClient) -> None:
    """Make all requests, many at once."""
    slots, clock = asyncio.Semaphore(AT_ONCE), Clock()

    async def one() -> None:
        async with slots:
            (await api.get("/me")).raise_for_status()

    async with api:
        await one()
        clock.start()
        await asyncio.gather(*(one() for _ in range(REQUESTS)))
        clock.stop()


def main(way: str, whose: str) -> None:
    """Measure one way, with our credential or with a fixed header."""
    kind = httpx.Client if way == "sync" else httpx.AsyncClient
    if whose == "ours":
        from todo import auth

        api = auth.client(kind)
    else:
        api = kind(base_url=API_URL, headers=fixed_header())
    if way == "sync":
        sequential(api)
    else:
        asyncio.run(concurrent(api))


if __name__ == "__main__":
    main(*sys.argv[1:])
