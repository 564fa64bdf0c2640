"""Bodies checked while they stream: the last bytes come only when everything agreed.

A check after the last byte would leave the backend with a complete object; here a wrong body
leaves it with one that is short of at least the final block, which no backend keeps.
"""

import hmac
from base64 import b64encode
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import md5, sha256
from typing import Self

from gateway.conduit import Outlet
from gateway.errors import (
    BadDigest,
    IncompleteBody,
    InvalidRequest,
    XAmzContentSHA256Mismatch,
)
from gateway.s3.chunked import ChunkDecoder, ChunkSigning
from gateway.s3.digests import CHECKSUMS, Digest
from gateway.s3.framing import Trailers
from gateway.s3.message import Body, pour_body
from gateway.s3.payload import Form, Payload, is_checksum


@dataclass(frozen=True, slots=True)
class BackendChecks:
    """What a backend was seen to check of a body, where the declaration goes on as it came.

    `payload_hash` is x-amz-content-sha256 in hex. `headers` and `trailers` are the names of the
    checksums that it computes when they are declared there.
    """

    payload_hash: bool = False
    content_md5: bool = False
    headers: tuple[str, ...] = ()
    trailers: tuple[str, ...] = ()


NOTHING = BackendChecks()
"""What is known of a backend that nobody has tried."""


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
    checks = _Checks(payload, elsewhere)
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
    blocks = _held_back(body, payload.length, decoder, checks, trailers or Trailers())
    return _resumed(await anext(blocks, b""), blocks)


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
    checks = _Checks(payload, elsewhere)
    at_hand = getattr(body, "at_hand", None)
    whole: bytes | None = None if at_hand is None else at_hand()
    if whole is None:
        whole = await _joined(body, payload.length)
    if len(whole) != payload.length:
        raise _incomplete(len(whole), payload.length)
    checks.update(whole)
    checks.verify({})
    return whole


async def _joined(body: Body, most: int) -> bytes:
    pieces, received = list[bytes](), 0
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


async def _resumed(first: bytes, blocks: AsyncGenerator[bytes, None]) -> Body:
    async with aclosing(blocks):
        if first:
            yield first
        async for block in blocks:
            yield block


async def _held_back(
    body: Body, length: int, decoder: ChunkDecoder | None, checks: "_Checks", trailers: Trailers
) -> AsyncGenerator[bytes, None]:
    """Each block when the next one is there; the last one when every check agreed."""
    held, received = b"", 0
    async for raw in body:
        block = decoder.feed(raw) if decoder else raw
        if not block:
            continue
        received += len(block)
        if received > length:
            raise _too_long()
        checks.update(block)
        if held:
            yield held
        held = block
    if decoder:
        trailers.values.update(decoder.finish())
    if received != length:
        raise _incomplete(received, length)
    checks.verify(trailers.values)
    if held:
        yield held


def _too_long() -> IncompleteBody:
    return IncompleteBody("The body is longer than it was declared.")


def _incomplete(received: int, length: int) -> IncompleteBody:
    return IncompleteBody(
        "You did not provide the number of bytes specified by the Content-Length header.",
        ExpectedBytes=length,
        ReceivedBytes=received,
    )


class _Checks:
    """The running digests of one body, and what they have to come to."""

    def __init__(self, payload: Payload, elsewhere: BackendChecks) -> None:
        self._payload = payload
        hashed = payload.form is Form.HASHED and not elsewhere.payload_hash
        self._sha256 = sha256() if hashed else None
        summed = payload.content_md5 is not None and not elsewhere.content_md5
        self._md5 = md5(usedforsecurity=False) if summed else None
        self._headers: tuple[tuple[str, str], ...] = ()
        self._trailers: tuple[str, ...] = ()
        self._checksums: dict[str, Digest] = {}
        if payload.checksums or payload.trailers:
            self._sum(payload, elsewhere)
        running = (self._sha256, self._md5, *self._checksums.values())
        self._running: list[Digest] = [digest for digest in running if digest is not None]

    def _sum(self, payload: Payload, elsewhere: BackendChecks) -> None:
        self._headers = tuple(
            (name, value) for name, value in payload.checksums if name not in elsewhere.headers
        )
        self._trailers = tuple(name for name in payload.trailers if name not in elsewhere.trailers)
        for name, value in self._headers:
            if not is_checksum(name, value):
                raise InvalidRequest(f"Value for {name} header is invalid.")
        names = {name for name, _ in self._headers}.union(self._trailers)
        self._checksums = {name: CHECKSUMS[name]() for name in names}

    @property
    def none(self) -> bool:
        """Whether nothing is computed of the body."""
        return not self._running

    def update(self, block: bytes) -> None:
        """Take a block of the body in."""
        for digest in self._running:
            digest.update(block)

    def verify(self, trailers: Mapping[str, str]) -> None:
        """Nothing, if all that was declared agrees with the body that came."""
        payload = self._payload
        if self._sha256 and not hmac.compare_digest(self._sha256.hexdigest(), payload.sha256):
            raise XAmzContentSHA256Mismatch(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ClientComputedContentSHA256=payload.sha256,
                S3ComputedContentSHA256=self._sha256.hexdigest(),
            )
        if self._md5 and self._md5.digest() != payload.content_md5:
            raise BadDigest("The Content-MD5 you specified did not match what we received.")
        computed = {
            name: b64encode(sum_.digest()).decode() for name, sum_ in self._checksums.items()
        }
        for name, value in self._declared(trailers):
            if computed[name] != value:
                algorithm = name.removeprefix("x-amz-checksum-").upper()
                raise BadDigest(
                    f"The {algorithm} you specified did not match the calculated checksum."
                )

    def _declared(self, trailers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        yield from self._headers
        for name in self._trailers:
            yield name, trailers[name]
