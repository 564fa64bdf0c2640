"""Answers with more behind them: what nobody asked for is not the answer to the next request."""

import asyncio
import socket

import pytest

from gateway.conduit import LEAST, Outlet
from gateway.s3.message import Body, pour_body
from gateway.storage.bucket import Bucket, Outgoing
from tests.storage.faulty import Seen, faulty, response

LONG = bytes(2 * LEAST)


async def _poured(body: Body) -> int:
    """How much of a body has gone from socket to socket."""
    loop, size = asyncio.get_running_loop(), 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    reader.settimeout(0)
    sink, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
    with reader, Outlet(sink, len(LONG), 5) as outlet:
        pouring = asyncio.create_task(pour_body(body, outlet))
        while size < len(LONG):
            size += len(await loop.sock_recv(reader, LEAST))
        await pouring
        sink.abort()
        return outlet.size


@pytest.mark.parametrize(("behind", "connections"), [(b"", 1), (response("200 OK", b"theirs"), 2)])
async def test_what_comes_behind_a_long_body_is_not_the_next_answer(
    behind: bytes, connections: int
) -> None:
    answers = [response("200 OK", LONG) + behind, response("200 OK", b"mine")]

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        writer.write(answers.pop(0))

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        assert await _poured(upstream.stream()) == len(LONG)
        upstream = await bucket.send(Outgoing("GET", "b", "k"))
        assert await upstream.read(100) == b"mine"
    assert there.connections == connections


@pytest.mark.parametrize(
    "answer",
    [
        response("200 OK", b"minetheirs", length=4),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\ntheirs",
    ],
)
async def test_what_comes_behind_a_short_body_is_nobodys(answer: bytes) -> None:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        writer.write(answer)

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        for _ in range(2):
            upstream = await bucket.send(Outgoing("GET", "b", "k"))
            assert await upstream.read(100) == b"mine"
    assert there.connections == 2
