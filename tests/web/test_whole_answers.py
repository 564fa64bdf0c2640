"""Answers that need not be waited for: how they go, and what becomes of them where they don't."""

import asyncio

import pytest
from multidict import CIMultiDict

from gateway.s3.message import Reply
from gateway.web.asked import Asked
from gateway.web.exchange import Exchange
from gateway.web.reply import Before, Sent, _Framing, send_whole
from tests.web.serving import say, serving
from tests.web.test_boundary import Streaming, boundary

BEFORE = Before(_Framing(bodiless=False, chunked=False, length=4, lasting=True), 200, b"head")
VERSION = ("a version",)


class Client(Asked):
    """One that does not take what is written, in one way or another."""

    def __init__(self, *, written: Exception | None = None, drained: BaseException) -> None:
        self.written = written
        self.drained = drained
        self.aborted = False

    def write(self, data: bytes) -> bool:
        """Whether that is enough for now."""
        del data
        if self.written is not None:
            raise self.written
        return True

    async def drain(self, seconds: float) -> None:
        """Nothing but a failure."""
        del seconds
        raise self.drained

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


async def test_client_that_takes_too_little_is_cut_off() -> None:
    failure = ConnectionResetError("it takes nothing")
    client = Client(drained=failure)
    waiting = send_whole(client, BEFORE, b"body")
    assert not isinstance(waiting, Sent)
    assert await waiting == Sent(200, 4, failure)
    assert client.aborted


async def test_answer_that_is_given_up_is_cut_off() -> None:
    client = Client(drained=asyncio.CancelledError())
    waiting = send_whole(client, BEFORE, b"body")
    assert not isinstance(waiting, Sent)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert client.aborted


def test_client_that_has_gone_is_cut_off_at_once() -> None:
    failure = ConnectionResetError("it has gone")
    client = Client(written=failure, drained=AssertionError())
    assert send_whole(client, BEFORE, b"body") == Sent(200, 4, failure)
    assert client.aborted


async def heard(told: Reply | list[Reply], method: str, *parts: bytes, times: int = 4) -> bytes:
    """What is answered to one head that comes some times on a connection, the last of them other.

    Or to `parts` that take its place.
    """
    replies = [told] * times if isinstance(told, Reply) else told.copy()

    async def answer(exchange: Exchange) -> Reply:
        del exchange
        return replies.pop(0)

    head = f"{method} /a HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    end = f"{method} /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode()
    async with serving(boundary(answer)) as served:
        return await say(served, *(parts or (head,) * (times - 1)), end)


async def test_head_again_has_the_head_of_a_body_and_no_body() -> None:
    headers = CIMultiDict({"Content-Length": "4"})
    said = await heard(Reply(200, headers, b"fine", of=VERSION), "HEAD")
    assert said.count(b"HTTP/1.1 200 OK\r\n") == said.count(b"\r\nContent-Length: 4\r\n") == 4
    assert b"fine" not in said


async def test_what_tells_of_nothing_that_is_known_has_a_head_of_its_own() -> None:
    said = await heard([Reply(200, CIMultiDict(), b"x" * size) for size in range(1, 5)], "GET")
    for size in range(1, 5):
        assert said.count(b"\r\nContent-Length: %d\r\n" % size) == 1


async def test_what_is_known_ends_the_connection_where_a_body_was_not_read() -> None:
    reply = Reply(200, CIMultiDict(), b"fine", of=VERSION)
    head = b"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
    said = await heard(reply, "GET", head)
    assert said.count(b"HTTP/1.1") == 1
    assert b"\r\nConnection: close\r\n" in said


async def test_stream_whose_head_can_not_be_told_is_closed() -> None:
    bodies = [Streaming(b"fine") for _ in range(4)]
    replies = [Reply(200, CIMultiDict(), body, of=body) for body in bodies]
    replies[2].saying("X-Broken", "a\nb")
    said = await heard(replies, "GET")
    assert (said.count(b"HTTP/1.1 200 "), said.count(b"HTTP/1.1 500 ")) == (3, 1)
    assert all(body.closed.is_set() for body in bodies)


async def test_streams_of_the_same_that_are_read_whole_say_how_long_each_is() -> None:
    bodies = [b"a" * size for size in (5, 5, 7, 5)]
    replies = [
        Reply(200, CIMultiDict(), Streaming(body[:2], body[2:]), of=VERSION) for body in bodies
    ]
    assert [await reply.whole() for reply in replies] == bodies
    assert [await reply.whole() for reply in replies] == bodies  # they are at hand
    said = await heard(replies, "GET")
    assert said.count(b"\r\nContent-Length: 5\r\n") == 3
    assert said.count(b"\r\nContent-Length: 7\r\n") == 1


async def test_what_was_a_stream_before_is_told_anew_once_it_is_whole() -> None:
    replies = [
        Reply(200, CIMultiDict(), Streaming(b"fine"), of=VERSION),
        Reply(200, CIMultiDict(), Streaming(b"fine"), of=VERSION),
        Reply(200, CIMultiDict(), Streaming(b"fine"), of=VERSION),
        Reply(200, CIMultiDict(), b"", of=None),
    ]
    await replies[1].whole()
    said = await heard(replies, "GET")
    assert said.count(b"Transfer-Encoding: chunked") == 2
    assert said.count(b"\r\nContent-Length: 4\r\n") == 1
