"""Bodies that somebody looks at on their way: in short turns, and only what may go arrives."""

import asyncio
import os
from collections.abc import Sequence

import pytest

from gateway.conduit import MOST_PIECES, Dry, Outlet, Sieve, Tap
from gateway.sieve import BUFFER_BYTES, MOST_BUFFERS, sift
from tests.test_conduit import BODY, Way, way


class Noting:
    """Lets everything through, in pieces of a size, and keeps what it saw."""

    def __init__(self, size: int = BUFFER_BYTES) -> None:
        self.size = size
        self.seen: list[bytes] = []

    def __call__(
        self, data: bytes | memoryview, most: int
    ) -> tuple[Sequence[bytes | memoryview], int]:
        seen = data[: most * self.size]
        self.seen.append(bytes(seen))
        starts = range(0, len(seen), self.size)
        return [seen[start : start + self.size] for start in starts], len(seen)


async def passed(there: Way, through: Sieve, begun: bytes = b"") -> tuple[int, int]:
    """How much is left of the body, and how much of it has gone."""
    left = len(BODY) - len(begun)
    with Tap(there.source, left, 20) as tap, Outlet(there.sink, len(BODY), 20) as outlet:
        await sift(begun, tap, outlet, through)
        return tap.left, outlet.size


@pytest.mark.parametrize("size", [BUFFER_BYTES, 1 << 16, 100])
async def test_every_byte_is_seen_once_and_arrives_in_its_order(size: int) -> None:
    noting = Noting(size)
    async with way() as there:
        sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY[10:]))
        reading = asyncio.create_task(there.received(len(BODY)))
        assert await passed(there, noting, BODY[:10]) == (0, len(BODY))
        assert await reading == BODY
        await sending
    assert b"".join(noting.seen) == BODY
    assert max(map(len, noting.seen)) <= BUFFER_BYTES


@pytest.mark.parametrize("size", [BUFFER_BYTES, 100])
async def test_others_have_their_turn_between_two_looks(size: int) -> None:
    noting, turns, looks = Noting(size), 0, list[int]()

    def look(data: bytes | memoryview, most: int) -> tuple[Sequence[bytes | memoryview], int]:
        looks.append(turns)
        return noting(data, most)

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with way() as there:
        counting = asyncio.create_task(count())
        begun = 1 << 17
        sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY[begun:]))
        reading = asyncio.create_task(there.received(len(BODY)))
        await passed(there, look, BODY[:begun])
        assert await reading == BODY
        counting.cancel()
        await sending
    assert len(looks) >= len(BODY) // min(BUFFER_BYTES, MOST_PIECES * size)
    assert len(set(looks)) == len(looks)


async def test_what_a_sieve_keeps_does_not_go_and_what_it_raises_ends_it() -> None:
    class Wrong(Exception):
        pass

    seen = 0

    def look(data: bytes | memoryview, most: int) -> tuple[Sequence[bytes | memoryview], int]:
        nonlocal seen
        del most
        seen += len(data)
        if seen > len(BODY) // 2:
            raise Wrong
        return [], len(data)

    async with way() as there:
        sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY))
        with pytest.raises(Wrong):
            await passed(there, look)
        there.sink.close()
        assert await there.received(1) == b""
        sending.cancel()


async def test_body_that_breaks_off_is_told() -> None:
    async with way() as there:
        await there.loop.sock_sendall(there.sender, BODY[:1000])
        there.sender.close()
        with pytest.raises(Dry, match="the connection was closed"):
            await passed(there, Noting())
        assert await there.received(1000) == BODY[:1000]


async def test_slow_readers_have_a_buffer_each_and_the_rest_is_left_to_others() -> None:
    ways = [way() for _ in range(MOST_BUFFERS + 1)]
    opened = [await each.__aenter__() for each in ways]
    try:
        sendings = [
            asyncio.create_task(each.loop.sock_sendall(each.sender, BODY * 4)) for each in opened
        ]
        noting = [Noting() for _ in opened]
        passing = [
            asyncio.create_task(slowly(there, through))
            for there, through in zip(opened, noting, strict=True)
        ]
        done, waiting = await asyncio.wait(passing, timeout=2)
        assert len(done) == 1  # there was no buffer for it
        assert len(waiting) == MOST_BUFFERS
        for task in (*passing, *sendings):
            task.cancel()
        await asyncio.wait([*passing, *sendings])
        # All are free again.
        async with way() as there:
            sending = asyncio.create_task(there.loop.sock_sendall(there.sender, BODY))
            reading = asyncio.create_task(there.received(len(BODY)))
            assert await passed(there, Noting()) == (0, len(BODY))
            assert await reading == BODY
            await sending
    finally:
        for each in ways:
            await each.__aexit__(None, None, None)


async def slowly(there: Way, through: Sieve) -> None:
    """A body, four times as long, that nobody reads."""
    with Tap(there.source, 4 * len(BODY), 20) as tap, Outlet(there.sink, 1 << 30, 20) as outlet:
        await sift(b"", tap, outlet, through)


async def test_without_files_to_open_what_was_read_goes_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> int:
        raise OSError("too many open files")

    async with way() as there:
        await there.loop.sock_sendall(there.sender, BODY[: 1 << 16])
        await asyncio.sleep(0.05)
        monkeypatch.setattr(os, "dup", refuse)
        left, gone = await passed(there, Noting())
        monkeypatch.undo()
        assert (left, gone) == (len(BODY) - (1 << 16), 1 << 16)
        assert await there.received(1 << 16) == BODY[: 1 << 16]
    assert BUFFER_BYTES > 1 << 16
