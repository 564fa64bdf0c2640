"""Heads that come again: read once, answered each time; and what is never taken for one."""

import asyncio

import pytest

from gateway.web import heads
from gateway.web.heads import Heads, Known
from tests.web.noting import GET, Line, Noting, connected, head_for, known
from tests.web.serving import Served


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


def test_of_many_heads_the_last_are_kept() -> None:
    memory = Heads(most=2)
    for head in map(head_for, "abc"):
        assert memory.find(head, b"me") is None
        found = memory.find(head, b"me")
        assert isinstance(found, Known)
        memory.keep(found)
    a, c = head_for("a"), head_for("c")
    assert memory.find(c, b"me") is memory.find(c, b"me")
    assert memory.find(a, b"me") is not memory.find(a, b"me")  # known to have come, and no more


def test_of_heads_that_come_once_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST_SEEN", 2)
    memory = Heads()
    for head in map(head_for, "abc"):
        assert memory.find(head, b"me") is None
    assert memory.find(head_for("b"), b"me") is not None
    assert memory.find(head_for("a"), b"me") is None
