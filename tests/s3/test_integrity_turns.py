"""A body that is checked holds nobody up, whatever it falls into."""

import asyncio

from gateway.conduit import MOST_PIECES
from gateway.s3.integrity import checked
from gateway.s3.payload import Form, Payload
from tests.s3.framing import unsigned_chunks
from tests.s3.oracle import body_of


async def test_others_have_their_turns_while_a_body_falls_into_many_pieces() -> None:
    body, turns = bytes(20 * MOST_PIECES), 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    raw = unsigned_chunks([b"\0"] * len(body))
    blocks = await checked(body_of([raw]), Payload(Form.UNSIGNED_CHUNKS_TRAILER, len(body)))
    assert b"".join([block async for block in blocks]) == body
    counting.cancel()
    assert turns >= len(body) // MOST_PIECES - 1
