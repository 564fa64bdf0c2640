"""Whom a body on its way waits for: the same end for as long as it may have something to do."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from gateway.conduit import Outlet, Tap
from gateway.passage import conduct
from gateway.sieve import BUFFER_BYTES, sift
from tests.test_conduit import BODY, Way, way
from tests.test_sieve import Noting

LONG = 20 * BODY
PIECE_BYTES = 1 << 18


async def looked_at(tap: Tap, outlet: Outlet) -> None:
    """As `conduct` goes what somebody looks at."""
    await sift(b"", tap, outlet, Noting())


def sent(sender: socket.socket) -> None:
    """As fast as it goes, from a thread: the loop's turns are the body's."""
    with sender.dup() as own:
        own.settimeout(20)
        own.sendall(LONG)


async def read_slowly(there: Way) -> bytes:
    """All of it, with a rest after each piece: the sender is always ahead."""
    pieces = []
    for _ in range(len(LONG) // PIECE_BYTES):
        pieces.append(await there.received(PIECE_BYTES))
        await asyncio.sleep(0.001)
    return b"".join(pieces)


@pytest.mark.parametrize("go", [conduct, looked_at])
async def test_reader_who_is_slower_than_the_sender_is_waited_for_all_the_time(
    go: Callable[[Tap, Outlet], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = 0

    def counted(watch: Callable[..., None]) -> Callable[..., None]:
        def count(*args: object) -> None:
            nonlocal waits
            waits += 1
            watch(*args)

        return count

    monkeypatch.setattr(Tap, "watch", counted(Tap.watch))
    monkeypatch.setattr(Outlet, "watch", counted(Outlet.watch))
    async with way() as there:
        sending = asyncio.create_task(asyncio.to_thread(sent, there.sender))
        reading = asyncio.create_task(read_slowly(there))
        with Tap(there.source, len(LONG), 20) as tap, Outlet(there.sink, len(LONG), 20) as outlet:
            await go(tap, outlet)
        assert await reading == LONG
        await sending
    turns = len(LONG) // BUFFER_BYTES
    assert 1 <= waits < turns // 3
