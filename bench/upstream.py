"""What the client of the backend costs: a Bucket's CPU for each request, over loopback.

`python -m bench.upstream [--rounds 5] [--json FILE]`

The backend is a process of its own that answers out of memory, so that the CPU of this process is
that of the client: signing, sending, and the answer's reading. 16 requests are under way at a
time, 2 where they are large. Ways alternate; medians.
"""

import argparse
import asyncio
import multiprocessing
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.figures import Report
from gateway.config import Backend
from gateway.storage.bucket import Bucket, Outgoing

SMALL, MIDDLE, LARGE = 4_096, 1 << 20, 64 << 20
PIECE = bytes(1 << 18)
KEY = "key"


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of request: its bytes, how many are sent in a turn, and how many at a time."""

    method: str
    size: int
    count: int
    abreast: int

    @property
    def name(self) -> str:
        """What the figure is called."""
        return f"{self.method} {self.size >> 10} KiB"


WAYS = (
    Way("GET", SMALL, 3_000, 16),
    Way("GET", MIDDLE, 150, 16),
    Way("GET", LARGE, 4, 2),
    Way("PUT", SMALL, 3_000, 16),
    Way("PUT", LARGE, 4, 2),
)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *rest = head.split("\r\n")
            fields = dict(each.lower().split(": ", 1) for each in rest if each)
            left = int(fields.get("content-length", "0"))
            while left:
                left -= len(await reader.read(min(left, len(PIECE))))
            size = int(line.split()[1].rpartition("/")[2]) if line.startswith("GET") else 0
            writer.write(f'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: {size}\r\n\r\n'.encode())
            async for piece in _pieces(size):
                writer.write(piece)
                await writer.drain()
    writer.close()


def _serve(listener: socket.socket) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(_answer, sock=listener)
        await server.serve_forever()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, len(PIECE)):
        yield PIECE[: size - start]


async def _ask(bucket: Bucket, way: Way) -> None:
    key = str(way.size)
    if way.method == "PUT":
        body = _pieces(way.size)
        answer = await bucket.send(Outgoing("PUT", "bucket", key, body=body, length=way.size))
    else:
        answer = await bucket.send(Outgoing("GET", "bucket", key))
    received = 0
    async for piece in answer.stream():
        received += len(piece)
    if received != (way.size if way.method == "GET" else 0):
        raise RuntimeError(f"{way.name}: {received} bytes came")


async def _turn(bucket: Bucket, way: Way) -> float:
    """CPU for each request, in microseconds."""

    async def one_after_another() -> None:
        for _ in range(way.count // way.abreast):
            await _ask(bucket, way)

    started = time.process_time()
    await asyncio.gather(*(one_after_another() for _ in range(way.abreast)))
    return (time.process_time() - started) * 1e6 / (way.count // way.abreast * way.abreast)


async def _measure(port: int, rounds: int) -> Report:
    report = Report("The client of the backend, CPU")
    samples: dict[Way, list[float]] = {way: [] for way in WAYS}
    endpoint = f"http://127.0.0.1:{port}"
    backend = Backend(endpoint, access_key_id=KEY, secret_access_key=KEY)
    async with Bucket(backend) as bucket:
        for number in range(rounds + 1):
            for way in WAYS:
                cost = await _turn(bucket, way)
                if number:  # the first round warms up
                    samples[way].append(cost)
    for way, costs in samples.items():
        report.add(way.name, costs, "µs")
    return report


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What the client of the backend costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,))
        server.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                report = runner.run(_measure(listener.getsockname()[1], options.rounds))
        finally:
            server.terminate()
            server.join()
    report.show(options.json)


if __name__ == "__main__":
    main()
