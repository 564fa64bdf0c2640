"""Bodies from socket to socket: whole, at the reader's pace, or plainly broken off."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from gateway import passage, pipes
from gateway.conduit import Blocked, Dry, Outlet, Silent, Tap
from gateway.passage import conduct

BODY = secrets.token_bytes(5 << 20)


@dataclass(slots=True)
class Way:
    """Two connections of ours, and who is at their other ends: one sends, the other reads."""

    sender: socket.socket
    reader: socket.socket
    source: asyncio.Transport
    sink: asyncio.Transport
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    async def conduct(self, size: int, seconds: float = 20) -> tuple[int, int]:
        """How much is left of a body of some size, and how much of it has gone."""
        with Tap(self.source, size, seconds) as tap, Outlet(self.sink, size, seconds) as outlet:
            await conduct(tap, outlet)
            return tap.left, outlet.size

    async def received(self, size: int) -> bytes:
        """The next bytes that the reader has."""
        pieces, left = [], size
        while left:
            piece = await self.loop.sock_recv(self.reader, min(left, 1 << 18))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


@asynccontextmanager
async def way() -> AsyncIterator[Way]:
    """Two connections, of which nothing stays open."""
    sender, source = await _connected()
    reader, sink = await _connected()
    source.pause_reading()
    try:
        yield Way(sender, reader, source, sink)
    finally:
        for transport in (source, sink):
            transport.abort()
        for each in (sender, reader):
            each.close()


async def _connected() -> tuple[socket.socket, asyncio.Transport]:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    theirs.settimeout(0)
    ours.settimeout(0)
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
    return theirs, transport


async def test_every_byte_arrives_in_its_order_and_no_other() -> None:
    async with way() as there:
        there.sink.write(b"head")
        sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY + b"next"))
        reading = asyncio.create_task(there.received(len(BODY) + 4))
        assert await there.conduct(len(BODY)) == (0, len(BODY))
        assert await reading == b"head" + BODY
        await sending
        await there.conduct(4)
        assert await there.received(4) == b"next"


def test_loop_that_serves_does_the_same() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_every_byte_arrives_in_its_order_and_no_other())
        runner.run(test_neither_end_may_do_nothing_for_long())
        runner.run(test_reader_that_leaves_ends_it())


async def test_reader_that_takes_its_time_gets_all_and_holds_nobody_up() -> None:
    async with way() as slow, way() as fast:
        sendings = [
            asyncio.create_task(each.loop.sock_sendall(each.sender, BODY * times))
            for each, times in ((slow, 4), (fast, 1))
        ]
        waiting = asyncio.create_task(slow.conduct(4 * len(BODY)))
        reading = asyncio.create_task(fast.received(len(BODY)))
        assert await fast.conduct(len(BODY)) == (0, len(BODY))
        assert await reading == BODY
        assert not waiting.done()
        assert await slow.received(4 * len(BODY)) == BODY * 4
        assert await waiting == (0, 4 * len(BODY))
        await asyncio.gather(*sendings)


async def test_body_that_breaks_off_is_not_the_whole() -> None:
    async with way() as there:
        await there.loop.sock_sendall(there.sender, BODY[:1000])
        there.sender.close()
        with pytest.raises(Dry, match="the connection was closed"):
            await there.conduct(len(BODY))
        assert await there.received(1000) == BODY[:1000]


async def test_reader_that_leaves_ends_it() -> None:
    async with way() as there:
        sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY * 10))
        there.loop.call_later(0.1, there.reader.close)
        with pytest.raises(Blocked):
            await there.conduct(10 * len(BODY))
        sending.cancel()


async def test_transport_that_was_closed_is_not_written_to() -> None:
    async with way() as there:
        passing = asyncio.create_task(there.conduct(2_000))
        await there.loop.sock_sendall(there.sender, bytes(1_000))
        assert await there.received(1_000) == bytes(1_000)
        there.sink.close()
        await there.loop.sock_sendall(there.sender, bytes(1_000))
        with pytest.raises(Blocked, match="the connection was closed"):
            await passing


async def test_neither_end_may_do_nothing_for_long() -> None:
    async with way() as there:
        with pytest.raises(Silent, match=r"nothing came for 0\.2 seconds"):
            await there.conduct(1_000, 0.2)
        sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY * 10))
        with pytest.raises(Blocked, match=r"nothing was taken for 0\.2 seconds"):
            await there.conduct(10 * len(BODY), 0.2)
        sending.cancel()


async def test_who_moves_a_little_has_all_the_time_in_the_world() -> None:
    async def drip(there: Way) -> None:
        for _ in range(5):
            await asyncio.sleep(0.1)
            await there.loop.sock_sendall(there.sender, b"drop")

    async with way() as there:
        dripping = asyncio.create_task(drip(there))
        assert await there.conduct(20, 0.3) == (0, 20)
        await dripping


@pytest.mark.parametrize("refused", ["take", "pipe", "size"])
async def test_without_a_pipe_nothing_is_touched(
    refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(refused)

    # Those of the process may have been made already.
    monkeypatch.setattr(passage, "PIPES", pipes.Pipes())
    monkeypatch.setattr(pipes, "MOST_PIPES", 0 if refused == "take" else 1)
    if refused == "pipe":
        monkeypatch.setattr(os, "pipe2", refuse)
    if refused == "size":
        monkeypatch.setattr("fcntl.fcntl", refuse)
    async with way() as there:
        await there.loop.sock_sendall(there.sender, b"body")
        before = _open_files()
        assert await there.conduct(4) == (4, 0)
        assert _open_files() == before


async def test_where_no_more_files_can_be_opened_the_rest_is_left_to_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> int:
        raise OSError("too many open files")

    async with way() as there:
        await there.loop.sock_sendall(there.sender, BODY[:1000])
        monkeypatch.setattr(os, "dup", refuse)
        assert await there.conduct(len(BODY)) == (len(BODY) - 1000, 1000)
        assert await there.received(1000) == BODY[:1000]
        # A reader that takes nothing: by then there is something in the pipe.
        size = 10 * len(BODY)
        sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY * 10))
        left = size
        while not there.sink.get_write_buffer_size():
            await asyncio.sleep(0)
            left, _ = await there.conduct(left)
        went = size - left
        assert await there.received(went) == (BODY * 10)[:went]
        sending.cancel()


async def test_transport_that_was_closed_is_not_read_from() -> None:
    async with way() as there:
        tap = Tap(there.source, 1_000, 20)
        there.source.abort()
        with Outlet(there.sink, 1_000, 20) as outlet, pytest.raises(Dry):
            await conduct(tap, outlet)


async def test_pipes_are_used_again_and_broken_ones_are_closed() -> None:
    async def body(there: Way) -> None:
        await there.loop.sock_sendall(there.sender, b"body")
        await there.conduct(4)

    async def leaving(there: Way) -> None:
        await there.loop.sock_sendall(there.sender, b"body")
        there.sink.write(BODY * 10)  # so that the pipe is never emptied
        with pytest.raises(Blocked):
            await there.conduct(4, 0.05)

    found = []
    for _ in range(3):
        async with way() as there:
            await body(there)
        async with way() as there:
            await leaving(there)
        await asyncio.sleep(0.05)  # until the transports have closed their sockets
        found.append(_open_files())
    assert len(set(found)) == 1


def _open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])
