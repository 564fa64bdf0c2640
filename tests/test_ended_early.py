"""Bodies on their way whose connections come to an end, or to rest, while others are waited for."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import uvloop

from gateway.conduit import Dry, Outlet, Silent, Stalled, Tap
from gateway.passage import _Spliced, conduct
from gateway.sieve import _Sifted
from tests.test_changing_ends import looked_at
from tests.test_conduit import Way, way
from tests.test_sieve import Noting

Go = Callable[[Tap, Outlet], Awaitable[None]]
WAYS: tuple[Go, ...] = (conduct, looked_at)
NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = (asyncio.new_event_loop, uvloop.new_event_loop)
RESET = struct.pack("ii", 1, 0)  # what SO_LINGER takes for: close at once, and say so


def reset(connection: socket.socket) -> None:
    """End a connection with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def fill(connection: int) -> None:
    """Leave no room to write in a connection."""
    with suppress(BlockingIOError):
        while os.write(connection, bytes(1 << 16)):
            pass


async def passed(there: Way, go: Go, tap_seconds: float, outlet_seconds: float) -> None:
    """Nothing, once a very long body has gone."""
    with (
        Tap(there.source, 1 << 40, tap_seconds) as tap,
        Outlet(there.sink, 1 << 40, outlet_seconds) as outlet,
    ):
        await go(tap, outlet)


@pytest.mark.parametrize("go", WAYS)
@pytest.mark.parametrize("loop", LOOPS)
def test_reset_that_comes_with_the_last_bytes_is_noticed(go: Go, loop: NewLoop) -> None:
    async def run() -> None:
        async with way() as there:
            passing = asyncio.create_task(passed(there, go, 20, 20))
            for _ in range(3):
                there.sender.send(b"some")
                assert await there.received(4) == b"some"
            there.sender.send(b"last")
            reset(there.sender)
            with pytest.raises(Dry) as caught:
                await passing
            assert not isinstance(caught.value, Silent)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_with_nothing_to_be_written_it_is_the_sender_who_is_late(
    loop: NewLoop, *, looked: bool
) -> None:
    async def run(tap_seconds: float, outlet_seconds: float) -> None:
        async with way() as there:
            with (
                Tap(there.source, 1 << 40, tap_seconds) as tap,
                Outlet(there.sink, 1 << 40, outlet_seconds) as outlet,
            ):
                body = _Sifted(b"", tap, outlet, Noting()) if looked else _Spliced(tap, outlet)
                passing = asyncio.create_task(body.end())
                there.sender.send(b"some")
                assert await there.received(4) == b"some"
                fill(outlet.fd)
                body._wait(outlet)  # noqa: SLF001 - as after a write that just filled it
                await passing

    with asyncio.Runner(loop_factory=loop) as runner:
        with pytest.raises(Silent, match=r"nothing came for 0\.2 seconds"):
            runner.run(run(0.2, 20))
        with pytest.raises(Silent, match=r"nothing came for 0\.6 seconds"):
            runner.run(run(0.6, 0.2))


@pytest.mark.parametrize("looked", [False, True])
def test_what_was_written_before_and_does_not_go_is_the_readers_to_take(*, looked: bool) -> None:
    async def run() -> None:
        async with way() as there:
            there.sink.write(bytes(64 << 20))
            with pytest.raises(Stalled, match=r"nothing was taken for 0\.2 seconds"):
                await passed(there, looked_at if looked else conduct, 20, 0.2)

    asyncio.run(run())
