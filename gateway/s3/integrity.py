"""Bodies checked while they stream: the last bytes come only when everything agreed.

A check after the last byte would leave the backend with a complete object; here a wrong body
leaves it with one that is short of at least the final block, which no backend keeps.
"""

import asyncio
from collections.abc import Sequence
from typing import Self

from gateway.conduit import MOST_PIECES, Outlet
from gateway.errors import IncompleteBody, InvalidRequest
from gateway.s3.checks import NOTHING, BackendChecks, Checks
from gateway.s3.chunked import ChunkDecoder, ChunkSigning
from gateway.s3.framing import Trailers
from gateway.s3.message import Body, pour_body
from gateway.s3.payload import Payload


async def checked(
    body: Body,
    payload: Payload,
    signing: ChunkSigning | None = None,
    trailers: Trailers | None = None,
    *,
    elsewhere: BackendChecks = NOTHING,
) -> Body:
    """The decoded body, of which the end is held back until everything declared agrees.

    Waits for the first block, or the body's end: so what is wrong with an empty body is raised
    here, before a request to the backend could be complete without a byte. Await it before
    opening that request. `signing` is `VerifiedSignature.chunks`; `trailers` is filled before
    the last bytes come.

    What is checked `elsewhere`, by who gets the body next, is not computed here; lengths and
    chunk signatures always are. Raises XAmzContentSHA256Mismatch, BadDigest, IncompleteBody,
    SignatureDoesNotMatch, InvalidRequest, MalformedTrailer, here or while it is read.
    """
    if payload.form.signed_chunks and signing is None:
        raise InvalidRequest("Signed chunks need a signed request.")
    checks = Checks(payload, elsewhere)
    decoder = (
        ChunkDecoder(
            payload.length,
            signing if payload.form.signed_chunks else None,
            payload.trailers,
            trailing=payload.form.trailing,
        )
        if payload.form.chunked
        else None
    )
    if decoder is None and checks.none and hasattr(body, "pour"):
        return _Passed(await anext(body, b""), body, payload.length)
    sifted = _Sifted(body, _Sieve(payload.length, decoder, checks, trailers or Trailers()))
    await sifted.begin()
    return sifted


async def checked_whole(
    body: Body,
    payload: Payload,
    signing: ChunkSigning | None = None,
    *,
    elsewhere: BackendChecks = NOTHING,
) -> bytes:
    """The decoded body in one piece, if everything declared of it agrees; raises as `checked`.

    It is as long as the payload says: ask for no more than can be held.
    """
    if payload.form.chunked:
        blocks = await checked(body, payload, signing, elsewhere=elsewhere)
        return b"".join([block async for block in blocks])
    checks = Checks(payload, elsewhere)
    at_hand = getattr(body, "at_hand", None)
    whole: bytes | None = None if at_hand is None else at_hand()
    if whole is None:
        whole = await _joined(body, payload.length)
    if len(whole) != payload.length:
        raise _incomplete(len(whole), payload.length)
    if not checks.none:
        checks.update((whole,))
        checks.verify({})
    return whole


async def _joined(body: Body, most: int) -> bytes:
    pieces: list[bytes] = []
    received = 0
    async for piece in body:
        received += len(piece)
        if received > most:
            raise _too_long()
        pieces.append(piece)
    return b"".join(pieces)


class _Passed:
    """A body of which nothing but its length is checked: none of it has to be read, or held."""

    def __init__(self, first: bytes, body: Body, length: int) -> None:
        self._first = first
        self._body = body
        self._length = length
        self._received = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        piece = first or await anext(self._body, b"")
        self._received += len(piece)
        if self._received > self._length:
            raise _too_long()
        if piece:
            return piece
        if self._received != self._length:
            raise _incomplete(self._received, self._length)
        raise StopAsyncIteration

    async def pour(self, outlet: Outlet) -> None:
        """Nothing, once what need not be read has gone."""
        before = outlet.size
        first, self._first = self._first, b""
        outlet.write(first)
        try:
            await pour_body(self._body, outlet)
        finally:
            self._received += outlet.size - before


class _Sifted:
    """A body of which something is checked, all of it read."""

    def __init__(self, body: Body, sieve: "_Sieve") -> None:
        self._body = body
        self._sieve = sieve
        self._first = b""
        self._ended = False

    async def begin(self) -> None:
        """Nothing, once something is there that may go on, or there is nothing."""
        self._first = await self._block()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        block = first or await self._block()
        if not block:
            raise StopAsyncIteration
        return block

    async def _block(self) -> bytes:
        """What may go on next; b"" behind the end."""
        if self._ended:
            return b""
        async for raw in self._body:
            pieces, size = self._sieve.sift(raw, MOST_PIECES)
            block = b"".join(pieces)
            if size < len(raw):
                block += await self._behind(memoryview(raw)[size:])
            if block:
                return block
        self._ended = True
        return self._sieve.end()

    async def _behind(self, rest: memoryview) -> bytes:
        """What may go on of bytes that fall into many pieces: others have their turns meanwhile."""
        blocks = []
        while rest:
            await asyncio.sleep(0)
            pieces, size = self._sieve.sift(rest, MOST_PIECES)
            blocks.append(b"".join(pieces))
            rest = rest[size:]
        return b"".join(blocks)

    async def pour(self, outlet: Outlet) -> None:
        """Nothing, once what need not be read in pieces has gone."""
        first, self._first = self._first, b""
        outlet.write(first)
        outlet.sieve = self._sieve.sift
        try:
            await pour_body(self._body, outlet)
        finally:
            outlet.sieve = None


class _Sieve:
    """The decoded bytes of a body, as they may go on: its end when every check agreed."""

    __slots__ = ("_checks", "_decoder", "_held", "_length", "_received", "_trailers")

    def __init__(
        self, length: int, decoder: ChunkDecoder | None, checks: Checks, trailers: Trailers
    ) -> None:
        self._length, self._decoder = length, decoder
        self._checks, self._trailers = checks, trailers
        self._received, self._held = 0, b""

    def sift(self, raw: bytes | memoryview, most: int) -> tuple[Sequence[bytes | memoryview], int]:
        """What of the next bytes may go on, in `most` pieces; and how many of them were read."""
        size = len(raw)
        if raw and self._decoder is None and self._received + size < self._length:
            # Most of most bodies is neither coded nor the end.
            self._received += size
            self._checks.update((raw,))
            return (raw,), size
        blocks: list[bytes | memoryview] = [raw] if raw else []
        if self._decoder is not None:
            blocks[:], size = self._decoder.feed(raw, most)
        self._received += sum(map(len, blocks))
        self._checks.update(blocks)
        if self._received > self._length:
            raise _too_long()
        if blocks and self._received == self._length:
            self._held = bytes(blocks.pop())
        return blocks, size

    def end(self) -> bytes:
        """What was held back, if all that was declared agrees with what came."""
        if self._decoder is not None:
            self._trailers.values.update(self._decoder.finish())
        if self._received != self._length:
            raise _incomplete(self._received, self._length)
        self._checks.verify(self._trailers.values)
        return self._held


def _too_long() -> IncompleteBody:
    return IncompleteBody("The body is longer than it was declared.")


def _incomplete(received: int, length: int) -> IncompleteBody:
    return IncompleteBody(
        "You did not provide the number of bytes specified by the Content-Length header.",
        ExpectedBytes=length,
        ReceivedBytes=received,
    )
