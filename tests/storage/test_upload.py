"""How bodies go to the backend: as they are, hashed, or signed chunk by chunk."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.errors import IncompleteBody
from gateway.s3.digests import checksum
from gateway.s3.framing import Trailers
from gateway.storage.bucket import Bucket, Outgoing
from tests.conftest import BackendInUse
from tests.storage.faulty import Seen, faulty, response

CRC = "x-amz-checksum-crc32"
EMPTY = sha256(b"").hexdigest()
SIZES = [1, 65_535, 65_536, 65_537, 3_000_000]


async def pieces(data: bytes, size: int = 30_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


async def refuse_unsigned(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
) -> None:
    """The answer of a backend that takes no unsigned payload on plain HTTP."""
    del reader
    payload = request.headers["x-amz-content-sha256"]
    refused = "UNSIGNED" in payload
    writer.write(response("400 Bad Request" if refused else "200 OK"))


async def sent(bucket: Bucket, request: Outgoing) -> int:
    upstream = await bucket.send(request)
    await upstream.read(10_000)
    return upstream.status


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("trailing", [False, True])
async def test_bodies_signed_chunk_by_chunk_arrive(
    each_backend: BackendInUse, fresh_name: str, size: int, *, trailing: bool
) -> None:
    data = bytes(number % 251 for number in range(size))
    trailers = Trailers((CRC,), {CRC: checksum(CRC, data)}) if trailing else None
    async with Bucket(replace(each_backend.backend, payload_signing="chunks")) as bucket:
        await bucket.create_bucket(fresh_name)
        body = Outgoing("PUT", fresh_name, "key", body=pieces(data), length=size, trailers=trailers)
        assert await sent(bucket, body) == 200
        found = await bucket.get(fresh_name, "key", limit=size)
    assert found is not None
    assert found[1] == data
    assert "content-encoding" not in found[0].headers


@pytest.mark.parametrize("signing", ["unsigned", "chunks"])
async def test_body_that_ends_early_stores_nothing_however_it_goes(
    each_backend: BackendInUse, fresh_name: str, signing: str
) -> None:
    async with Bucket(replace(each_backend.backend, payload_signing=signing)) as bucket:
        await bucket.create_bucket(fresh_name)
        for trailers in (None, Trailers((CRC,), {CRC: checksum(CRC, b"")})):
            torn = Outgoing(
                "PUT", fresh_name, "key", body=pieces(b"x" * 99), length=100, trailers=trailers
            )
            with pytest.raises(IncompleteBody):
                await bucket.send(torn)
        assert await bucket.head(fresh_name, "key") is None


async def test_chunks_are_for_backends_that_refuse_what_is_unsigned() -> None:
    requests = [
        Outgoing("PUT", "b", "k", body=pieces(b"data"), length=4),
        Outgoing(
            "PUT",
            "b",
            "k",
            body=pieces(b"data"),
            length=4,
            trailers=Trailers((CRC,), {CRC: checksum(CRC, b"data")}),
        ),
    ]
    async with faulty(refuse_unsigned) as there:
        async with Bucket(there.backend) as bucket:
            assert [await sent(bucket, request) for request in requests] == [400, 400]
        requests = [replace(request, body=pieces(b"data")) for request in requests]
        async with Bucket(replace(there.backend, payload_signing="chunks")) as bucket:
            assert [await sent(bucket, request) for request in requests] == [200, 200]
    assert [seen.headers["x-amz-content-sha256"] for seen in there.seen] == [
        "UNSIGNED-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    ]
    for seen in there.seen[1:]:
        assert seen.headers["x-amz-decoded-content-length"] == "4"
        assert "x-amz-decoded-content-length" in seen.headers["authorization"]
    assert [seen.headers.get("x-amz-trailer") for seen in there.seen] == [None, CRC, None, CRC]


async def test_what_is_at_hand_is_hashed() -> None:
    known = sha256(b"known").hexdigest()
    async with faulty(refuse_unsigned) as there, Bucket(there.backend) as bucket:
        for method in ("GET", "HEAD", "DELETE", "PUT", "POST"):
            assert await sent(bucket, Outgoing(method, "b", "k")) == 200
        assert await sent(bucket, Outgoing("PUT", "b", "k", body=b"data")) == 200
        streamed = Outgoing("PUT", "b", "k", body=pieces(b"known"), length=5, payload_hash=known)
        assert await sent(bucket, streamed) == 200
    hashes = [seen.headers["x-amz-content-sha256"] for seen in there.seen]
    assert hashes == [EMPTY] * 5 + [sha256(b"data").hexdigest(), known]


async def test_trailers_have_their_values_when_the_body_has_ended() -> None:
    trailers = Trailers((CRC,))

    async def body() -> AsyncIterator[bytes]:
        yield b"da"
        yield b"ta"
        trailers.values[CRC] = b64encode(b"four").decode()

    for signing in ("unsigned", "chunks"):
        trailers.values.clear()
        async with faulty(refuse_unsigned) as there:
            async with Bucket(replace(there.backend, payload_signing=signing)) as bucket:
                await sent(
                    bucket, Outgoing("PUT", "b", "k", body=body(), length=4, trailers=trailers)
                )
            assert b"x-amz-checksum-crc32:Zm91cg==\r\n" in there.seen[0].body
