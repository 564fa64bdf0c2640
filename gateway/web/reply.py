"""Replies, written to the client: whole, or cut off where they can't be."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import hdrs, web

from gateway.s3.message import Body, Reply

BODILESS = frozenset((204, 304))
BREAKS = frozenset("\r\n\0")

STALL_SECONDS = 300.0
"""How long a client may take to read a piece: longer than a player that has enough for now."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What went out: the response, the bytes of its body, and what cut it off, if anything.

    `received` are the bytes that came after it: a websocket's.
    """

    response: web.StreamResponse
    size: int
    failure: Exception | None = None
    received: int = 0


async def send(request: web.BaseRequest, reply: Reply, *, last: bool = False) -> Sent:
    """What was sent; `last` ends the connection after it.

    A stream's first piece is waited for before the status goes out: what fails until then is
    raised, and can still be answered. What fails later cuts the connection, so that no client
    takes a part for the whole. The stream is closed in every case.
    """
    bodiless = request.method == hdrs.METH_HEAD or reply.status in BODILESS
    if isinstance(reply.body, bytes):
        response = _headed(reply, last=last)
        if not bodiless:
            response.content_length = len(reply.body)
        return await _write(request, response, _once(b"" if bodiless else reply.body))
    try:
        response = _headed(reply, last=last)
        first = await anext(reply.body, b"")
        rest = _once(b"") if bodiless else _joined(first, reply.body)
        return await _write(request, response, rest)
    finally:
        await _close(reply.body)


def _headed(reply: Reply, *, last: bool) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status)
    for name, value in reply.headers.items():
        if not BREAKS.isdisjoint(value):
            raise ValueError(f"the header {name} of an answer holds a line break or NUL")
        response.headers.add(name, _utf8(value))
    if last:
        response.force_close()
    return response


async def _write(
    request: web.BaseRequest, response: web.StreamResponse, pieces: AsyncIterator[bytes]
) -> Sent:
    size = 0
    # Asked before the response is prepared: then aiohttp counts it down.
    declared = response.content_length
    bodiless = request.method == hdrs.METH_HEAD or response.status in BODILESS
    try:
        await response.prepare(request)
        async for piece in pieces:
            await _put(response, piece)
            size += len(piece)
        if not bodiless and declared is not None and size != declared:
            _cut(request)
            return Sent(response, size, ValueError(f"{size} bytes of {declared} were there"))
        await response.write_eof()
    except Exception as error:  # noqa: BLE001 - after the status there is one honest answer
        _cut(request)
        return Sent(response, size, error)
    except BaseException:
        _cut(request)
        raise
    return Sent(response, size)


async def _put(response: web.StreamResponse, piece: bytes) -> None:
    try:
        async with asyncio.timeout(STALL_SECONDS):
            await response.write(piece)
    except TimeoutError:
        raise ConnectionError("the client stopped reading") from None


def _cut(request: web.BaseRequest) -> None:
    # Closing would send what is buffered; what matters is that the end never looks regular.
    if request.transport is not None:
        request.transport.abort()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data


async def _joined(first: bytes, rest: Body) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in rest:
        yield piece


async def _close(body: Body) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


def _utf8(value: str) -> str:
    # Bytes of a backend's header that are no UTF-8 were read as surrogates.
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
