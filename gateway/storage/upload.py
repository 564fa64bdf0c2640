"""Bodies of requests, on their way to the backend: framed and counted."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from gateway.conduit import Blocked, Outlet
from gateway.errors import IncompleteBody
from gateway.light import light
from gateway.s3.canonical import EMPTY_SHA256
from gateway.s3.chunked import ChunkSigning
from gateway.s3.framing import Trailers, framed, framed_length
from gateway.s3.message import NOTHING, Body, pour_body
from gateway.s3.payload import Form
from gateway.storage.upstream import UNSIGNED_PAYLOAD, Outgoing

PIECE_BYTES = 1 << 16


@light
@dataclass(frozen=True, slots=True)
class Carriage:
    """How a body goes on the wire: its x-amz-content-sha256, its bytes there, its headers.

    `framed` says that it is in aws-chunked framing, `signed` that each chunk is signed.
    """

    payload_hash: str
    length: int
    headers: Mapping[str, str] = field(default_factory=dict)
    framed: bool = False
    signed: bool = False


NO_BODY = Carriage(EMPTY_SHA256, 0)


def carriage_of(request: Outgoing, *, sign_chunks: bool) -> Carriage:
    """How the body of `request` goes: as it is where its hash is known, or can be.

    A body whose hash is not known goes unsigned, or chunk by chunk with `sign_chunks`.
    ValueError for a stream of unknown length.
    """
    body, known = request.body, request.payload_hash
    if body == b"" and known is None and request.trailers is None:
        return NO_BODY
    length = _length_of(request)
    if request.trailers is None:
        if known is not None and known != UNSIGNED_PAYLOAD:
            return Carriage(known, length)
        if isinstance(body, bytes) and (known is None or sign_chunks):
            return Carriage(sha256(body).hexdigest(), length)
        if not sign_chunks:
            return Carriage(UNSIGNED_PAYLOAD, length)
    names = () if request.trailers is None else request.trailers.names
    headers = {"x-amz-decoded-content-length": str(length)}
    if names:
        headers["x-amz-trailer"] = ",".join(names)
    signed = Form.SIGNED_CHUNKS_TRAILER if names else Form.SIGNED_CHUNKS
    form = signed if sign_chunks else Form.UNSIGNED_CHUNKS_TRAILER
    wire_length = framed_length(length, names, signed=sign_chunks)
    return Carriage(form.value, wire_length, headers, framed=True, signed=sign_chunks)


class Upload:
    """A request's body on its way, counted.

    `signing` signs the chunks, where the carriage has signed ones. `whole` is the body where it
    is at hand as it goes. `left` is how much has not gone yet; `failure` is what the body raised.
    """

    def __init__(self, request: Outgoing, carriage: Carriage, signing: ChunkSigning | None) -> None:
        self.length = self.left = carriage.length
        self.failure: Exception | None = None
        body = request.body
        self.whole = body if isinstance(body, bytes) and not carriage.framed else None
        self._body: Body = NOTHING
        if self.whole is None:
            self._body = _cut(body) if isinstance(body, bytes) else body
        if carriage.framed:
            trailers = request.trailers or Trailers()
            self._body = framed(self._body, _length_of(request), trailers, signing)

    async def pour(self, outlet: Outlet) -> None:
        """Nothing, once what need not be read has gone; Blocked. The rest comes in pieces."""
        try:
            await pour_body(self._body, outlet)
        except Blocked:
            raise
        except Exception as error:
            self.failure = error
            raise
        finally:
            self.left -= outlet.size

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, exactly as long as was said: IncompleteBody otherwise."""
        try:
            async for piece in self._body:
                self.left -= len(piece)
                if self.left < 0:
                    break
                yield piece
        except Exception as error:
            self.failure = error
            raise
        if self.left:
            self.failure = IncompleteBody("the body is not as long as was declared")
            raise self.failure


def _length_of(request: Outgoing) -> int:
    if isinstance(request.body, bytes):
        return len(request.body)
    if request.length is None:
        raise ValueError("a streamed body needs its length")
    return request.length


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
