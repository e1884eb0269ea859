"""A thousand requests in one process: `many_requests.py sync|async ours|fixed`.

Prints what they cost as {"cpu", "wall"} in milliseconds; start-up does not count.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable

import httpx
import keyring

REQUESTS = 1_000
AT_ONCE = 50
API_URL = os.environ["API_URL"]


def fixed_header() -> dict[str, str]:
    """Return the header of somebody who read the keyring once, by hand."""
    slot = os.environ["SLOT"]
    return {"Authorization": f"Bearer {keyring.get_password('todo/' + slot, slot)}"}


def sequential(api: httpx.Client) -> None:
    """Make all requests, one after the other."""
    with api:
        for _ in range(REQUESTS):
            api.get("/me").raise_for_status()


async def concurrent(api: httpx.AsyncClient) -> None:
    """Make all requests, many at once."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with slots:
            (await api.get("/me")).raise_for_status()

    async with api:
        await asyncio.gather(*(one() for _ in range(REQUESTS)))


def work(way: str, whose: str) -> Callable[[], None]:
    """Return what is to be measured, with its client made."""
    if whose == "ours":
        from todo import auth

        if way == "sync":
            return lambda: sequential(auth.client())
        return lambda: asyncio.run(concurrent(auth.client(httpx.AsyncClient)))
    headers = fixed_header()
    if way == "sync":
        return lambda: sequential(httpx.Client(base_url=API_URL, headers=headers))
    return lambda: asyncio.run(concurrent(httpx.AsyncClient(base_url=API_URL, headers=headers)))


if __name__ == "__main__":
    run = work(*sys.argv[1:])
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    cost = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({name: seconds * 1000 for name, seconds in cost.items()}))
