"""HTTP/1.1 messages as they pass on a stream: heads, and bodies in their framing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Head:
    """A request's or a response's head: its raw bytes, first line and headers."""

    raw: bytes = field(repr=False)
    line: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """The first header called `name`, lower case; None when it is absent."""
        return next((value for key, value in self.headers if key == name), None)


class Sink(Protocol):
    """Where bytes go to."""

    def write(self, data: bytes, /) -> None:
        """Take the bytes."""

    async def drain(self) -> None:
        """Return when more can be taken."""


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head on the connection; None where the peer has closed it instead."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Head(raw, first, tuple((name.strip().lower(), text.strip()) for name, _, text in pairs))


def ignore(_: bytes) -> None:
    """Nothing: the bytes that pass are not kept."""


async def pump(
    source: asyncio.StreamReader,
    target: Sink,
    head: Head,
    see: Callable[[bytes], None] = ignore,
) -> None:
    """Pass the body that `head` announces, unchanged, showing `see` every piece of it."""
    if (head.header("transfer-encoding") or "").lower() == "chunked":
        await pump_chunks(source, target, see)
        return
    declared = head.header("content-length")
    if declared is not None:
        await pump_bytes(source, target, int(declared), see)
    elif head.line.startswith("HTTP/"):
        while piece := await source.read(CHUNK):
            see(piece)
            target.write(piece)
            await target.drain()


async def pump_bytes(
    source: asyncio.StreamReader,
    target: Sink,
    left: int,
    see: Callable[[bytes], None],
) -> None:
    """Pass exactly `left` bytes; EOFError when the source ends before that."""
    while left > 0:
        piece = await source.read(min(left, CHUNK))
        if not piece:
            raise EOFError(f"{left} bytes are missing")
        see(piece)
        target.write(piece)
        await target.drain()
        left -= len(piece)


async def pump_chunks(
    source: asyncio.StreamReader, target: Sink, see: Callable[[bytes], None]
) -> None:
    """Pass a chunked body with its trailer."""
    while True:
        line = await source.readuntil(b"\r\n")
        target.write(line)
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        await pump_bytes(source, target, size + 2, see)
    while True:
        line = await source.readuntil(b"\r\n")
        target.write(line)
        if line == b"\r\n":
            break
    await target.drain()
