"""Bodies checked while they stream: the last bytes come only when everything agreed.

A check after the last byte would leave the backend with a complete object; here a wrong body
leaves it with one that is short of at least the final block, which no backend keeps.
"""

import hmac
import zlib
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from hashlib import md5, sha1, sha256, sha512
from typing import Protocol

from gateway.errors import (
    BadDigest,
    IncompleteBody,
    InvalidRequest,
    XAmzContentSHA256Mismatch,
)
from gateway.s3.chunked import ChunkDecoder, ChunkSigning, Trailers
from gateway.s3.message import Body
from gateway.s3.payload import Form, Payload


async def checked(
    body: Body,
    payload: Payload,
    signing: ChunkSigning | None = None,
    trailers: Trailers | None = None,
    *,
    hashes: bool = True,
    checksums: bool = False,
) -> Body:
    """The decoded body, of which the end is held back until everything declared agrees.

    Waits for the first block, or the body's end: so what is wrong with an empty body is raised
    here, before a request to the backend could be complete without a byte. Await it before
    opening that request. `signing` is `VerifiedSignature.chunks`; `trailers` is filled before
    the last bytes come.

    `hashes` checks x-amz-content-sha256 and Content-MD5; leave it out for a backend that is
    known to check them and gets them as they came. `checksums` checks those x-amz-checksum-*
    that the standard library computes (CRC32, SHA-1, SHA-256, SHA-512, MD5), where the body is
    the object. Raises XAmzContentSHA256Mismatch, BadDigest, IncompleteBody,
    SignatureDoesNotMatch, InvalidRequest, MalformedTrailer, here or while it is read.
    """
    if payload.form.signed_chunks and signing is None:
        raise InvalidRequest("Signed chunks need a signed request.")
    checks = _Checks(payload, hashes=hashes, checksums=checksums)
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
    blocks = _held_back(body, payload.length, decoder, checks, trailers or Trailers())
    return _resumed(await anext(blocks, b""), blocks)


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
            raise IncompleteBody("The body is longer than it was declared.")
        checks.update(block)
        if held:
            yield held
        held = block
    if decoder:
        trailers.values.update(decoder.finish())
    if received != length:
        raise IncompleteBody(
            "You did not provide the number of bytes specified by the Content-Length header.",
            ExpectedBytes=length,
            ReceivedBytes=received,
        )
    checks.verify(trailers.values)
    if held:
        yield held


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _CRC32:
    """CRC-32 with the interface of hashlib's digests."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_COMPUTED: dict[str, Callable[[], _Digest]] = {
    "x-amz-checksum-crc32": _CRC32,
    "x-amz-checksum-md5": lambda: md5(usedforsecurity=False),
    "x-amz-checksum-sha1": lambda: sha1(usedforsecurity=False),
    "x-amz-checksum-sha256": sha256,
    "x-amz-checksum-sha512": sha512,
}


class _Checks:
    """The running digests of one body, and what they have to come to."""

    def __init__(self, payload: Payload, *, hashes: bool, checksums: bool) -> None:
        self._payload = payload
        hashed = hashes and payload.form is Form.HASHED
        self._sha256 = sha256() if hashed else None
        self._md5 = md5(usedforsecurity=False) if hashes and payload.content_md5 else None
        names = {name for name, _ in payload.checksums} | set(payload.trailers)
        self._checksums: dict[str, _Digest] = {
            name: _COMPUTED[name]() for name in names if checksums and name in _COMPUTED
        }
        running = (self._sha256, self._md5, *self._checksums.values())
        self._running: list[_Digest] = [digest for digest in running if digest is not None]

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
        for name, value in (*payload.checksums, *trailers.items()):
            digest = self._checksums.get(name)
            if digest and b64encode(digest.digest()).decode("ascii") != value:
                algorithm = name.removeprefix("x-amz-checksum-").upper()
                raise BadDigest(
                    f"The {algorithm} you specified did not match the calculated checksum."
                )
