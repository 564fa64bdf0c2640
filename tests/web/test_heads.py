"""Heads that come again: read once, answered each time; and what is never taken for one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from multidict import CIMultiDict

from gateway.awaited import pending
from gateway.errors import GatewayError
from gateway.s3.message import Reply
from gateway.web import heads, reply, server
from gateway.web.asked import Asked
from gateway.web.heads import Heads, Known
from gateway.web.reply import Sent
from tests.web.serving import Served, serving

# The one waits for what it likes, the other for what its task may be waiting for already.
WAITING = ("/wait", "/backend")


def head_for(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()


GET = head_for("/x")


@dataclass(slots=True)
class Noting:
    """Answers with the path, and notes of each request whether its head was known."""

    may: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Future[None] | None = None
    patience: float | None = None
    known: list[tuple[str, bool]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, asked: Asked) -> Sent:
        path = asked.head.path
        self.known.append((path, asked.known is not None and asked.known.head is not None))
        if path in WAITING:
            try:
                await (self.may.wait() if path == "/wait" else self._pending())
            except asyncio.CancelledError:
                self.left.set()
                raise
        body = await asked.content.read()
        told = Reply(403 if path == "/refused" else 200, body=f"{path} {len(body)}\n".encode())
        return await reply.send(asked, told, CIMultiDict())

    async def _pending(self) -> None:
        """Nothing, once it may go on, or after a time-out of its own."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self._go()

    async def _go(self) -> None:
        while not self.may.is_set():
            self.waits = pending(asyncio.get_running_loop())
            await self.waits

    def let_go(self) -> None:
        """Who waits goes on."""
        self.may.set()
        if self.waits is not None and not self.waits.done():
            self.waits.set_result(None)

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        self.known.append((error.code, asked.known is not None))
        return await reply.send(asked, Reply(error.status), CIMultiDict(), last=True)

    def leave(self) -> None:
        """Nobody stays."""


@dataclass(frozen=True, slots=True)
class Line:
    """A client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, *pieces: bytes) -> None:
        """Nothing, once each piece has had the time to arrive by itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.02)

    async def hear(self) -> str:
        """The next answer's body."""
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            return (await self.reader.readexactly(int(length))).decode().strip()

    async def ask(self, head: bytes) -> str:
        """The answer's body."""
        await self.say(head)
        return await self.hear()


@pytest.fixture
def edge() -> Noting:
    return Noting()


@pytest.fixture
async def served(edge: Noting) -> AsyncIterator[Served]:
    async with serving(edge) as served:
        yield served


async def connected(served: Served, address: str = "127.0.0.1") -> Line:
    return Line(
        *await asyncio.open_connection("127.0.0.1", served.port, local_addr=(address, 0)),
    )


@pytest.fixture
async def line(served: Served) -> AsyncIterator[Line]:
    line = await connected(served)
    yield line
    line.writer.close()


async def known(line: Line, head: bytes = GET) -> None:
    """Nothing, once the head has come twice."""
    for _ in range(2):
        await line.ask(head)


async def test_head_is_known_when_it_has_come_twice(edge: Noting, line: Line) -> None:
    assert {await line.ask(GET) for _ in range(4)} == {"/x 0"}
    assert [again for _, again in edge.known] == [False, False, True, True]


async def test_head_is_known_on_every_connection_of_its_client(
    edge: Noting, served: Served, line: Line
) -> None:
    await known(line)
    for address in ("127.0.0.1", "127.0.0.2"):
        other = await connected(served, address)
        assert await other.ask(GET) == "/x 0"
        other.writer.close()
    assert [again for _, again in edge.known[2:]] == [True, False]


async def test_refused_head_is_never_known(edge: Noting, line: Line) -> None:
    head = b"GET /refused HTTP/1.1\r\nHost: h\r\n\r\n"
    assert {await line.ask(head) for _ in range(4)} == {"/refused 0"}
    assert not any(again for _, again in edge.known)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * heads.LONGEST_KEPT + b"\r\n\r\n",
    ],
)
async def test_what_a_body_may_follow_is_never_known(
    edge: Noting, line: Line, request_: bytes
) -> None:
    assert len({await line.ask(request_) for _ in range(4)}) == 1
    assert [again for _, again in edge.known] == [False] * 4


@pytest.mark.parametrize(
    "head",
    [
        b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.0\r\nHost: h\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET /x\r\n\r\n",
    ],
)
async def test_what_ends_the_connection_is_never_known(
    edge: Noting, served: Served, head: bytes
) -> None:
    for _ in range(4):
        line = await connected(served)
        await line.say(head)
        line.writer.write_eof()
        async with asyncio.timeout(5):
            await line.reader.read()
        line.writer.close()
    assert len(edge.known) == 4
    assert not any(again for _, again in edge.known)


async def test_two_heads_in_one_piece_are_two_requests(edge: Noting, line: Line) -> None:
    await known(line)
    for _ in range(3):
        await line.say(GET + GET)
        assert [await line.hear(), await line.hear()] == ["/x 0", "/x 0"]
    assert not any(again for _, again in edge.known)


async def test_end_of_another_head_is_not_taken_for_a_known_one(edge: Noting, line: Line) -> None:
    await known(line)
    await line.say(b"GET /other HTTP/1.1\r\nX-Before: ", GET)
    assert await line.hear() == "/other 0"
    assert edge.known[2:] == [("/other", False)]
    assert await line.ask(GET) == "/x 0"


async def test_body_that_looks_like_a_known_head_is_a_body(edge: Noting, line: Line) -> None:
    await known(line)
    put = b"PUT /put HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (2 * len(GET))
    await line.say(put, GET, GET)
    assert await line.hear() == f"/put {2 * len(GET)}"
    assert len(edge.known) == 3


@pytest.mark.parametrize("path", WAITING)
async def test_known_head_behind_another_request_has_its_turn(
    edge: Noting, line: Line, path: str
) -> None:
    await known(line)
    await line.say(head_for(path), GET)
    edge.let_go()
    assert [await line.hear(), await line.hear()] == [f"{path} 0", "/x 0"]


@pytest.mark.parametrize("path", WAITING)
async def test_answer_to_a_known_head_may_have_to_wait(edge: Noting, line: Line, path: str) -> None:
    edge.may.set()
    await known(line, head_for(path))
    edge.may.clear()
    for _ in range(2):
        await line.say(head_for(path), GET)
        assert edge.known[-1] == (path, True)
        edge.let_go()
        assert [await line.hear(), await line.hear()] == [f"{path} 0", "/x 0"]
        edge.may.clear()


async def test_answer_that_is_waited_for_twice_goes_on_twice(edge: Noting, line: Line) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    edge.may.clear()
    await line.say(head_for("/backend"))
    for _ in range(2):
        assert edge.waits is not None
        first = edge.waits
        first.set_result(None)
        await asyncio.sleep(0.02)
        assert edge.waits is not first
    edge.let_go()
    assert await line.hear() == "/backend 0"
    assert await line.ask(GET) == "/x 0"


async def test_answer_after_a_time_out_of_its_own_is_not_the_last(edge: Noting, line: Line) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    edge.may.clear()
    edge.patience = 0.05
    assert await line.ask(head_for("/backend")) == "/backend 0"
    assert await line.ask(GET) == "/x 0"


async def test_who_waits_on_one_connection_is_not_woken_for_another(
    edge: Noting, served: Served, line: Line
) -> None:
    other, head = await connected(served), head_for("/backend")
    edge.may.set()
    await known(line, head)
    edge.may.clear()
    await line.say(head)
    first = edge.waits
    await other.say(head)
    assert first is not None
    assert edge.waits is not first
    edge.let_go()
    assert await other.hear() == "/backend 0"
    assert not first.done()
    first.set_result(None)
    assert await line.hear() == "/backend 0"
    other.writer.close()


@pytest.mark.parametrize("path", WAITING)
@pytest.mark.parametrize("in_time", [False, True])
async def test_stop_ends_the_answer_to_a_known_head_or_cuts_it_off(
    edge: Noting, monkeypatch: pytest.MonkeyPatch, path: str, *, in_time: bool
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 10 if in_time else 0.1)
    async with asyncio.timeout(5), serving(edge) as served:
        line = await connected(served)
        edge.may.set()
        await known(line, head_for(path))
        edge.may.clear()
        await line.say(head_for(path))
        if in_time:
            asyncio.get_running_loop().call_later(0.1, edge.let_go)
    async with asyncio.timeout(5):
        if in_time:
            assert await line.hear() == f"{path} 0"
        assert await line.reader.read() == b""
    assert edge.left.is_set() is not in_time
    line.writer.close()


@pytest.mark.parametrize("path", WAITING)
async def test_client_that_leaves_ends_the_answer_to_a_known_head(
    edge: Noting, line: Line, path: str
) -> None:
    edge.may.set()
    await known(line, head_for(path))
    edge.may.clear()
    await line.say(head_for(path))
    line.writer.transport.abort()
    async with asyncio.timeout(5):
        await edge.left.wait()


def test_of_many_heads_the_last_are_kept() -> None:
    memory = Heads(most=2)
    for head in (b"a", b"b", b"c"):
        assert memory.find(head) is None
        found = memory.find(head)
        assert isinstance(found, Known)
        memory.keep(head, found)
    assert memory.find(b"c") is memory.find(b"c")
    assert memory.find(b"a") is not memory.find(b"a")  # known to have come, and no more


def test_of_heads_that_come_once_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST_SEEN", 2)
    memory = Heads()
    for head in (b"a", b"b", b"c"):
        assert memory.find(head) is None
    assert memory.find(b"b") is not None
    assert memory.find(b"a") is None
