"""Websockets: who may begin one, who is cut off, and how they end when the gateway does."""

import asyncio
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import WSCloseCode

from gateway.s3.message import Request
from gateway.web import websocket
from gateway.web.access_log import Entry
from gateway.web.boundary import Boundary
from gateway.web.exchange import Exchange
from gateway.web.websocket import Socket, Upgrade
from tests.web.serving import ask, serving

UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")


@dataclass(slots=True)
class Talking:
    """Echoes; or, as the path says, shouts for ever, fails, or waits until it has to leave."""

    name = "talk"
    methods = ()
    varies = ()
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @staticmethod
    def is_public(request: Request) -> bool:
        del request
        return False

    async def answer(self, exchange: Exchange) -> Upgrade:
        async def converse(socket: Socket) -> None:
            try:
                await self._talk(exchange.request.path, socket)
            finally:
                self.ended.set()

        return Upgrade(converse)

    async def _talk(self, path: str, socket: Socket) -> None:
        if path == "/fail":
            raise RuntimeError("as it was told")
        if path == "/wait":
            await socket.leaving.wait()
            await socket.close(WSCloseCode.GOING_AWAY, "bye")
        while path == "/shout":
            await socket.send(b"x" * 500_000)
        while (said := await socket.receive(20)) is not None:
            await socket.send(said)


@dataclass(slots=True)
class Served:
    """A boundary with that door, and what its log was told."""

    door: Talking
    told: list[Entry]
    boundary: Boundary


@pytest.fixture
def talking() -> Served:
    door, told = Talking(), list[Entry]()
    return Served(door, told, Boundary(lambda _: door, observers=(told.append,)))


async def test_messages_go_both_ways_and_are_counted(talking: Served) -> None:
    async with serving(talking.boundary) as served:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{served.url}/", compress=15) as client:
                assert client.compress == 0
                await client.send_str("héllo")
                assert (await client.receive_str(timeout=10)) == "héllo"
                await client.send_bytes(b"\0\1")
                assert (await client.receive_bytes(timeout=10)) == b"\0\1"
            assert client.close_code == WSCloseCode.OK
        await asyncio.wait_for(talking.door.ended.wait(), 10)
    (entry,) = talking.told
    assert (entry.status, entry.received, entry.sent, entry.complete) == (101, 7, 7, True)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        UPGRADE[:1],
        UPGRADE,
        (*UPGRADE, "Sec-WebSocket-Key: short"),
        (*UPGRADE[:2], "Sec-WebSocket-Version: 99", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
    ],
)
async def test_what_is_no_handshake_is_refused(talking: Served, headers: tuple[str, ...]) -> None:
    async with serving(talking.boundary) as served:
        answer = await ask(served, "GET", "/", *headers)
    assert answer.status == 400
    assert b"this path is for websockets" in answer.body
    assert talking.told[0].error == "InvalidRequest"


async def test_who_never_reads_is_cut_off(talking: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "STALL_SECONDS", 0.3)
    async with serving(talking.boundary) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 12)
        key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        head = "\r\n".join(("GET /shout HTTP/1.1", "Host: x", *UPGRADE, key))
        writer.write(f"{head}\r\n\r\n".encode())
        await asyncio.wait_for(talking.door.ended.wait(), 20)
        writer.close()
        del reader
    (entry,) = talking.told
    assert (entry.error, entry.complete) == ("ClientLeft", False)
    assert entry.sent < 30_000_000


async def test_what_fails_ends_the_connection_and_says_nothing(
    talking: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(talking.boundary) as served, aiohttp.ClientSession() as session:
        client = await session.ws_connect(f"{served.url}/fail")
        message = await client.receive(timeout=10)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        assert "as it was told" not in str(message)
    (entry,) = talking.told
    assert (entry.error, entry.complete) == ("InternalError", False)
    assert "as it was told" in caplog.text


async def test_a_stop_ends_conversations(talking: Served) -> None:
    async with aiohttp.ClientSession() as session:
        async with serving(talking.boundary) as served:
            client = await session.ws_connect(f"{served.url}/wait")
            hearing = asyncio.create_task(client.receive(timeout=10))
        message = await hearing
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, WSCloseCode.GOING_AWAY)
    assert talking.told[0].complete


async def test_a_client_that_just_goes_is_noted(talking: Served) -> None:
    async with serving(talking.boundary) as served:
        async with aiohttp.ClientSession() as session:
            client = await session.ws_connect(f"{served.url}/")
            await client.send_str("one")
            await client.receive_str(timeout=10)
            transport = client._writer.transport  # noqa: SLF001 - to break it off
            transport.abort()
        await asyncio.wait_for(talking.door.ended.wait(), 10)
        await asyncio.sleep(0.05)
    (entry,) = talking.told
    assert (entry.status, entry.error, entry.complete) == (101, "ClientLeft", False)
    assert (entry.received, entry.sent) == (3, 3)
