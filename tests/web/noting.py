"""An edge that notes whose heads were known, and answers when it may; and its clients."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from multidict import CIMultiDict

from gateway.deputy import Wait, pending
from gateway.errors import GatewayError
from gateway.s3.message import Reply
from gateway.web import reply
from gateway.web.asked import Asked
from gateway.web.reply import Sent
from tests.web.serving import Served

# The one waits for what it likes, the other for a turn of its own.
WAITING = ("/wait", "/backend")


def head_for(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


GET = head_for("/x")


@dataclass(slots=True)
class Noting:
    """Answers with the path, and notes of each request whether its head was known."""

    may: asyncio.Event = field(default_factory=asyncio.Event)
    waits: Wait | None = None
    turns: int = 0
    last: bool = False
    patience: float | None = None
    known: list[tuple[str, bool]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, asked: Asked) -> Sent:
        path = asked.head.path
        self.known.append((path, asked.known is not None and asked.known.head is not None))
        if path in WAITING:
            try:
                await (self.may.wait() if path == "/wait" else self._pending())
            except asyncio.CancelledError:
                self.left.set()
                raise
        body = await asked.content.read()
        told = Reply(403 if path == "/refused" else 200, body=f"{path} {len(body)}\n".encode())
        return await reply.send(asked, told, CIMultiDict(), last=self.last)

    async def _pending(self) -> None:
        """Nothing, once it may go on, or after a time-out of its own."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self._go()

    async def _go(self) -> None:
        while not self.may.is_set():
            self.waits = pending(asyncio.get_running_loop())
            self.turns += 1
            await self.waits

    def let_go(self) -> None:
        """Who waits goes on."""
        self.may.set()
        if self.waits is not None and not self.waits.done():
            self.waits.set_result(None)

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        self.known.append((error.code, asked.known is not None))
        return await reply.send(asked, Reply(error.status), CIMultiDict(), last=True)

    def leave(self) -> None:
        """Nobody stays."""


@dataclass(frozen=True, slots=True)
class Line:
    """A client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *pieces: bytes) -> None:
        """Nothing, once each piece has had the time to arrive by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.02)

    async def hear(self) -> str:
        """The next answer's body."""
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            return (await self.reader.readexactly(int(length))).decode().strip()

    async def ask(self, head: bytes) -> str:
        """The answer's body."""
        await self.say(head)
        return await self.hear()


async def connected(served: Served, address: str = "127.0.0.1") -> Line:
    return Line(
        *await asyncio.open_connection("127.0.0.1", served.port, local_addr=(address, 0)),
    )


async def known(line: Line, head: bytes = GET) -> None:
    """Nothing, once the head has come twice."""
    for _ in range(2):
        await line.ask(head)
