"""Long bodies from a backend's socket to a client's: whole, or plainly cut off, either way."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from multidict import CIMultiDict

from gateway import conduit
from gateway.errors import GatewayError
from gateway.s3.message import Reply
from gateway.services.transfer.payloads import Measured
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.wire import connection
from gateway.web import reply
from gateway.web.asked import Asked
from gateway.web.reply import Sent
from tests.storage.faulty import Faulty, Seen, faulty, response
from tests.waiting import wait_until
from tests.web.serving import Served, serving

BODY = secrets.token_bytes(5 << 20)
GET = b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(params=["unread", "read"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways that a body can go."""
    monkeypatch.setattr(conduit, "AVAILABLE", request.param == "unread")
    return str(request.param)


@dataclass(slots=True)
class Passing:
    """Answers with what the backend answers; knows what was sent, and what was told of it."""

    bucket: Bucket
    sent: list[Sent] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    declared: int | None = None

    async def handle(self, asked: Asked) -> Sent:
        upstream = await self.bucket.send(Outgoing("GET", "b", asked.head.path))
        body = Measured(upstream.stream(), self.told.append)
        headers = CIMultiDict(upstream.headers)
        if self.declared is not None:
            headers["Content-Length"] = str(self.declared)
        self.sent.append(await reply.send(asked, Reply(upstream.status, headers, body), headers))
        return self.sent[-1]

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        raise NotImplementedError(asked, error)

    def leave(self) -> None:
        """Nobody stays."""


async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen) -> None:
    """The whole body, or half of it: then nothing, or the end."""
    del reader
    whole = response("200 OK", BODY)
    path = request.line.split()[1]
    writer.write(whole if path.endswith("whole") else whole[: len(whole) // 2])
    await writer.drain()
    if path.endswith("broken"):
        raise ConnectionAbortedError
    if path.endswith("silent"):
        await asyncio.sleep(3600)


@asynccontextmanager
async def between() -> AsyncIterator[tuple[Faulty, Passing, Served]]:
    """A backend, what passes its answers on, and where that is to be found."""
    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        passing = Passing(bucket)
        async with serving(passing) as served:
            yield there, passing, served


async def ask(served: Served, *names: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which so much was asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 16)
    for name in names:
        writer.write(GET % name)
    return reader, writer


async def body_of(reader: asyncio.StreamReader, size: int = len(BODY)) -> bytes:
    """The next answer's body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert b"\r\nContent-Length: " in head
    return await asyncio.wait_for(reader.readexactly(size), 20)


async def test_long_bodies_follow_each_other_on_the_same_connections() -> None:
    async with between() as (there, passing, served):
        reader, writer = await ask(served, b"whole", b"whole", b"whole")
        for _ in range(3):
            assert await body_of(reader) == BODY
        writer.close()
        assert {request.connection for request in there.seen} == {1}
    assert [(each.size, each.failure, each.lasting) for each in passing.sent] == [
        (len(BODY), None, True)
    ] * 3
    assert passing.told == [len(BODY)] * 3


async def test_long_body_is_read_by_nobody(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    buffer_updated = connection.Connection.buffer_updated

    def update(self: connection.Connection, nbytes: int) -> None:
        taken.append(nbytes)
        buffer_updated(self, nbytes)

    monkeypatch.setattr(connection.Connection, "buffer_updated", update)
    async with between() as (_, _, served):
        reader, writer = await ask(served, b"whole")
        assert await body_of(reader) == BODY
        writer.close()
    assert (sum(taken) < len(BODY) // 4) == (way == "unread")


async def test_body_that_breaks_off_is_cut_off_too() -> None:
    async with between() as (_, passing, served):
        reader, writer = await ask(served, b"broken", b"whole")
        with pytest.raises(asyncio.IncompleteReadError) as ended:
            await body_of(reader)
        writer.close()
        assert BODY.startswith(ended.value.partial)
    failure = passing.sent[0].failure
    assert isinstance(failure, GatewayError)
    assert failure.message.startswith("the backend broke its answer off")
    assert passing.told == [passing.sent[0].size]


async def test_backend_that_falls_silent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.3)
    async with between() as (_, passing, served):
        reader, writer = await ask(served, b"silent")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await body_of(reader)
        writer.close()
    assert isinstance(passing.sent[0].failure, GatewayError)


async def test_body_longer_than_its_head_says_is_cut_off() -> None:
    async with between() as (_, passing, served):
        passing.declared = len(BODY) - 1
        reader, writer = await ask(served, b"whole", b"whole")
        with pytest.raises(asyncio.IncompleteReadError) as ended:
            await body_of(reader)
        writer.close()
        assert BODY.startswith(ended.value.partial)
    assert isinstance(passing.sent[0].failure, ValueError)


async def test_client_that_leaves_costs_its_own_answer_alone() -> None:
    async with between() as (there, passing, served):
        for _ in range(3):
            reader, writer = await ask(served, b"whole")
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        reader, writer = await ask(served, b"whole")
        assert await body_of(reader) == BODY
        writer.close()
        assert len(there.seen) == 4
    assert passing.sent[-1].failure is None
    *left, whole = sorted(passing.told)
    assert (len(left), whole) == (3, len(BODY))
    assert left[-1] < whole


async def test_client_that_stops_reading_is_cut_off_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reply, "STALL_SECONDS", 0.5)
    monkeypatch.setattr(f"{__name__}.BODY", BODY * 4)
    async with between() as (_, passing, served):
        _, stalled = await ask(served, b"whole")
        reader, writer = await ask(served, b"whole")
        assert await body_of(reader, len(BODY)) == BODY
        writer.close()
        assert await asyncio.to_thread(wait_until, lambda: len(passing.sent) == 2)
        stalled.transport.abort()
    assert passing.sent[0].failure is None
    assert isinstance(passing.sent[1].failure, ConnectionError)
