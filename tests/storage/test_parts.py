"""Uploads in parts at each backend."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from gateway.s3.address import Query
from gateway.s3.parts import Part, joined_etag
from gateway.storage.bucket import BackendError, Bucket, Outgoing

LEAST = 5 << 20
TYPE = {"Content-Type": "text/csv", "x-amz-meta-a": "b"}


async def put(
    bucket: Bucket, name: str, key: str, upload_id: str, number: int, body: bytes
) -> Part:
    query = Query((("partNumber", str(number)), ("uploadId", upload_id)))
    digest = sha256(body).hexdigest()
    outgoing = Outgoing("PUT", name, key, query, body=body, length=len(body), payload_hash=digest)
    answer = await bucket.send(outgoing)
    await answer.read(1 << 20)
    assert answer.status == 200
    return Part(number, answer.headers["ETag"])


async def test_an_upload_is_completed(each_bucket: Bucket, fresh_name: str) -> None:
    bucket, name, key = each_bucket, fresh_name, "dir/a b+é.bin"
    await bucket.create_bucket(name)
    upload_id = await bucket.create_upload(name, key, TYPE)
    await bucket.create_upload(name, key + "x", TYPE)
    parts = [
        await put(bucket, name, key, upload_id, 1, b"1" * LEAST),
        await put(bucket, name, key, upload_id, 2, b"end"),
    ]
    assert [each.upload_id for each in await bucket.uploads(name, key)] == [upload_id]
    assert await bucket.parts(name, key, upload_id) == parts
    with pytest.raises(BackendError) as caught:
        await bucket.complete_upload(name, key, upload_id, [parts[0], Part(2, parts[0].etag)])
    assert caught.value.code == "InvalidPart"

    stored = await bucket.complete_upload(name, key, upload_id, parts)

    head = await bucket.head(name, key)
    assert head is not None
    assert (head.etag, head.size, head.content_type) == (stored.etag, LEAST + 3, "text/csv")
    assert stored.etag.strip('"') == joined_etag(parts)
    assert await bucket.uploads(name, key) == []


async def test_an_upload_is_aborted_once_and_again(each_bucket: Bucket, fresh_name: str) -> None:
    bucket, name, key = each_bucket, fresh_name, "a.bin"
    await bucket.create_bucket(name)
    upload_id = await bucket.create_upload(name, key, TYPE)
    await put(bucket, name, key, upload_id, 1, b"end")
    for _ in range(2):
        await bucket.abort_upload(name, key, upload_id)
        assert await bucket.uploads(name, key) == []


async def test_an_aborted_upload_completes_nothing(weed_bucket: Bucket, fresh_name: str) -> None:
    bucket, name, key = weed_bucket, fresh_name, "a.bin"
    await bucket.create_bucket(name)
    upload_id = await bucket.create_upload(name, key, TYPE)
    part = await put(bucket, name, key, upload_id, 1, b"end")
    await bucket.abort_upload(name, key, upload_id)
    with pytest.raises(BackendError) as caught:
        await bucket.complete_upload(name, key, upload_id, [part])
    assert caught.value.code == "NoSuchUpload"
    assert await bucket.head(name, key) is None


async def test_an_upload_tells_when_it_was_begun(weed_bucket: Bucket, fresh_name: str) -> None:
    await weed_bucket.create_bucket(fresh_name)
    await weed_bucket.create_upload(fresh_name, "a.bin", TYPE)
    (upload,) = await weed_bucket.uploads(fresh_name, "a.bin")
    assert abs(upload.initiated - datetime.now(UTC)) < timedelta(minutes=1)
