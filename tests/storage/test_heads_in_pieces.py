"""Heads of answers that come in pieces, and what is no head from its first piece on."""

import asyncio

import pytest

from gateway.errors import ServiceUnavailable
from gateway.storage.bucket import Bucket, Outgoing
from tests.storage.faulty import Seen, faulty, response

GET = Outgoing("GET", "b", "k")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("size", [1, 3, 6, 7, 20])
@pytest.mark.parametrize("before", [b"", CONTINUE])
async def test_head_may_come_in_pieces(before: bytes, size: int) -> None:
    said = before + response("200 OK", b"mine")

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        for start in range(0, len(said), size):
            writer.write(said[start : start + size])
            await asyncio.sleep(0.001)

    async with faulty(behave) as there, Bucket(there.backend) as bucket:
        assert await (await bucket.send(GET)).read(100) == b"mine"


@pytest.mark.parametrize("said", [b"S", b"HTTQ", b"HTTP/2 200\r\n\r\n"])
async def test_what_begins_as_no_head_does_is_not_waited_for(said: bytes) -> None:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: Seen) -> None:
        writer.write(said)

    async with faulty(behave) as there, Bucket(there.backend) as bucket, asyncio.timeout(5):
        with pytest.raises(ServiceUnavailable):
            await bucket.send(GET)
