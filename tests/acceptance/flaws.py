"""What can be wrong with an upload, and what S3 says to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.acceptance.bodies import (
    CHUNKS,
    DIGESTS,
    FIVE,
    HASH,
    SIGNED_CHUNKS,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    Draft,
    Shape,
    digest,
)

Refusal = tuple[int, str]

MISMATCH: Refusal = (400, "XAmzContentSHA256Mismatch")
BAD_DIGEST: Refusal = (400, "BadDigest")
SIGNATURE: Refusal = (403, "SignatureDoesNotMatch")
INCOMPLETE: Refusal = (400, "IncompleteBody")
TRAILER: Refusal = (400, "MalformedTrailerError")
INVALID: Refusal = (400, "InvalidRequest")
INVALID_DIGEST: Refusal = (400, "InvalidDigest")
NO_ANSWER: Refusal = (0, "")  # who shuts a connection early may hear nothing on it

SHAPES = (
    Shape("hash", HASH),
    Shape("md5", md5=True),
    Shape("header-crc32", header="crc32"),
    Shape("presigned-crc32c", header="crc32c", presigned=True),
    Shape("signed-chunks", SIGNED_CHUNKS),
    Shape("signed-trailer", SIGNED_TRAILER, trailer="crc64nvme"),
    Shape("unsigned-trailer", UNSIGNED_TRAILER, trailer="crc32"),
)
"""Each form of a body once."""

CHECKSUMS = (
    *(Shape(f"header-{name}", header=name) for name in DIGESTS),
    *(Shape(f"presigned-{name}", header=name, presigned=True) for name in FIVE),
    *(Shape(f"hash-{name}", HASH, header=name) for name in FIVE),
    *(Shape(f"signed-chunks-{name}", SIGNED_CHUNKS, header=name) for name in FIVE),
    *(Shape(f"signed-trailer-{name}", SIGNED_TRAILER, trailer=name) for name in DIGESTS),
    *(Shape(f"unsigned-trailer-{name}", UNSIGNED_TRAILER, trailer=name) for name in DIGESTS),
)
"""Each checksum in each place."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One way to spoil a draft, and the answers to it.

    `theirs` is what SeaweedFS says where the check is left to it, in words that are not S3's.
    """

    name: str
    spoil: Callable[[Draft], None] = field(repr=False)
    refusals: tuple[Refusal, ...]
    theirs: tuple[Refusal, ...] = ()


def flaws(shape: Shape) -> Iterator[Flaw]:
    """Every flaw that a body of this shape can have."""
    for place in ("first", "middle", "last"):
        yield Flaw(f"flipped {place} byte", _flip(place), *_mismatch(shape))
    yield from _declarations(shape)
    for name, count in (("last byte", 1), ("second half", 0)):
        yield Flaw(f"without its {name}", _stop(count), (INCOMPLETE, NO_ANSWER))
    if shape.chunked:
        yield from _framing(shape)
    if shape.signed_chunks:
        yield from _signatures(shape)
    if shape.trailer:
        yield from _trailers(shape)


def _mismatch(shape: Shape) -> tuple[tuple[Refusal, ...], ...]:
    if shape.signed_chunks:
        return ((SIGNATURE,),)
    if shape.trailer:
        return (BAD_DIGEST,), (INVALID_DIGEST,)
    return ((MISMATCH,),) if shape.payload == HASH else ((BAD_DIGEST,),)


def _declarations(shape: Shape) -> Iterator[Flaw]:
    if shape.payload == HASH:
        yield Flaw("hash of another", _declare("sha256", "ab" * 32), (MISMATCH,))
    if shape.md5:
        other = digest("md5", b"another")
        yield Flaw("MD5 of another", _declare("content-md5", other), (BAD_DIGEST,))
        yield Flaw("MD5 that is none", _declare("content-md5", "AAAA"), (INVALID_DIGEST,))
    if shape.header:
        name, other = f"x-amz-checksum-{shape.header}", digest(shape.header, b"another")
        yield Flaw("checksum of another", _declare(name, other), (BAD_DIGEST,))
        yield Flaw("checksum that is none", _declare(name, "AAA"), (INVALID,), (BAD_DIGEST,))


def _framing(shape: Shape) -> Iterator[Flaw]:
    yield Flaw("declared longer", _decode(1), (INCOMPLETE,))
    yield Flaw("declared shorter", _decode(-1), (INCOMPLETE,))
    lied = (SIGNATURE,) if shape.signed_chunks else (INVALID,)
    for number in range(CHUNKS):
        for change in (1, -1):
            # A last chunk that claims more than was declared is too long before it is wrong.
            refusals = (INCOMPLETE,) if (number, change) == (CHUNKS - 1, 1) else lied
            yield Flaw(f"chunk {number} lying by {change}", _lie(number, change), refusals)
    yield Flaw("without a zero chunk", _end, (INCOMPLETE,))
    trailing = (INVALID,) if shape.trailing else (INVALID, TRAILER)
    yield Flaw("bytes behind the end", _extend(b"behind"), trailing)
    yield Flaw("a chunk behind the end", _extend(b"1\r\nx\r\n0\r\n\r\n"), trailing)


def _signatures(shape: Shape) -> Iterator[Flaw]:
    for number in range(CHUNKS + 1):
        yield Flaw(f"wrong signature of chunk {number}", _missign(number), (SIGNATURE,))
    if shape.trailer:
        yield Flaw("wrong signature of the trailer", _missign_trailer, (SIGNATURE,))
        yield Flaw(
            "bytes that were signed and not summed", _sign_other, (BAD_DIGEST,), (INVALID_DIGEST,)
        )


def _trailers(shape: Shape) -> Iterator[Flaw]:
    name = f"x-amz-checksum-{shape.trailer}"
    other = "sha256" if shape.trailer != "sha256" else "sha1"
    second = (f"x-amz-checksum-{other}", digest(other, b"another"))
    wrong = (name, digest(shape.trailer, b"another"))
    yield Flaw("trailer of another", _trail(wrong), (BAD_DIGEST,), (INVALID_DIGEST,))
    yield Flaw("trailer that is none", _trail((name, "AAA")), (INVALID,))
    yield Flaw("no trailer", _trail(), (TRAILER,))
    yield Flaw("another trailer", _trail(second), (TRAILER,))
    yield Flaw("a second trailer", _trail(wrong, second), (TRAILER,))
    yield Flaw("an undeclared trailer", _undeclare, (TRAILER,))


def _flip(place: str) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        index = {"first": 0, "middle": len(draft.data) // 2, "last": -1}[place]
        flipped = bytearray(draft.data)
        flipped[index] ^= 1
        draft.sent = bytes(flipped)

    return spoil


def _declare(name: str, value: str) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.declared[name] = value

    return spoil


def _stop(missing: int) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        # The end of the framing holds no byte of the body; this many are past it for sure.
        framing = 600 if draft.shape.chunked else 0
        draft.missing = missing + framing if missing else len(draft.data) // 2

    return spoil


def _decode(change: int) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.decoded += change

    return spoil


def _lie(number: int, change: int) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.lies[number] = change

    return spoil


def _end(draft: Draft) -> None:
    draft.zero = False


def _extend(tail: bytes) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.tail = tail

    return spoil


def _missign(number: int) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.wrong.add(number)

    return spoil


def _missign_trailer(draft: Draft) -> None:
    draft.wrong_trailer = True


def _sign_other(draft: Draft) -> None:
    _flip("middle")(draft)
    draft.signed = draft.sent


def _trail(*trailers: tuple[str, str]) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        draft.trailers = list(trailers)

    return spoil


def _undeclare(draft: Draft) -> None:
    draft.announced = ()
