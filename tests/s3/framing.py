"""aws-chunked bodies, framed as clients frame them."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise

from gateway.s3.chunked import ChunkDecoder, ChunkSigning

SIGNING = ChunkSigning(b"k" * 32, "20240229T123456Z", "20240229/r/s3/aws4_request", "5e" * 32)


def fed(decoder: ChunkDecoder, data: bytes) -> list[memoryview]:
    """What comes out of a piece, all of it, in views."""
    views, size = decoder.feed(data, len(data))
    assert size == len(data)
    return views


def signed_chunks(
    chunks: Sequence[bytes],
    trailers: Sequence[tuple[str, str]] | None = None,
    signing: ChunkSigning = SIGNING,
) -> bytes:
    """The chunks and the zero chunk, signed; `trailers` (maybe none of them) signed too."""
    out, previous = [], signing.seed
    for chunk in (*chunks, b""):
        previous = signing.of_chunk(previous, sha256(chunk).hexdigest())
        out.append(b"%x;chunk-signature=%s\r\n%s" % (len(chunk), previous.encode(), chunk))
        if chunk:
            out.append(b"\r\n")
    if trailers is not None:
        text = "".join(f"{name}:{value}\n" for name, value in trailers)
        signature = signing.of_trailer(previous, sha256(text.encode()).hexdigest())
        out.append(text.replace("\n", "\r\n").encode())
        out.append(f"x-amz-trailer-signature:{signature}\r\n".encode())
    return b"".join([*out, b"\r\n"])


def unsigned_chunks(chunks: Sequence[bytes], trailers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The chunks, the zero chunk and the trailers, as SDKs send them over TLS."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    lines = "".join(f"{name}:{value}\r\n" for name, value in trailers)
    return framed + b"0\r\n" + lines.encode() + b"\r\n"


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """`data` in the pieces that the cuts (any numbers) make of it."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:stop] for start, stop in pairwise(places)]
