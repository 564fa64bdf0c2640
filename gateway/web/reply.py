"""Replies, written to the client: whole, or cut off where they can't be."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus

from aiohttp import HttpVersion10, HttpVersion11, hdrs
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDict, MultiMapping

from gateway.light import light
from gateway.s3.message import Body, Reply
from gateway.web.asked import Asked

BODILESS = frozenset((204, 304))
BREAKS = frozenset("\r\n\0")
NO_CONTENT = 204
LAST_CHUNK = b"0\r\n\r\n"

JOINED_BYTES = 1 << 16
"""Up to this size a body goes out in one piece with its head."""

STALL_SECONDS = 300.0
"""How long a client may take to read a piece: longer than a player that has enough for now."""


@light
@dataclass(frozen=True, slots=True)
class Sent:
    """What went out: the status, the bytes of the body, and what cut it off, if anything.

    `lasting` says that the connection can carry another request. `received` are the bytes that
    came after it: a websocket's.
    """

    status: int
    size: int
    failure: Exception | None = None
    received: int = 0
    lasting: bool = False


@light
@dataclass(frozen=True, slots=True)
class _Framing:
    """How an answer goes: without a body, with a declared length, in chunks, or to the end."""

    bodiless: bool
    chunked: bool
    length: int | None
    lasting: bool


@light
@dataclass(frozen=True, slots=True)
class Before:
    """What goes before a body: the head of an answer, with its status, and how the body goes."""

    framing: _Framing
    status: int
    head: bytes = field(repr=False)


def before_body(
    asked: Asked, reply: Reply, headers: CIMultiDict[str], *, last: bool = False
) -> Before:
    """What goes before the body of a reply; as `send` has it."""
    size = len(reply.body) if isinstance(reply.body, bytes) else None
    framing = _framing(asked, reply.status, headers, size, last=last)
    return Before(framing, reply.status, _head(asked, reply.status, headers))


def send_whole(asked: Asked, before: Before, body: bytes) -> Sent | Awaitable[Sent]:
    """What was sent of a head and its body; or it is awaited, where the client has to make room."""
    framing = before.framing
    if framing.bodiless:
        body = b""
    try:
        if len(body) > JOINED_BYTES:
            enough = asked.write_two(before.head, body)
        else:
            enough = asked.write(before.head + body)
    except Exception as error:  # noqa: BLE001 - after the status there is one honest answer
        asked.abort()
        return Sent(before.status, len(body), error)
    sent = Sent(before.status, len(body), lasting=framing.lasting)
    return _drained(asked, sent) if enough else sent


async def _drained(asked: Asked, sent: Sent) -> Sent:
    """What was sent, once the client has taken enough of it."""
    try:
        await asked.drain(STALL_SECONDS)
    except Exception as error:  # noqa: BLE001 - as above
        asked.abort()
        return Sent(sent.status, sent.size, error)
    except BaseException:
        asked.abort()
        raise
    return sent


async def send(
    asked: Asked, reply: Reply, headers: CIMultiDict[str], *, last: bool = False
) -> Sent:
    """What was sent of a reply, under `headers`; `last` ends the connection after it.

    A stream's first piece is waited for before the status goes out: what fails until then is
    raised, and can still be answered. What fails later cuts the connection, so that no client
    takes a part for the whole. The stream is closed in every case.
    """
    body = reply.body
    try:
        before = before_body(asked, reply, headers, last=last)
    except BaseException:
        await close(body)
        raise
    if not isinstance(body, bytes):
        return await send_stream(asked, before, body)
    sent = send_whole(asked, before, body)
    return sent if isinstance(sent, Sent) else await sent


async def send_stream(asked: Asked, before: Before, body: Body) -> Sent:
    """What was sent of a head and its body; as `send` has it."""
    try:
        first = await anext(body, b"")
        return await _write_stream(asked, before, first, body)
    finally:
        await close(body)


def _framing(
    asked: Asked, status: int, headers: CIMultiDict[str], size: int | None, *, last: bool
) -> _Framing:
    """How the answer goes; `headers` then say so."""
    version = asked.head.version
    bodiless = asked.head.method == hdrs.METH_HEAD or status in BODILESS
    if size is not None and not bodiless:
        headers[hdrs.CONTENT_LENGTH] = str(size)
    if status == NO_CONTENT:
        headers.popall(hdrs.CONTENT_LENGTH, None)
    declared = headers.get(hdrs.CONTENT_LENGTH)
    lasting = not (last or asked.head.should_close)
    chunked = False
    if not bodiless and declared is None:
        chunked = version >= HttpVersion11
        lasting = lasting and chunked
    if chunked:
        headers[hdrs.TRANSFER_ENCODING] = "chunked"
    if not bodiless and declared != "0" and hdrs.CONTENT_TYPE not in headers:
        headers[hdrs.CONTENT_TYPE] = "application/octet-stream"
    if not lasting and version == HttpVersion11:
        headers[hdrs.CONNECTION] = "close"
    elif lasting and version == HttpVersion10:
        headers[hdrs.CONNECTION] = "keep-alive"
    return _Framing(bodiless, chunked, None if declared is None else int(declared), lasting)


def _head(asked: Asked, status: int, headers: MultiMapping[str]) -> bytes:
    version = asked.head.version
    lines = [f"HTTP/{version.major}.{version.minor} {status} {_reason(status)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if hdrs.DATE not in headers:
        lines.append(f"Date: {rfc822_formatted_time()}")
    text = "\r\n".join(lines)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # Bytes of a backend's header that are no UTF-8 were read as surrogates.
        data = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()
    breaks = len(lines) - 1
    if data.count(b"\r") != breaks or data.count(b"\n") != breaks or b"\0" in data:
        name = next(n for n, v in headers.items() if not BREAKS.isdisjoint(n + v))
        raise ValueError(f"the header {name!r} of an answer holds a line break or NUL")
    return data + b"\r\n\r\n"


async def _write_stream(asked: Asked, before: Before, first: bytes, rest: Body) -> Sent:
    status, framing = before.status, before.framing
    flow = _Flow(asked, framing)
    try:
        if framing.bodiless:
            asked.write(before.head)
        else:
            await flow.pour(before.head, first, rest)
    except Exception as error:  # noqa: BLE001 - after the status there is one honest answer
        asked.abort()
        return Sent(status, flow.size, error)
    except BaseException:
        asked.abort()
        raise
    return Sent(status, flow.size, lasting=framing.lasting)


class _Flow:
    """A body on its way to a client; `size` is how much of it has gone."""

    __slots__ = ("_asked", "_chunked", "_length", "size")

    def __init__(self, asked: Asked, framing: _Framing) -> None:
        self._asked = asked
        self._chunked = framing.chunked
        self._length = framing.length
        self.size = 0

    async def pour(self, head: bytes, first: bytes, rest: Body) -> None:
        """Nothing, once a head and its body have gone, as fast as the client takes them.

        ValueError where the body has not the length that the head declared: of what is too long,
        the piece that made it so has not gone. The client would take the rest for complete, and
        what is over for the next answer.
        """
        asked = self._asked
        enough = asked.write_two(head, self._framed(first)) if first else asked.write(head)
        if enough:
            await asked.drain(STALL_SECONDS)
        if self._length is not None and await self._conduct(rest, self._length - self.size):
            return
        async for piece in rest:
            if piece and asked.write(self._framed(piece)):
                await asked.drain(STALL_SECONDS)
        if self._chunked:
            asked.write(LAST_CHUNK)
        elif self._length is not None and self.size != self._length:
            raise ValueError(f"{self.size} bytes of {self._length} were there")

    async def _conduct(self, body: Body, most: int) -> bool:
        """Whether that was all, once what of a body need not be read has gone."""
        pour = getattr(body, "pour", None)
        outlet = self._asked.outlet(most, STALL_SECONDS) if pour is not None else None
        if pour is None or outlet is None:
            return False
        with outlet:
            try:
                await pour(outlet)
            finally:
                self.size += outlet.size
        return outlet.size == most

    def _framed(self, piece: bytes) -> bytes:
        """A piece as it goes out; it is counted."""
        size = self.size + len(piece)
        if self._length is not None and size > self._length:
            raise ValueError(f"more than {self._length} bytes were there")
        self.size = size
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece


@lru_cache(600)
def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


async def close(body: bytes | Body) -> None:
    """Nothing; a stream gives nothing more."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
