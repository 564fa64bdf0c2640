"""A backend that breaks HTTP on purpose: what no real server does at a wish."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.config import Backend


@dataclass(slots=True)
class Seen:
    """A request as the backend saw it, and the connection that it came on."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass(slots=True)
class Faulty:
    """The backend's address, and what has arrived there."""

    backend: Backend
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Seen], Awaitable[None]]


async def read_head(reader: asyncio.StreamReader, connection: int) -> Seen:
    """A request's line and headers; its body is not read."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (part.split(": ", 1) for part in rest)}
    return Seen(line, headers, b"", connection)


@asynccontextmanager
async def faulty(behave: Behaviour, *, read_body: bool = True) -> AsyncIterator[Faulty]:
    """A backend that answers each request as `behave` does."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        there.connections += 1
        connection = there.connections
        try:
            while True:
                request = await read_head(reader, connection)
                if read_body:
                    size = int(request.headers.get("content-length", "0"))
                    request.body = await reader.readexactly(size)
                there.seen.append(request)
                await behave(reader, writer, request)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    endpoint = f"http://{host}:{port}"
    there = Faulty(Backend(endpoint, access_key_id="key", secret_access_key="secret"))
    try:
        yield there
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def response(status: str, body: bytes = b"", *, length: int | None = None) -> bytes:
    """An HTTP response, its Content-Length that of the body unless said otherwise."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body
