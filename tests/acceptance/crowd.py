"""A crowd of clients in a process of its own: idle ones, and slow ones of three kinds.

Started as `python crowd.py PORT IDLE SLOW GET PUT`: GET is the target of a large object, PUT
one that takes UPLOAD bytes. It says `here` when everybody is connected, stays until its
standard input ends, and then says how many of its connections the gateway has closed meanwhile.
"""

import asyncio
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field

UPLOAD = 1_000_000
PAUSE = 0.5  # seconds between two bytes of a slow client
AT_ONCE = 50

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Crowd:
    """Clients of the gateway at this port."""

    port: int
    streams: list[Stream] = field(default_factory=list)
    slow: list[asyncio.Task[None]] = field(default_factory=list)

    async def join(self, first: bytes) -> Stream:
        """One more connection, on which `first` was said."""
        stream = await asyncio.open_connection("127.0.0.1", self.port, limit=1_024)
        stream[1].write(first)
        self.streams.append(stream)
        return stream

    async def drip(self, first: bytes, more: bytes) -> None:
        """Say `first`, and of `more` a byte now and then, again and again."""
        _, writer = await self.join(first)

        async def dripping() -> None:
            for place in range(UPLOAD):
                await asyncio.sleep(PAUSE)
                writer.write(more[place % len(more) :][:1])

        self.slow.append(asyncio.create_task(dripping()))

    async def sip(self, first: bytes) -> None:
        """Ask for something, and hardly read it."""
        reader, _ = await self.join(first)

        async def sipping() -> None:
            for _ in range(UPLOAD):
                await asyncio.sleep(PAUSE)
                await reader.read(64)

        self.slow.append(asyncio.create_task(sipping()))

    def left(self) -> int:
        """How many connections have come to their end."""
        return sum(reader.at_eof() or writer.is_closing() for reader, writer in self.streams)


async def main(port: int, idle: int, slow: int, get: str, put: str) -> None:
    """Come, stay, and go."""
    crowd = Crowd(port)
    host = f"Host: 127.0.0.1:{port}\r\n"
    upload = f"PUT {put} HTTP/1.1\r\n{host}Content-Length: {UPLOAD}\r\n\r\n".encode()
    download = f"GET {get} HTTP/1.1\r\n{host}\r\n".encode()
    health = f"GET /_health/live HTTP/1.1\r\n{host}\r\n".encode()
    coming: list[Coroutine[None, None, object]] = [
        *(crowd.join(health if number % 2 else b"") for number in range(idle)),
        *(crowd.drip(b"GET / HTTP/1.1\r\n", b"X-A: a\r\n") for _ in range(slow // 3)),
        *(crowd.drip(upload, b"slowly ") for _ in range(slow // 3)),
        *(crowd.sip(download) for _ in range(slow - 2 * (slow // 3))),
    ]
    for start in range(0, len(coming), AT_ONCE):
        await asyncio.gather(*coming[start : start + AT_ONCE])
    sys.stdout.write("here\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    sys.stdout.write(f"{crowd.left()}\n")
    for task in crowd.slow:
        task.cancel()
    for _, writer in crowd.streams:
        writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6]))
