"""Read the few bodies that are held whole: manifests, lists of keys, settings."""

from gateway.errors import EntityTooLarge
from gateway.s3.exchange import Verified
from gateway.s3.integrity import checked


async def read_payload(verified: Verified, limit: int) -> bytes:
    """The decoded payload, checked; EntityTooLarge beyond `limit` bytes."""
    if verified.payload.length > limit:
        raise EntityTooLarge(
            f"this body is {verified.payload.length} bytes; at most {limit} are taken here"
        )
    signing = None if verified.signature is None else verified.signature.chunks
    body = await checked(verified.request.body, verified.payload, signing, checksums=True)
    return b"".join([block async for block in body])
