"""The backend client: calls with values, on two real backends."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from multidict import CIMultiDict

from gateway.config import Backend
from gateway.errors import EntityTooLarge, IncompleteBody, InvalidArgument, PreconditionFailed
from gateway.s3.address import Query
from gateway.storage.bucket import BackendError, Bucket, Outgoing
from gateway.storage.credentials import CredentialsMissing, chosen
from gateway.storage.default_chain import DefaultChain

ODD_KEYS = [
    "plain.txt",
    "with space/and+plus.txt",
    "per%cent%2Fescape",
    "tilde~and'quote\"s",
    "ünïcödé/日本語/🙂",
    "a&b=c?d#e;f,g:h@i$j",
    "(brackets)[square]{curly}<angle>",
    "/".join(["k" * 224] * 4),
]


class Torn(Exception):
    """What a stream raises that can't go on."""


async def pieces(*parts: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part
    if error is not None:
        raise error


@pytest.fixture
async def area(each_bucket: Bucket, fresh_name: str) -> str:
    await each_bucket.create_bucket(fresh_name)
    return fresh_name


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_any_key_comes_back_byte_for_byte(each_bucket: Bucket, area: str, key: str) -> None:
    data = key.encode() * 3
    stored = await each_bucket.put(area, key, data)
    found = await each_bucket.get(area, key, limit=10_000)
    assert found is not None
    head, got = found
    assert got == data
    assert head.etag == stored.etag
    assert head.size == len(data)
    listed = [item.key async for page in each_bucket.list(area, "") for item in page]
    assert listed == [key]
    await each_bucket.delete(area, key)
    assert await each_bucket.head(area, key) is None


async def test_head_tells_what_was_stored(each_bucket: Bucket, area: str) -> None:
    headers = {
        "Content-Type": "text/csv",
        "Cache-Control": "max-age=60",
        "x-amz-meta-download-weight": "0.5",
    }
    await each_bucket.put(area, "a.csv", b"1,2", headers)
    head = await each_bucket.head(area, "a.csv")
    assert head is not None
    assert head.content_type == "text/csv"
    assert head.metadata == {"download-weight": "0.5"}
    assert head.headers == {
        "content-type": "text/csv",
        "cache-control": "max-age=60",
        "x-amz-meta-download-weight": "0.5",
    }
    assert abs(head.last_modified - datetime.now(UTC)) < timedelta(minutes=1)


async def test_absent_objects_are_none(each_bucket: Bucket, area: str) -> None:
    assert await each_bucket.head(area, "nothing") is None
    assert await each_bucket.get(area, "nothing", limit=1) is None
    await each_bucket.delete(area, "nothing")


async def test_absent_bucket_is_an_error(each_bucket: Bucket, fresh_name: str) -> None:
    with pytest.raises(BackendError) as caught:
        await each_bucket.get(fresh_name, "key", limit=1)
    assert caught.value.code == "NoSuchBucket"
    assert not await each_bucket.bucket_exists(fresh_name)


async def test_large_objects_are_not_held(each_bucket: Bucket, area: str) -> None:
    await each_bucket.put(area, "large", bytes(3_000_000))
    with pytest.raises(EntityTooLarge):
        await each_bucket.get(area, "large", limit=2_999_999)
    found = await each_bucket.get(area, "large", limit=3_000_000)
    assert found is not None
    assert found[1] == bytes(3_000_000)


async def test_one_of_many_conditional_writers_wins(each_bucket: Bucket, area: str) -> None:
    async def write(number: int) -> bool:
        try:
            await each_bucket.put(area, "record", b"%d" % number, if_absent=True)
        except PreconditionFailed:
            return False
        return True

    won = [
        number
        for number, success in enumerate(await asyncio.gather(*map(write, range(8))))
        if success
    ]
    found = await each_bucket.get(area, "record", limit=10)
    assert len(won) == 1
    assert found is not None
    assert found[1] == b"%d" % won[0]


async def test_versions_are_newest_first_and_of_one_key(each_bucket: Bucket, area: str) -> None:
    assert not await each_bucket.versioning(area)
    await each_bucket.enable_versioning(area)
    assert await each_bucket.versioning(area)
    first = await each_bucket.put(area, "data", b"1")
    second = await each_bucket.put(area, "data", b"22")
    await each_bucket.put(area, "data.csv", b"other")
    await each_bucket.put(area, "data/below", b"other")
    await each_bucket.delete(area, "data")
    versions = await each_bucket.versions(area, "data")
    assert [version.marker for version in versions] == [True, False, False]
    assert [version.version_id for version in versions[1:]] == [
        second.version_id,
        first.version_id,
    ]
    assert [version.size for version in versions] == [None, 2, 1]
    assert [version.latest for version in versions] == [True, False, False]
    assert await each_bucket.head(area, "data") is None
    assert await each_bucket.head(area, "data", versions[0].version_id) is None
    old = await each_bucket.get(area, "data", first.version_id, limit=1)
    assert old is not None
    assert old[1] == b"1"


async def test_deleting_the_newest_version_brings_the_one_before_back(
    each_bucket: Bucket, area: str
) -> None:
    await each_bucket.enable_versioning(area)
    await each_bucket.put(area, "data", b"old")
    newer = await each_bucket.put(area, "data", b"new")
    await each_bucket.delete(area, "data", newer.version_id)
    found = await each_bucket.get(area, "data", limit=10)
    assert found is not None
    assert found[1] == b"old"


async def test_copy_takes_the_version_that_is_named(each_bucket: Bucket, area: str) -> None:
    await each_bucket.enable_versioning(area)
    old = await each_bucket.put(area, "a+ b%", b"old", {"x-amz-meta-k": "v"})
    await each_bucket.put(area, "a+ b%", b"new")
    made = await each_bucket.copy(area, "a+ b%", old.version_id, "copy")
    found = await each_bucket.get(area, "copy", limit=10)
    assert found is not None
    head, data = found
    assert data == b"old"
    assert head.metadata == {"k": "v"}
    assert made.etag == head.etag == old.etag
    assert made.version_id == head.version_id is not None


async def test_copy_of_nothing_is_an_error(each_bucket: Bucket, area: str) -> None:
    with pytest.raises(BackendError) as caught:
        await each_bucket.copy(area, "nothing", None, "copy")
    assert caught.value.status == 404
    assert await each_bucket.head(area, "copy") is None


async def test_listing_passes_page_borders(weed_bucket: Bucket, fresh_name: str) -> None:
    await weed_bucket.create_bucket(fresh_name)
    names = [f"many/{number:04}" for number in range(1_005)]
    limit = asyncio.Semaphore(32)

    async def put(name: str) -> None:
        async with limit:
            await weed_bucket.put(fresh_name, name, b"")

    await asyncio.gather(*(put(name) for name in names))
    pages = [[item.key for item in page] async for page in weed_bucket.list(fresh_name, "many/")]
    assert len(pages) > 1
    assert [name for page in pages for name in page] == names
    later = weed_bucket.list(fresh_name, "many/", start_after="many/1001")
    assert [item.key async for page in later for item in page] == names[1_002:]


async def test_listing_with_a_delimiter_has_what_is_directly_below(
    each_bucket: Bucket, area: str
) -> None:
    for key in ("c/a.txt", "c/member/b.txt", "c/z.txt", "d.txt"):
        await each_bucket.put(area, key, b"")
    found = each_bucket.list(area, "c/", delimiter="/")
    assert sorted([item.key async for page in found for item in page]) == ["c/a.txt", "c/z.txt"]


async def test_listing_has_only_keys_of_its_prefix(weed_bucket: Bucket, fresh_name: str) -> None:
    await weed_bucket.create_bucket(fresh_name)
    await weed_bucket.enable_versioning(fresh_name)
    await weed_bucket.put(fresh_name, "x/a.csv", b"1")
    pages = weed_bucket.list(fresh_name, "x/a.csv.versions/")
    assert [item async for page in pages for item in page] == []


async def test_buckets_are_made_once_and_deleted_when_empty(
    each_bucket: Bucket, fresh_name: str
) -> None:
    assert await each_bucket.create_bucket(fresh_name)
    assert not await each_bucket.create_bucket(fresh_name)
    await each_bucket.put(fresh_name, "key", b"")
    with pytest.raises(BackendError) as caught:
        await each_bucket.delete_bucket(fresh_name)
    assert caught.value.code == "BucketNotEmpty"
    await each_bucket.delete(fresh_name, "key")
    await each_bucket.delete_bucket(fresh_name)
    assert not await each_bucket.bucket_exists(fresh_name)
    await each_bucket.delete_bucket(fresh_name)


async def test_stream_is_stored_whole(each_bucket: Bucket, area: str) -> None:
    parts = [bytes([number]) * 70_000 for number in range(40)]
    data = b"".join(parts)
    upstream = await each_bucket.send(
        Outgoing(
            "PUT",
            area,
            "streamed",
            body=pieces(*parts),
            length=len(data),
            payload_hash=sha256(data).hexdigest(),
        )
    )
    assert upstream.status == 200
    assert await upstream.read(1_000) == b""
    answer = await each_bucket.send(Outgoing("GET", area, "streamed"))
    assert int(answer.headers["Content-Length"]) == len(data)
    assert b"".join([piece async for piece in answer.stream()]) == data


@pytest.mark.parametrize("said", [99_999, 100_001])
async def test_stream_of_another_length_stores_nothing(
    each_bucket: Bucket, area: str, said: int
) -> None:
    body = pieces(bytes(50_000), bytes(50_000))
    with pytest.raises(IncompleteBody):
        await each_bucket.send(Outgoing("PUT", area, "torn", body=body, length=said))
    assert await each_bucket.head(area, "torn") is None


async def test_what_a_stream_raises_comes_back_and_stores_nothing(
    each_bucket: Bucket, area: str
) -> None:
    body = pieces(bytes(50_000), error=Torn("half"))
    with pytest.raises(Torn, match="half"):
        await each_bucket.send(Outgoing("PUT", area, "torn", body=body, length=100_000))
    assert await each_bucket.head(area, "torn") is None


@pytest.mark.parametrize("value", ["a\r\nx-amz-acl: public-read", "a\nb", "a\rb", "a\0b", "\udce9"])
async def test_header_that_would_split_is_never_sent(
    each_bucket: Bucket, area: str, value: str
) -> None:
    headers = CIMultiDict({"x-amz-meta-note": value})
    with pytest.raises(InvalidArgument):
        await each_bucket.send(Outgoing("PUT", area, "key", headers=headers, body=b"x"))
    assert await each_bucket.head(area, "key") is None


async def test_whole_answers_pass_as_they_are(each_bucket: Bucket, area: str) -> None:
    await each_bucket.put(area, "a", b"0123456789")
    conditions = {"If-None-Match": "*"}
    refused = Outgoing("PUT", area, "a", headers=CIMultiDict(conditions), body=b"new")
    upstream = await each_bucket.send(refused)
    assert upstream.status == 412
    assert b"PreconditionFailed" in await upstream.read(10_000)
    ranged = Outgoing("GET", area, "a", Query(), CIMultiDict({"Range": "bytes=2-4"}))
    upstream = await each_bucket.send(ranged)
    assert upstream.status == 206
    assert await upstream.read(10) == b"234"


async def test_compressed_objects_come_as_they_are_stored(each_bucket: Bucket, area: str) -> None:
    squeezed = bytes.fromhex("1f8b0800000000000003cb48cdc9c9070086a6103605000000")
    await each_bucket.put(area, "z", squeezed, {"Content-Encoding": "gzip"})
    found = await each_bucket.get(area, "z", limit=100)
    assert found is not None
    assert found[1] == squeezed


async def test_default_chain_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hush-too")
    source = chosen(Backend("http://127.0.0.1:1"))
    assert isinstance(source, DefaultChain)
    credentials = await source.current()
    assert credentials.access_key_id == "from-environment"
    assert credentials.secret_access_key == "hush"
    assert credentials.token == "hush-too"
    assert "hush" not in repr(credentials)


async def test_missing_credentials_say_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(CredentialsMissing, match=r"backend\.access_key_id"):
        await DefaultChain().current()
