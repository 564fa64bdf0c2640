"""Upload by HTML form: the PUT that it asks for, once its caller may make it."""

from collections.abc import AsyncIterator
from dataclasses import replace

from gateway.s3.exchange import Verified
from gateway.s3.form import WHOLE_BYTES
from gateway.s3.message import Body
from gateway.s3.post import Posted


async def opened(verified: Verified, posted: Posted) -> Verified:
    """The PUT with the form's file as its body, and its length, which the policy allows.

    A small body is read to its end, so what follows the file may be anything that a form may
    hold. A longer one is streamed: its file's length follows from the body's, if the file comes
    last, and a body that ends otherwise raises MalformedPOSTRequest when that shows, before the
    file's last bytes are out. EntityTooLarge, EntityTooSmall.
    """
    body: Body
    if posted.rest <= WHOLE_BYTES:
        data = await posted.file.whole()
        length, body = len(data), _once(data)
    else:
        length = posted.file.length(posted.rest)
        body = posted.file.exact(length)
    if posted.policy is not None:
        posted.policy.check_length(length)
    return replace(
        verified,
        request=replace(verified.request, body=body, length=length),
        payload=replace(verified.payload, length=length),
        posted=None,
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
