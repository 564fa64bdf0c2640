"""aws-chunked framing, made: for bodies that go on with trailers, or signed chunk by chunk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256

from gateway.errors import IncompleteBody
from gateway.s3.chunked import TRAILER_SIGNATURE, ChunkSigning
from gateway.s3.message import Body
from gateway.s3.payload import CHECKSUM_LENGTHS

FRAME_BYTES = 1 << 20
"""How many bytes of the body one unsigned chunk holds; the last holds the rest."""

SIGNED_FRAME_BYTES = 1 << 16
"""The same of a signed chunk, which is held whole: its signature comes before its bytes."""

_SIGNATURE_DIGITS = 64


@dataclass(slots=True)
class Trailers:
    """The checksums that come after a body: their names, and their values once it has ended."""

    names: tuple[str, ...] = ()
    values: dict[str, str] = field(default_factory=dict)


def framed_length(length: int, names: tuple[str, ...], *, signed: bool) -> int:
    """How many bytes `framed` makes of `length`: its Content-Length."""
    size = SIGNED_FRAME_BYTES if signed else FRAME_BYTES
    full, rest = divmod(length, size)
    chunks = full * (_head_length(size, signed=signed) + size + 2)
    if rest:
        chunks += _head_length(rest, signed=signed) + rest + 2
    trailers = sum(len(name) + CHECKSUM_LENGTHS[name] + len(":\r\n") for name in names)
    if signed and names:
        trailers += len(TRAILER_SIGNATURE) + _SIGNATURE_DIGITS + len(":\r\n")
    return chunks + _head_length(0, signed=signed) + trailers + 2


def framed(
    body: Body, length: int, trailers: Trailers, signing: ChunkSigning | None
) -> AsyncIterator[bytes]:
    """`body` in aws-chunked framing, with its trailers: each chunk signed where `signing` is there.

    `length` counts the decoded bytes; the trailers' values are taken after the body's end.
    Yields exactly `framed_length(length, trailers.names)` bytes. IncompleteBody for a body of
    another length, before the zero chunk.
    """
    if signing is None:
        return _unsigned(body, length, trailers)
    return _signed(body, length, trailers, signing)


async def _unsigned(body: Body, length: int, trailers: Trailers) -> AsyncIterator[bytes]:
    """Chunks that are opened before their bytes are there, so that nothing is kept."""
    left, chunk = length, 0
    async for block in body:
        if len(block) > left:
            raise _too_long()
        parts: list[bytes] = []
        position = 0
        while position < len(block):
            if not chunk:
                chunk = min(FRAME_BYTES, left)
                parts.append(b"%x\r\n" % chunk)
            piece = block[position : position + chunk]
            position += len(piece)
            left -= len(piece)
            chunk -= len(piece)
            parts.append(piece)
            if not chunk:
                parts.append(b"\r\n")
        if parts:
            yield b"".join(parts)
    if left:
        raise _too_short()
    lines = "".join(f"{name}:{trailers.values[name]}\r\n" for name in trailers.names)
    yield f"0\r\n{lines}\r\n".encode("ascii")


async def _signed(
    body: Body, length: int, trailers: Trailers, signing: ChunkSigning
) -> AsyncIterator[bytes]:
    left, previous = length, signing.seed
    held = bytearray()
    async for block in body:
        left -= len(block)
        if left < 0:
            raise _too_long()
        held += block
        parts: list[bytes] = []
        while len(held) >= SIGNED_FRAME_BYTES:
            chunk = bytes(held[:SIGNED_FRAME_BYTES])
            del held[:SIGNED_FRAME_BYTES]
            previous = signing.of_chunk(previous, sha256(chunk).hexdigest())
            parts += (_head(chunk, previous), chunk, b"\r\n")
        if parts:
            yield b"".join(parts)
    if left:
        raise _too_short()
    parts = []
    if held:
        chunk = bytes(held)
        previous = signing.of_chunk(previous, sha256(chunk).hexdigest())
        parts += (_head(chunk, previous), chunk, b"\r\n")
    previous = signing.of_chunk(previous, sha256(b"").hexdigest())
    parts.append(_head(b"", previous))
    text = "".join(f"{name}:{trailers.values[name]}\n" for name in trailers.names)
    if text:
        signature = signing.of_trailer(previous, sha256(text.encode("ascii")).hexdigest())
        text += f"{TRAILER_SIGNATURE}:{signature}\n"
    parts.append(text.replace("\n", "\r\n").encode("ascii"))
    yield b"".join([*parts, b"\r\n"])


def _head(chunk: bytes, signature: str) -> bytes:
    return f"{len(chunk):x};chunk-signature={signature}\r\n".encode("ascii")


def _head_length(size: int, *, signed: bool) -> int:
    signature = len(";chunk-signature=") + _SIGNATURE_DIGITS if signed else 0
    return len(f"{size:x}") + signature + len("\r\n")


def _too_long() -> IncompleteBody:
    return IncompleteBody("The body is longer than it was declared.")


def _too_short() -> IncompleteBody:
    return IncompleteBody("The body ended before its declared length.")
