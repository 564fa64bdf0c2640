"""aws-chunked framing, read: an incremental decoder that verifies.

The specification: "Signature Calculations for the Authorization Header: Transferring Payload
in Multiple Chunks" and its "Including Trailing Headers" of the S3 API Reference.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import sha256

from gateway.errors import (
    IncompleteBody,
    InvalidRequest,
    MalformedTrailer,
    SignatureDoesNotMatch,
)
from gateway.light import light
from gateway.s3.canonical import EMPTY_SHA256, sign, sign_chain
from gateway.s3.payload import is_checksum

TRAILER_SIGNATURE = "x-amz-trailer-signature"
"""What signed trailers end with."""

MAX_LINE_BYTES = 1024
"""The longest line of framing: a chunk's header, or a trailer."""

MAX_TRAILERS = 16
"""How many lines may come after the zero chunk."""

# The size in hex, and the signature: empty where there is none.
_SIZE = rb"([0-9a-fA-F]{1,16})()[ \t]*\r\n"
_SIGNED_SIZE = rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})[ \t]*\r\n"
_HEADER, _SIGNED_HEADER = re.compile(_SIZE), re.compile(_SIGNED_SIZE)
# A chunk's header with the end of the chunk before it: of most chunks both are there at once.
_NEXT, _SIGNED_NEXT = re.compile(b"\r\n" + _SIZE), re.compile(b"\r\n" + _SIGNED_SIZE)
_TRAILER = re.compile(r"([A-Za-z0-9-]+):[ \t]*(\S*)[ \t]*")


@light
@dataclass(frozen=True, slots=True)
class ChunkSigning:
    """What chunk signatures are made with; `seed` is the request's own signature."""

    key: bytes = field(repr=False)
    timestamp: str
    scope: str
    seed: str = field(repr=False)

    def of_chunk(self, previous: str, digest: str) -> str:
        """The signature of a chunk, from the one before it and its SHA-256 in hex."""
        return self.of_chunks(previous, (digest,))[0]

    def of_chunks(self, previous: str, digests: Sequence[str]) -> list[str]:
        """The signatures of chunks that follow each other."""
        beginning = f"AWS4-HMAC-SHA256-PAYLOAD\n{self.timestamp}\n{self.scope}\n"
        return sign_chain(self.key, beginning, previous, f"\n{EMPTY_SHA256}\n", digests)

    def of_trailer(self, previous: str, digest: str) -> str:
        """The signature of the trailers, from the last chunk's and their SHA-256 in hex."""
        text = f"AWS4-HMAC-SHA256-TRAILER\n{self.timestamp}\n{self.scope}\n{previous}\n{digest}"
        return sign(self.key, text)


class _Part(Enum):
    """Where in the framing the decoder is."""

    HEADER = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


class ChunkDecoder:
    """One aws-chunked body, fed in any pieces, in time linear in its bytes.

    What `feed` returns is not proved until `finish` has returned: a chunk's signature comes
    before its bytes, but can be checked only after them, and a chunk may be long. Raises
    SignatureDoesNotMatch, IncompleteBody, MalformedTrailer, InvalidRequest.
    """

    __slots__ = (
        "_hash",
        "_left",
        "_length",
        "_line",
        "_lines",
        "_names",
        "_next",
        "_part",
        "_previous",
        "_received",
        "_signature",
        "_signed_trailer",
        "_signing",
        "_trailer_signature",
        "_trailing",
        "_values",
    )

    def __init__(
        self, length: int, signing: ChunkSigning | None, names: Sequence[str], *, trailing: bool
    ) -> None:
        """A decoder of `length` bytes; `signing` for signed chunks; `names` are announced.

        `trailing` says that the form has trailers, so that a signed one is signed there too.
        """
        self._length, self._signing, self._names = length, signing, tuple(names)
        self._trailing = trailing
        self._part = _Part.HEADER
        self._line = bytearray()
        self._next = _SIGNED_NEXT if signing else _NEXT
        self._left = self._received = self._lines = 0
        self._hash = sha256()
        self._previous = signing.seed if signing else ""
        self._signature = b""
        self._trailer_signature = ""
        self._signed_trailer = sha256()
        self._values: dict[str, str] = {}

    def feed(self, data: bytes | memoryview, most: int) -> tuple[list[memoryview], int]:
        """The decoded bytes of this piece, maybe none, in views of it, until there are `most`.

        And how far the piece was read by then: what is behind is to be fed next.
        """
        view = memoryview(data)
        out: list[memoryview] = []
        position, end = 0, len(view)
        while position < end and len(out) < most:
            left = self._left
            if left:
                piece = view[position : position + left]
                self._take(piece, left - len(piece))
                position += len(piece)
                out.append(piece)
            else:
                behind = self._read_chunks(view, position, out, most)
                position = behind or self._read_line(view, position)
        return out, position

    def finish(self) -> dict[str, str]:
        """The trailers of the body, which is over; IncompleteBody where it should go on."""
        if self._part in (_Part.TRAILER, _Part.DONE) and self._line:
            self._end_line()
        if self._part not in (_Part.TRAILER, _Part.DONE):
            raise IncompleteBody("The body ended before its last chunk, the one of size 0.")
        if self._received != self._length:
            raise IncompleteBody(
                "The body is not as long as x-amz-decoded-content-length says.",
                ExpectedBytes=self._length,
                ReceivedBytes=self._received,
            )
        missing = [name for name in self._names if name not in self._values]
        if missing:
            raise MalformedTrailer(f"The trailer {missing[0]} was announced and did not come.")
        if self._signing and self._trailing:
            digest = self._signed_trailer.hexdigest()
            expected = self._signing.of_trailer(self._previous, digest)
            if not hmac.compare_digest(expected, self._trailer_signature):
                raise SignatureDoesNotMatch("The trailer's signature does not match.")
        return self._values

    def _take(self, piece: memoryview, left: int) -> None:
        self._left = left
        if self._signing:
            self._hash.update(piece)
        if not left:
            self._verify_chunk()
            self._part = _Part.DATA_END

    def _read_chunks(
        self, view: memoryview, position: int, out: list[memoryview], most: int
    ) -> int:
        """Where the whole chunks end that are there, and the header of one that is not; or 0.

        Most chunks come so: what is done for each of them has to be little, and is done for all of
        them before what is next. A chunk's bytes empty the processor's caches of all else.
        """
        if self._part is not _Part.DATA_END or self._line:
            return 0
        signing, size, behind = self._signing, len(view), 0
        room = self._length - self._received
        match = self._next.match
        pieces: list[memoryview] = []
        signatures: list[bytes] = []
        for _ in range(most - len(out)):
            header = match(view, position, position + MAX_LINE_BYTES)
            if header is None:
                break
            digits, signature = header.groups()
            length = int(digits, 16)
            behind = header.end()
            position = behind + length
            if not 0 < length <= room or position > size:
                break  # it is the last, empty one, is too long, or not whole yet
            room -= length
            pieces.append(view[behind:position])
            signatures.append(signature)
            behind = position
        else:
            header = None
        self._received = self._length - room
        if signing is not None:
            digests = [sha256(piece).hexdigest() for piece in pieces]
            self._verify(signing, digests, b"".join(signatures))
        out += pieces
        if header is not None:
            self._start_chunk(header)
        return behind

    def _read_line(self, view: memoryview, position: int) -> int:
        """Where a line ends that goes on, or begins, at `position`; or the view does."""
        line = bytes(view[position : position + MAX_LINE_BYTES + 1 - len(self._line)])
        newline = line.find(b"\n") + 1
        self._line += line[:newline] if newline else line
        if len(self._line) > MAX_LINE_BYTES:
            raise InvalidRequest("A line of the aws-chunked framing is too long.")
        if newline:
            self._end_line()
        return position + (newline or len(line))

    def _end_line(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        if self._part is _Part.HEADER:
            header = (_SIGNED_HEADER if self._signing else _HEADER).fullmatch(line)
            if header is None:
                raise InvalidRequest("The header of a chunk is malformed.")
            self._start_chunk(header)
        elif self._part is _Part.DATA_END:
            if line != b"\r\n":
                raise InvalidRequest("A chunk is not as long as its header says.")
            self._part = _Part.HEADER
        elif self._part is _Part.TRAILER:
            self._trailer_line(line)
        else:
            self._lines += 1
            if line.strip(b"\r\n") or self._lines > MAX_TRAILERS:
                raise InvalidRequest("Bytes came after the end of the aws-chunked body.")

    def _start_chunk(self, header: re.Match[bytes]) -> None:
        size = int(header[1], 16)
        self._count(size)
        if self._signing:
            self._signature = header[2]
            self._hash = sha256()
        self._left = size
        self._part = _Part.DATA
        if not size:
            self._verify_chunk()
            self._part = _Part.TRAILER

    def _count(self, size: int) -> None:
        self._received += size
        if self._received > self._length:
            raise IncompleteBody(
                "The body is longer than x-amz-decoded-content-length says.",
                ExpectedBytes=self._length,
            )

    def _verify_chunk(self) -> None:
        if self._signing:
            self._verify(self._signing, [self._hash.hexdigest()], self._signature)

    def _verify(self, signing: ChunkSigning, digests: Sequence[str], signatures: bytes) -> None:
        expected = [self._previous, *signing.of_chunks(self._previous, digests)]
        if not hmac.compare_digest("".join(expected[1:]).encode(), signatures):
            raise SignatureDoesNotMatch("A chunk's signature does not match.")
        self._previous = expected[-1]

    def _trailer_line(self, line: bytes) -> None:
        """One line after the zero chunk; an empty one ends the body.

        S3's own example has an empty line before the trailer's signature too.
        """
        self._lines += 1
        text = line.decode("latin-1").rstrip("\r\n")
        if not text:
            waiting = self._signing and self._trailing and not self._trailer_signature
            self._part = _Part.TRAILER if waiting and self._values else _Part.DONE
            return
        match = _TRAILER.fullmatch(text)
        if match is None or not self._trailing or self._lines > MAX_TRAILERS:
            raise MalformedTrailer("What comes after the last chunk is no trailer.")
        name, value = match[1].lower(), match[2]
        if name == TRAILER_SIGNATURE and self._signing and not self._trailer_signature:
            self._trailer_signature = value if value.isascii() else "-"
            return
        self._check_trailer(name, value)
        self._values[name] = value
        self._signed_trailer.update(f"{name}:{value}\n".encode())

    def _check_trailer(self, name: str, value: str) -> None:
        if name not in self._names or name in self._values or self._trailer_signature:
            raise MalformedTrailer(f"The trailer {name} was not announced by x-amz-trailer.")
        if not is_checksum(name, value):
            raise InvalidRequest(f"Value for {name} trailing header is invalid.")
