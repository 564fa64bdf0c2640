"""Work that goes on in the call that took an answer in: its connection is free by then."""

import asyncio

import pytest

from gateway.conduit import LEAST, Outlet
from gateway.s3.message import pour_body
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.wire.connection import BEGINNING_BYTES
from tests.deputed import Waiting
from tests.storage.faulty import Seen, faulty, response

GET = Outgoing("GET", "b", "k")
LONG = bytes(2 * LEAST)


async def _come_of(waiting: Waiting) -> str:
    """What has come of the work, which no task was woken for."""
    async with asyncio.timeout(5):
        while not waiting.deputy.ended:  # noqa: ASYNC110 - in the calls of others
            await asyncio.sleep(0.01)
    assert not waiting.waiter.done()
    waiting.task.cancel()
    return waiting.result


async def test_next_request_goes_over_the_connection_that_answered() -> None:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        writer.write(response("200 OK", b"mine"))

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        await (await bucket.send(GET)).read(100)  # nobody waits for a connection from here on
        waiting = Waiting()

        async def work() -> str:
            answers = [await (await bucket.send(GET)).read(100) for _ in range(3)]
            return b" ".join(answers).decode()

        await waiting.begin(work())
        assert await _come_of(waiting) == "mine mine mine"
    assert there.connections == 1


async def test_next_answer_comes_in_after_a_long_body_that_was_poured() -> None:
    answers = [response("200 OK"), response("200 OK", LONG), response("200 OK", b"mine")]

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        writer.write(answers.pop(0))

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        await (await bucket.send(GET)).read(0)
        waiting, sink = Waiting(), _Sink()
        async with asyncio.timeout(5):
            server = await asyncio.get_running_loop().create_server(lambda: sink, "127.0.0.1", 0)
            outgoing, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, *server.sockets[0].getsockname()
            )

        async def work() -> str:
            body = (await bucket.send(GET)).stream()
            with Outlet(outgoing, len(LONG), 5) as outlet:
                await pour_body(body, outlet)
            return (await (await bucket.send(GET)).read(100)).decode()

        await waiting.begin(work())
        assert await _come_of(waiting) == "mine"
        outgoing.close()
        server.close()


class _Sink(asyncio.Protocol):
    """Takes all that comes."""


@pytest.mark.parametrize("behind", [b"", b"theirs"])
async def test_what_is_behind_an_answer_that_filled_the_buffer_is_not_the_next(
    behind: bytes,
) -> None:
    room = BEGINNING_BYTES - len(response("200 OK", bytes(10_000))) + 10_000
    full = response("200 OK", bytes(room))
    assert len(full) == BEGINNING_BYTES
    answers = [response("200 OK"), full + response("200 OK", behind), response("200 OK", b"mine")]

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        writer.write(answers.pop(0))

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        await (await bucket.send(GET)).read(0)
        waiting = Waiting()

        async def work() -> str:
            assert len(await (await bucket.send(GET)).read(room)) == room
            return (await (await bucket.send(GET)).read(100)).decode()

        await waiting.begin(work())
        async with asyncio.timeout(5):
            while not waiting.result:  # noqa: ASYNC110 - in the calls of others
                await asyncio.sleep(0.01)
        assert waiting.result == "mine"
