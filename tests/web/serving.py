"""A boundary on a real socket, and clients that say exactly what they mean."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from gateway.web import server
from gateway.web.edge import Edge


@dataclass(frozen=True, slots=True)
class Served:
    """Where a boundary answers."""

    port: int

    @property
    def url(self) -> str:
        """The root of its URLs."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class RawResponse:
    """What a socket said: a status, lower-cased headers, and the rest."""

    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def serving(boundary: Edge) -> AsyncIterator[Served]:
    """The boundary, served as the gateway serves it."""
    listener = server.bind("127.0.0.1", 0)
    started, stopping = asyncio.Event(), asyncio.Event()

    async def ready() -> None:
        started.set()

    ended = asyncio.create_task(server.serve(nullcontext(boundary), listener, stopping, ready))
    await started.wait()
    try:
        yield Served(listener.getsockname()[1])
    finally:
        stopping.set()
        await ended


async def say(served: Served, *parts: bytes, until: Callable[[bytes], bool] | None = None) -> bytes:
    """Everything that the gateway answers to these bytes until it closes, or `until`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    heard = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(15):
            while not (until is not None and until(heard)):
                piece = await reader.read(65_536)
                if not piece:
                    break
                heard += piece
    except ConnectionError:
        pass
    finally:
        writer.close()
    return heard


def parsed(said: bytes) -> RawResponse:
    """One response taken apart."""
    head, _, body = said.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (part.split(": ", 1) for part in rest)}
    return RawResponse(int(line.split()[1]), headers, body)


async def ask(served: Served, method: str, target: str, *headers: str) -> RawResponse:
    """The answer to a request without a body, on a connection of its own."""
    lines = [f"{method} {target} HTTP/1.1", *headers, "Connection: close"]
    if not any(header.lower().startswith("host:") for header in headers):
        lines.insert(1, "Host: gateway.example")
    return parsed(await say(served, ("\r\n".join(lines) + "\r\n\r\n").encode()))
