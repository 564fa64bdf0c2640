"""Long bodies from a client's socket to a backend's: whole, or no object, either way."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from multidict import CIMultiDict

from gateway import conduit
from gateway.errors import GatewayError
from gateway.s3.integrity import checked
from gateway.s3.message import Reply
from gateway.s3.payload import Form, Payload
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.wire import connection
from gateway.web import content, intake, reply
from gateway.web.arrival import Arrival
from gateway.web.asked import Asked
from gateway.web.reply import Sent
from tests.s3.framing import SIGNING
from tests.storage.faulty import Faulty, Seen, faulty, response
from tests.web.serving import Served, serving

BODY = secrets.token_bytes(5 << 20)
PIECE_BYTES = 256_000  # what an event loop reads at a time
PUT = b"PUT /%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(params=["unread", "read"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways that a body can go."""
    monkeypatch.setattr(conduit, "AVAILABLE", request.param == "unread")
    return str(request.param)


@dataclass(slots=True)
class Storing:
    """Has the backend store what comes; knows how much came, and what became of it."""

    bucket: Bucket
    payload: Payload | None = None  # what is declared of what comes; None for nothing
    heard: list[str] = field(default_factory=list)
    received: list[int] = field(default_factory=list)

    async def handle(self, asked: Asked) -> Sent:
        arrived = Arrival(asked)
        request = arrived.message
        payload = self.payload or Payload(Form.UNSIGNED, request.length or 0)
        try:
            body = await checked(request.body, payload, SIGNING)
            outgoing = Outgoing("PUT", "b", request.path[1:], body=body, length=payload.length)
            upstream = await self.bucket.send(outgoing)
            answer = Reply(upstream.status, body=await upstream.read(1_000))
        except GatewayError as error:
            answer = Reply(error.status, body=error.code.encode())
        self.heard.append(f"{answer.status}")
        self.received.append(arrived.received)
        return await reply.send(asked, answer, CIMultiDict(), last=arrived.last)

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        raise NotImplementedError(asked, error)

    def leave(self) -> None:
        """Nobody stays."""


async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen) -> None:
    """Stores what comes, refuses it before it has come, leaves in its midst, or falls asleep."""
    size = int(request.headers["content-length"])
    path = request.line.split()[1]
    if path.endswith("refused"):
        await reader.readexactly(size // 2)
        writer.write(response("403 Forbidden", b"no"))
        await writer.drain()
        raise ConnectionAbortedError
    if path.endswith("left"):
        await reader.readexactly(size // 2)
        writer.transport.abort()
        raise ConnectionAbortedError
    if path.endswith("asleep"):
        await asyncio.sleep(3600)
    request.body = await reader.readexactly(size)
    writer.write(response("200 OK", b"stored"))


@asynccontextmanager
async def between(payload: Payload | None = None) -> AsyncIterator[tuple[Faulty, Storing, Served]]:
    """A backend, what stores there what is declared so, and where that is to be found."""
    async with faulty(behave, read_body=False) as there, Bucket(there.backend) as bucket:
        storing = Storing(bucket, payload)
        async with serving(storing) as served:
            yield there, storing, served


async def put(
    served: Served, *requests: tuple[bytes, bytes]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which so much was sent, or is being sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for name, body in requests:
        writer.write(PUT % (name, len(body)) + body)
    return reader, writer


async def heard(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next answer's status and body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(size)


async def test_uploads_of_all_lengths_follow_each_other_on_one_connection() -> None:
    bodies = [BODY, b"short", BODY[: 1 << 19], b"x" * 300_000, BODY[7:]]
    async with between() as (there, storing, served):
        reader, writer = await put(served, *((b"x", body) for body in bodies))
        for _ in bodies:
            assert await heard(reader) == (200, b"stored")
        writer.close()
        assert [request.body for request in there.seen] == bodies
        assert {request.connection for request in there.seen} == {1}
    assert storing.received == [len(body) for body in bodies]


async def test_long_upload_is_tapped_where_it_can_be(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, tapped = [], intake.Intake.tapped

    def note(self: intake.Intake, tap: conduit.Tap) -> None:
        left.append(tap.left)
        tapped(self, tap)

    monkeypatch.setattr(intake.Intake, "tapped", note)
    async with between() as (_, _, served):
        reader, writer = await put(served, (b"x", BODY))
        assert await heard(reader) == (200, b"stored")
        writer.close()
    assert left == ([0] if way == "unread" else [])


@dataclass(slots=True)
class Late(Storing):
    """Begins to read when much could have come in; knows how much did."""

    before: list[int] = field(default_factory=list)

    async def handle(self, asked: Asked) -> Sent:
        await asyncio.sleep(0.2)
        self.before.append(asked.content.total_bytes)
        return await Storing.handle(self, asked)


async def test_of_a_long_body_a_piece_comes_in_and_the_rest_when_it_is_asked_for(way: str) -> None:
    async with faulty(behave, read_body=False) as there, Bucket(there.backend) as bucket:
        late = Late(bucket)
        async with serving(late) as served:
            reader, writer = await put(served, (b"x", BODY), (b"y", BODY[: 1 << 20]))
            for _ in range(2):
                assert await heard(reader) == (200, b"stored")
            writer.close()
            assert [request.body for request in there.seen] == [BODY, BODY[: 1 << 20]]
    assert (late.before[0] <= PIECE_BYTES) == (way == "unread")


class Refusing(Storing):
    """Reads nothing, and says no."""

    async def handle(self, asked: Asked) -> Sent:
        return await reply.send(asked, Reply(403, body=b"no"), CIMultiDict())


async def test_long_body_that_nobody_reads_is_dropped_and_its_answer_heard() -> None:
    async with faulty(behave, read_body=False) as there, Bucket(there.backend) as bucket:
        async with serving(Refusing(bucket)) as served:
            reader, writer = await put(served, (b"x", BODY), (b"y", BODY))
            for _ in range(2):
                assert await heard(reader) == (403, b"no")
            writer.close()
        assert not there.seen


async def test_body_that_breaks_off_is_not_stored() -> None:
    async with between() as (there, storing, served):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(PUT % (b"x", len(BODY)) + BODY[:-1])
        writer.write_eof()
        assert not (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        assert [request.body for request in there.seen] == [b""]
    assert storing.heard in ([], ["400"])


async def test_body_that_stops_coming_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "IDLE_SECONDS", 0.3)
    async with between() as (_, storing, served):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(PUT % (b"x", len(BODY)) + BODY[:-1])
        assert await heard(reader) == (400, b"RequestTimeout")
        writer.close()
    assert storing.received == [len(BODY) - 1]


async def test_refusal_that_comes_early_is_heard() -> None:
    async with between() as (_, _, served):
        reader, writer = await put(served, (b"refused", BODY * 4))
        assert await heard(reader) == (403, b"no")
        assert await reader.read() == b""
        writer.close()
        again, writer = await put(served, (b"x", BODY))
        assert await heard(again) == (200, b"stored")
        writer.close()


async def test_backend_that_leaves_is_an_answer_of_503() -> None:
    async with between() as (_, _, served):
        reader, writer = await put(served, (b"left", BODY * 4))
        assert await heard(reader) == (503, b"ServiceUnavailable")
        writer.close()


async def test_backend_that_takes_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.5)
    async with between() as (_, _, served):
        reader, writer = await put(served, (b"asleep", BODY * 8))
        assert await heard(reader) == (503, b"ServiceUnavailable")
        writer.close()
