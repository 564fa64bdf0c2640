"""One connection: how long and how large a head may be, bodies that break, and what is no HTTP."""

import asyncio
import logging
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from multidict import CIMultiDict

from gateway.errors import GatewayError
from gateway.s3.message import Reply
from gateway.web import coming, reply
from gateway.web.asked import Asked
from gateway.web.reply import Sent
from tests.web.serving import Served, parsed, say, serving

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
PUT = b"PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
SECRET = b"Bearer hush-hush"


@dataclass(slots=True)
class Listening:
    """Says how many bytes a body had, or that it broke; a GET waits until it may be answered."""

    may: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[str] = field(default_factory=list)

    async def handle(self, asked: Asked) -> Sent:
        if asked.head.path == "/refused":
            return await answer(asked, 403, b"", last=True)
        if asked.head.path == "/wait":
            await self.may.wait()
        try:
            self.heard.append(f"{len(await asked.content.read())} bytes")
        except web.RequestPayloadError:
            self.heard.append("broken")
        return await answer(asked, 200, self.heard[-1].encode())

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        assert asked.head.path == "/"
        told = f"{error.code}: {error.message}".encode()
        return await answer(asked, error.status, told, last=True)

    def leave(self) -> None:
        """Nobody stays."""


async def answer(asked: Asked, status: int, body: bytes, *, last: bool = False) -> Sent:
    """What was sent of an answer with nothing but a body."""
    return await reply.send(asked, Reply(status, body=body), CIMultiDict(), last=last)


async def trickle(served: Served, before: bytes = b"") -> bytes:
    """What comes back, to the end, for a head that comes byte by byte and never ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(before)

    async def send() -> None:
        for byte in b"GET /x HTTP/1.1\r\n" + b"X-A: a\r\n" * 1_000:
            await asyncio.sleep(0.02)
            writer.write(bytes((byte,)))

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        sending.cancel()
        writer.close()


async def test_head_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coming, "HEAD_SECONDS", 0.2)
    async with serving(Listening()) as served:
        assert await trickle(served) == b""
        assert parsed(await trickle(served, GET)).body == b"0 bytes"


async def test_head_behind_a_request_that_is_being_answered_may_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coming, "HEAD_SECONDS", 0.05)
    listening = Listening()
    async with serving(listening) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(GET.replace(b"/x", b"/wait"))
        await asyncio.sleep(0.05)
        writer.write(b"GET /x HTTP/1.1\r\n")
        await asyncio.sleep(0.3)
        listening.may.set()
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert parsed(said).body == b"0 bytes"


async def test_heads_in_pieces_and_stray_line_ends_are_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coming, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(coming, "LONGEST_HEAD", 2 * len(GET))
    async with serving(Listening()) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for _ in range(5):
            for piece in (GET[:9], GET[9:-1], GET[-1:]):
                writer.write(piece)
                await asyncio.sleep(0.02)
            async with asyncio.timeout(10):
                said = await reader.readuntil(b"0 bytes")
            assert said.startswith(b"HTTP/1.1 200")
            writer.write(b"\r\n")
        await asyncio.sleep(0.5)
        assert not reader.at_eof()
        writer.close()


async def test_head_that_is_too_large_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coming, "LONGEST_HEAD", 1_000)
    async with serving(Listening()) as served:
        parts = [b"GET /x HTTP/1.1\r\n", *[b"X-A: %s\r\n" % (b"a" * 90)] * 100]
        assert await say(served, *parts) == b""


@pytest.mark.parametrize("path", [b"/x", b"/refused"])
@pytest.mark.parametrize("start", [b"3;a=", b"0\r\nX-A: "])
async def test_framing_that_is_too_large_is_cut_off(
    start: bytes, path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming, "LONGEST_HEAD", 1_000)
    async with serving(Listening()) as served:
        parts = [PUT.replace(b"/x", path), b"5\r\nhello\r\n", start, *[b"a" * 90] * 100]
        said = await say(served, *parts)
    assert said.count(b"HTTP/1.1") <= (path == b"/refused")


async def test_body_in_small_chunks_is_not_framing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coming, "LONGEST_HEAD", 100)
    async with serving(Listening()) as served:
        said = await say(served, PUT, *[b"1\r", b"\na\r\n"] * 100, b"0\r\n\r\n", until=bool)
    assert parsed(said).body == b"100 bytes"


@pytest.mark.parametrize("broken", [b"zz\r\n", b"3\nabc", b"3\r\nabcd\r\n0\r\n\r\n", b"-1\r\n"])
async def test_body_that_breaks_off_has_one_answer(
    broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    listening = Listening()
    async with serving(listening) as served:
        said = await say(served, PUT, b"5\r\nhello\r\n", broken, GET)
    assert listening.heard == ["broken"]
    assert said.count(b"HTTP/1.1") == 1
    assert parsed(said).body == b"broken"
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


async def test_body_that_nobody_wanted_may_break_off_unnoticed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(Listening()) as served:
        said = await say(served, PUT.replace(b"/x", b"/refused"), b"5\r\nhello\r\n", b"zz\r\n")
    assert parsed(said).status == 403
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: %s\x01\r\n\r\n" % SECRET, "InvalidRequest"),
        (b"GET /x HTTP/1.1\nHost: h\nAuthorization: %s\n\n" % SECRET, "InvalidRequest"),
        (b"GET /x HTTP/1.1\r\nHost: h\r\n: %s\r\n\r\n" % SECRET, "InvalidRequest"),
        (b"%s\r\n\r\n" % SECRET, "InvalidRequest"),
        (b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % SECRET, "InvalidRequest"),
        (
            b"GET /x HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key1: %s\r\n\r\n" % SECRET,
            "InvalidRequest",
        ),
        (
            b"GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n\r\n" % (SECRET * 10_000),
            "RequestHeaderSectionTooLarge",
        ),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (SECRET[-9:] * 10_000), "RequestHeaderSectionTooLarge"),
    ],
)
async def test_what_is_no_request_is_refused_and_not_repeated(
    said: bytes, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Listening()) as served:
        answer = parsed(await say(served, said, GET))
    assert answer.status == 400
    assert answer.body.decode().startswith(f"{code}: ")
    assert b"hush" not in answer.body
    assert "hush" not in caplog.text
    assert "Traceback" not in caplog.text


@dataclass(slots=True)
class Endless:
    """A body that goes on until it is closed."""

    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def __aiter__(self) -> "Endless":
        return self

    async def __anext__(self) -> bytes:
        return bytes(1 << 16)

    async def aclose(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("body", [bytes(1 << 25), Endless()], ids=["whole", "endless"])
async def test_client_that_does_not_read_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, body: bytes | Endless
) -> None:
    monkeypatch.setattr(reply, "STALL_SECONDS", 0.2)
    outcome = asyncio.Queue[Sent]()

    @dataclass(slots=True)
    class Sending(Listening):
        async def handle(self, asked: Asked) -> Sent:
            sent = await reply.send(asked, Reply(200, body=body), CIMultiDict())
            outcome.put_nowait(sent)
            return sent

    async with serving(Sending()) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 12)
        writer.write(GET)
        sent = await asyncio.wait_for(outcome.get(), 20)
        if isinstance(body, Endless):
            await asyncio.wait_for(body.closed.wait(), 20)
        writer.close()
    assert isinstance(sent.failure, ConnectionError)
