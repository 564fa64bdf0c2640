"""Bodies: the few that are held whole, and the end of those that stream."""

from gateway.errors import EntityTooLarge
from gateway.s3.exchange import Verified
from gateway.s3.integrity import checked
from gateway.s3.message import Body


async def read_payload(verified: Verified, limit: int) -> bytes:
    """The decoded payload, checked; EntityTooLarge beyond `limit` bytes."""
    if verified.payload.length > limit:
        raise EntityTooLarge(
            f"this body is {verified.payload.length} bytes; at most {limit} are taken here"
        )
    signing = None if verified.signature is None else verified.signature.chunks
    body = await checked(verified.request.body, verified.payload, signing, checksums=True)
    return b"".join([block async for block in body])


async def close_body(body: Body) -> None:
    """Cut a stream off where it stands, if it can be; one that was read to its end is left."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
