"""Bodies: the few that are held whole, and the end of those that stream."""

from collections.abc import Callable
from dataclasses import replace
from typing import Self

from gateway.conduit import Outlet
from gateway.errors import EntityTooLarge
from gateway.s3.exchange import Verified
from gateway.s3.integrity import checked_whole
from gateway.s3.message import Body, pour_body
from gateway.s3.payload import Payload

# Its x-amz-checksum-* are those of the object that it makes, not of its own body.
COMPLETES = "CompleteMultipartUpload"


def body_payload(verified: Verified) -> Payload:
    """What the request declares of its own body."""
    if verified.operation.name == COMPLETES:
        return replace(verified.payload, checksums=())
    return verified.payload


async def read_payload(verified: Verified, limit: int) -> bytes:
    """The decoded payload, checked; EntityTooLarge beyond `limit` bytes."""
    payload = body_payload(verified)
    if payload.length > limit:
        raise EntityTooLarge(f"this body is {payload.length} bytes; at most {limit} are taken here")
    signing = None if verified.signature is None else verified.signature.chunks
    return await checked_whole(verified.request.body, payload, signing)


async def close_body(body: Body) -> None:
    """Cut a stream off where it stands, if it can be; one that was read to its end is left."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


class Measured:
    """A body that tells how many bytes of it were read, once, when it ends or is cut off.

    A class: it tells, and closes, also when nobody ever read it.
    """

    def __init__(self, body: Body, told: Callable[[int], None]) -> None:
        self._body = body
        self._told: Callable[[int], None] | None = told
        self._size = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._body)
        except BaseException:
            self._tell()
            raise
        self._size += len(piece)
        return piece

    async def pour(self, outlet: Outlet) -> None:
        """Nothing; what the body can do without being read is done."""
        before = outlet.size
        try:
            await pour_body(self._body, outlet)
        except BaseException:
            self._size += outlet.size - before
            self._tell()
            raise
        self._size += outlet.size - before

    async def aclose(self) -> None:
        """Nothing; the body is closed too."""
        self._tell()
        await close_body(self._body)

    def _tell(self) -> None:
        told, self._told = self._told, None
        if told is not None:
            told(self._size)
