"""HEADs: wrk waits for the bodies that their answers announce, so they are sent from here."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import uvloop

from bench.speed.load import Load

END = b"\r\n\r\n"
OK = b"HTTP/1.1 200 "


def heads_of(url: str, requests: Sequence[bytes], connections: int, seconds: int) -> Load:
    """What came of these requests, sent in turn for some seconds; RuntimeError for a refusal."""
    return uvloop.run(_send(url, requests, connections, seconds))


async def _send(url: str, requests: Sequence[bytes], connections: int, seconds: int) -> Load:
    where = urlsplit(url)
    waits: list[float] = []
    received = 0
    turns = itertools.cycle(requests)
    began = time.perf_counter()
    end = began + seconds

    async def client() -> None:
        nonlocal received
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        while (sent := time.perf_counter()) < end:
            writer.write(next(turns))
            head = await reader.readuntil(END)
            if not head.startswith(OK):
                raise RuntimeError(f"a HEAD was refused: {head!r}")
            waits.append((time.perf_counter() - sent) * 1e6)
            received += len(head)
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    taken = time.perf_counter() - began
    ordered = statistics.quantiles(waits, n=100)
    return Load(len(waits), received, taken, ordered[49], ordered[98])
