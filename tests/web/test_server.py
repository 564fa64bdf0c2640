"""The HTTP server: what it takes, what it leaves alone, and how it ends."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import aiohttp
import pytest
from multidict import CIMultiDict

from gateway.errors import GatewayError
from gateway.s3.message import Reply
from gateway.web import server
from gateway.web.asked import Asked
from gateway.web.reply import Sent, send
from gateway.web.server import AddressTaken


@dataclass(slots=True)
class Echo:
    """Answers with the body it gets; "/wait" when it shall. `begun` once it has a request."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    finish: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, asked: Asked) -> Sent:
        self.begun.set()
        body = b"finished"
        if asked.head.path == "/wait":
            await self.finish.wait()
        else:
            body = await asked.content.read()
        return await send(asked, Reply(200, body=body), CIMultiDict())

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        reply = Reply(error.status, body=error.code.encode())
        return await send(asked, reply, CIMultiDict(), last=True)

    def leave(self) -> None:
        """Nobody stays."""


@dataclass(slots=True)
class Served:
    url: str
    stopping: asyncio.Event
    ended: asyncio.Task[None]
    begun: asyncio.Event
    finish: asyncio.Event


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    listener = server.bind("127.0.0.1", 0)
    started, stopping = asyncio.Event(), asyncio.Event()
    echo = Echo()

    async def ready() -> None:
        started.set()

    ended = asyncio.create_task(server.serve(nullcontext(echo), listener, stopping, ready))
    await asyncio.wait_for(started.wait(), 10)
    port = listener.getsockname()[1]
    yield Served(f"http://127.0.0.1:{port}", stopping, ended, echo.begun, echo.finish)
    echo.finish.set()
    stopping.set()
    await ended


async def test_long_urls_and_headers_are_taken(served: Served) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"{served.url}/?X-Amz-Security-Token={'t' * 20_000}"
        async with session.get(url, headers={"x-amz-meta-long": "h" * 20_000}) as answer:
            assert answer.status == 200


async def test_a_compressed_body_stays_compressed(served: Served) -> None:
    body = gzip.compress(b"a" * 10_000)
    async with aiohttp.ClientSession() as session:
        headers = {"Content-Encoding": "gzip"}
        async with session.put(f"{served.url}/x", data=body, headers=headers) as answer:
            assert await answer.read() == body


async def test_a_stop_takes_the_rest_of_a_body_that_has_begun(served: Served) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nhalf")
    await served.begun.wait()
    served.stopping.set()
    await asyncio.sleep(0.1)
    writer.write(b"rest")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    assert (await reader.read()).endswith(b"\r\n\r\nhalfrest")
    writer.close()


async def test_a_stop_lets_a_request_finish_and_takes_no_other(served: Served) -> None:
    async with aiohttp.ClientSession() as session:
        under_way = asyncio.create_task(session.get(f"{served.url}/wait"))
        await served.begun.wait()
        served.stopping.set()
        await asyncio.sleep(0.1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{served.url}/late")
        assert not served.ended.done()
        served.finish.set()
        assert await (await under_way).text() == "finished"
    await asyncio.wait_for(served.ended, 5)


async def test_a_stop_cuts_off_what_takes_too_long(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 0.2)
    async with aiohttp.ClientSession() as session:
        under_way = asyncio.create_task(session.get(f"{served.url}/wait"))
        await served.begun.wait()
        served.stopping.set()
        with pytest.raises(aiohttp.ClientConnectionError):
            await under_way
        await asyncio.wait_for(served.ended, 5)


def test_a_port_that_is_taken_is_said_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressTaken, match=rf"port {port} of 127\.0\.0\.1: .*--port"):
            server.bind("127.0.0.1", port)


def test_a_host_that_is_not_this_machines_is_said() -> None:
    with pytest.raises(AddressTaken, match=r"listen\.host"):
        server.bind("host.invalid", 0)
