"""`forward.py HERE THERE PORT`: hand each connection on, from one address to another."""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def forward(here: str, there: str, port: int) -> None:
    """Hand on each connection to *port* of one address to the same port of another."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while content := await reader.read(65536):
                writer.write(content)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far = await asyncio.open_connection(there, port)
            await asyncio.gather(pump(reader, far[1]), pump(far[0], writer))

    listener = await asyncio.start_server(connected, here, port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(forward(sys.argv[1], sys.argv[2], int(sys.argv[3])))
