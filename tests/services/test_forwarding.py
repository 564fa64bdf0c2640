"""Requests sent on: on both sides of the proxy."""

import asyncio
import json
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from zlib import crc32

import pytest

from gateway.config import Backend
from gateway.errors import (
    BadDigest,
    IncompleteBody,
    InvalidPath,
    ServiceUnavailable,
    XAmzContentSHA256Mismatch,
)
from gateway.identity import Workspace
from gateway.s3.address import KeyRules
from gateway.s3.checks import BackendChecks
from gateway.s3.operation import COPY_SOURCE
from gateway.services.transfer.forwarding import Changes, Forwarding, Source
from gateway.storage.bucket import Bucket
from tests.services.forwarded import WEED, verified, whole
from tests.storage.faulty import Seen, faulty, response


@pytest.fixture
async def area(each_bucket: Bucket, fresh_name: str) -> str:
    await each_bucket.create_bucket(fresh_name)
    return fresh_name


@pytest.fixture
def plain(area: str) -> Workspace:
    return Workspace("1", area, area)


@pytest.fixture
def below(area: str) -> Workspace:
    """A workspace that is a prefix of a bucket of another name."""
    return Workspace("2", "my-work", area, "team/one/")


@pytest.fixture
def forwarding(each_bucket: Bucket) -> Forwarding:
    return Forwarding(each_bucket, WEED)


async def stored(bucket: Bucket, area: str, key: str) -> bytes | None:
    found = await bucket.get(area, key, limit=1 << 24)
    return None if found is None else found[1]


async def test_object_goes_and_comes_back(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace
) -> None:
    data = bytes(range(256)) * 2_000
    path = f"/{plain.name}/a%20b/%C3%BC%2B.bin"
    headers = {"Content-Type": "x/y", "x-amz-meta-k": "v", "Cookie": "no", "X-Private": "no"}
    put = await forwarding.forward(verified("PUT", path, body=data, headers=headers), plain)
    assert put.status == 200
    assert await whole(put) == b""
    assert await stored(each_bucket, plain.bucket, "a b/ü+.bin") == data
    got = await forwarding.forward(verified("GET", path), plain)
    assert got.status == 200
    assert not isinstance(got.body, bytes)
    assert await whole(got) == data
    assert got.headers["Content-Type"] == "x/y"
    assert got.headers["x-amz-meta-k"] == "v"
    assert got.headers["Content-Length"] == str(len(data))
    assert got.headers["ETag"] == put.headers["ETag"]


async def test_object_bytes_are_known_for_their_authors(
    forwarding: Forwarding, plain: Workspace
) -> None:
    path = f"/{plain.name}/page.html"
    html = {"Content-Type": "text/html"}
    put = await forwarding.forward(verified("PUT", path, body=b"<p>", headers=html), plain)
    for method in ("GET", "HEAD"):
        reply = await forwarding.forward(verified(method, path), plain)
        assert reply.authored
        assert reply.headers["Content-Length"] == "3"
        await whole(reply)
    assert not put.authored


async def test_backends_own_headers_stay_behind(forwarding: Forwarding, plain: Workspace) -> None:
    path = f"/{plain.name}/key"
    await forwarding.forward(verified("PUT", path, body=b"x"), plain)
    reply = await forwarding.forward(
        verified("GET", path, headers={"Origin": "https://elsewhere.example"}), plain
    )
    await whole(reply)
    names = {name.lower() for name in reply.headers}
    assert not names & {"server", "connection", "transfer-encoding", "x-amz-request-id"}
    assert not [name for name in names if name.startswith(("seaweed", "access-control"))]


async def test_errors_pass_as_the_backend_says_them(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace
) -> None:
    reply = await forwarding.forward(verified("GET", f"/{plain.name}/absent"), plain)
    assert reply.status == 404
    assert b"<Code>NoSuchKey</Code>" in await whole(reply)
    head = await forwarding.forward(verified("HEAD", f"/{plain.name}/absent"), plain)
    assert head.status == 404
    assert head.body == b""
    await each_bucket.put(plain.bucket, "key", b"x")
    headers = {"If-None-Match": "*"}
    reply = await forwarding.forward(
        verified("PUT", f"/{plain.name}/key", body=b"y", headers=headers), plain
    )
    assert reply.status == 412
    assert await stored(each_bucket, plain.bucket, "key") == b"x"


@pytest.mark.parametrize("changed", ["access_key_id", "secret_access_key"])
async def test_backend_that_does_not_believe_the_gateway_is_no_fault_of_the_client(
    seaweed: Backend, changed: str
) -> None:
    wrong = {"access_key_id": "NOBODY", "secret_access_key": "wrong"}
    async with Bucket(replace(seaweed, **{changed: wrong[changed]})) as bucket:
        plain = Workspace("1", "somewhere", "somewhere")
        for method, body in (("GET", b""), ("PUT", b"x")):
            with pytest.raises(ServiceUnavailable, match="credentials"):
                await Forwarding(bucket, WEED).forward(
                    verified(method, "/somewhere/key", body=body), plain
                )


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
async def test_right_hash_stores_the_body(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace, size: int
) -> None:
    data = bytes(size)
    headers = {"x-amz-content-sha256": sha256(data).hexdigest()}
    request = verified("PUT", f"/{plain.name}/hashed", body=data, headers=headers)
    assert (await forwarding.forward(request, plain)).status == 200
    assert await stored(each_bucket, plain.bucket, "hashed") == data


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
async def test_wrong_hash_stores_nothing(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace, size: int
) -> None:
    headers = {"x-amz-content-sha256": "0" * 64}
    request = verified("PUT", f"/{plain.name}/wrong", body=bytes(size), headers=headers)
    with pytest.raises(XAmzContentSHA256Mismatch):
        await forwarding.forward(request, plain)
    assert await stored(each_bucket, plain.bucket, "wrong") is None


async def test_wrong_md5_stores_nothing(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace
) -> None:
    headers = {"Content-MD5": b64encode(bytes(16)).decode()}
    request = verified("PUT", f"/{plain.name}/wrong", body=b"data", headers=headers)
    with pytest.raises(BadDigest):
        await forwarding.forward(request, plain)
    assert await stored(each_bucket, plain.bucket, "wrong") is None


async def test_body_that_stops_early_stores_nothing(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace
) -> None:
    request = verified("PUT", f"/{plain.name}/torn", body=bytes(200_000), cut_at=90_000)
    with pytest.raises(IncompleteBody):
        await forwarding.forward(request, plain)
    assert await stored(each_bucket, plain.bucket, "torn") is None


def trailing(data: bytes, checksum: str) -> tuple[bytes, dict[str, str]]:
    """A body with its CRC32 as a trailer, and the headers that say so."""
    framed = b"%x\r\n%s\r\n" % (len(data), data) if data else b""
    framed += b"0\r\nx-amz-checksum-crc32:" + checksum.encode() + b"\r\n\r\n"
    return framed, {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "x-amz-sdk-checksum-algorithm": "CRC32",
    }


@pytest.mark.parametrize("data", [b"", b"trailing data", bytes(2_500_000)])
async def test_trailing_checksum_arrives(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace, data: bytes
) -> None:
    checksum = b64encode(crc32(data).to_bytes(4)).decode()
    body, headers = trailing(data, checksum)
    request = verified("PUT", f"/{plain.name}/sum", body=body, headers=headers)
    reply = await forwarding.forward(request, plain)
    assert reply.status == 200, await whole(reply)
    assert await stored(each_bucket, plain.bucket, "sum") == data
    mode = {"x-amz-checksum-mode": "ENABLED"}
    head = await forwarding.forward(verified("HEAD", f"/{plain.name}/sum", headers=mode), plain)
    assert head.headers["x-amz-checksum-crc32"] == checksum


async def test_wrong_trailing_checksum_stores_nothing(weed_bucket: Bucket, fresh_name: str) -> None:
    await weed_bucket.create_bucket(fresh_name)
    workspace = Workspace("1", fresh_name, fresh_name)
    body, headers = trailing(b"trailing data", b64encode(bytes(4)).decode())
    request = verified("PUT", f"/{fresh_name}/sum", body=body, headers=headers)
    try:
        reply = await Forwarding(weed_bucket, WEED).forward(request, workspace)
    except BadDigest:
        pass
    else:
        assert reply.status == 400
    assert await stored(weed_bucket, fresh_name, "sum") is None


async def test_version_of_the_caller_takes_the_place_of_the_newest(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace
) -> None:
    await each_bucket.enable_versioning(plain.bucket)
    old = await each_bucket.put(plain.bucket, "key", b"old")
    await each_bucket.put(plain.bucket, "key", b"new")
    path = f"/{plain.name}/key"
    assert await whole(await forwarding.forward(verified("GET", path), plain)) == b"new"
    changes = Changes(version_id=old.version_id)
    reply = await forwarding.forward(verified("GET", path), plain, changes)
    assert await whole(reply) == b"old"
    reply = await forwarding.forward(
        verified("GET", path, query="versionId=none-such"), plain, changes
    )
    assert await whole(reply) == b"old"


async def test_copy_source_is_the_one_that_was_resolved(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace
) -> None:
    await each_bucket.enable_versioning(plain.bucket)
    old = await each_bucket.put(plain.bucket, "from +%", b"old")
    await each_bucket.put(plain.bucket, "from +%", b"new")
    await each_bucket.put(plain.bucket, "secret", b"secret")
    request = verified("PUT", f"/{plain.name}/to", headers={COPY_SOURCE: f"/{plain.name}//secret"})
    source = Source(plain.bucket, "from +%", old.version_id)
    reply = await forwarding.forward(request, plain, Changes(source=source))
    assert reply.status == 200
    assert b"CopyObjectResult" in await whole(reply)
    assert await stored(each_bucket, plain.bucket, "to") == b"old"


async def test_copy_source_without_versions_is_what_was_looked_at(
    weed_bucket: Bucket, fresh_name: str
) -> None:
    await weed_bucket.create_bucket(fresh_name)
    seen = await weed_bucket.put(fresh_name, "from", b"seen")
    forwarding, plain = Forwarding(weed_bucket, WEED), Workspace("1", fresh_name, fresh_name)
    request = verified("PUT", f"/{fresh_name}/to", headers={COPY_SOURCE: f"/{fresh_name}/from"})
    changes = Changes(source=Source(fresh_name, "from", etag=seen.etag))
    assert (await forwarding.forward(request, plain, changes)).status == 200
    await weed_bucket.put(fresh_name, "from", b"something else")
    assert (await forwarding.forward(request, plain, changes)).status == 412
    assert await stored(weed_bucket, fresh_name, "to") == b"seen"


async def test_body_of_the_gateways_own_takes_the_place_of_the_payload(
    each_bucket: Bucket, forwarding: Forwarding, plain: Workspace
) -> None:
    headers = {"Content-MD5": b64encode(bytes(16)).decode(), "x-amz-checksum-crc32": "AAAAAA=="}
    request = verified("PUT", f"/{plain.name}/key", body=b"theirs", headers=headers)
    changes = Changes(body=b"ours", key="other", add={"x-amz-meta-by": "gateway"})
    reply = await forwarding.forward(request, plain, changes)
    assert reply.status == 200, await whole(reply)
    found = await each_bucket.get(plain.bucket, "other", limit=100)
    assert found is not None
    assert found[1] == b"ours"
    assert found[0].metadata == {"by": "gateway"}
    assert await stored(each_bucket, plain.bucket, "key") is None


async def test_names_of_a_prefix_are_translated_both_ways(
    each_bucket: Bucket, forwarding: Forwarding, below: Workspace
) -> None:
    await each_bucket.put(below.bucket, "team/two/hidden", b"")
    for name in ("a/x.txt", "a/y.txt", "b.txt"):
        request = verified("PUT", f"/my-work/{name}", body=name.encode())
        assert (await forwarding.forward(request, below)).status == 200
        assert await stored(each_bucket, below.bucket, "team/one/" + name) == name.encode()
    for query in ("list-type=2", "list-type=2&prefix=a/", "prefix=a%2F&marker=a%2Fx.txt"):
        reply = await forwarding.forward(verified("GET", "/my-work", query=query), below)
        document = await whole(reply)
        assert b"<Name>my-work</Name>" in document
        assert b"<Key>a/y.txt</Key>" in document
        assert (b"<Key>b.txt</Key>" in document) == (query == "list-type=2")
        assert (b"<Key>a/x.txt</Key>" in document) == ("marker" not in query)
        for word in (b"team", b"hidden", below.bucket.encode()):
            assert word not in document
    reply = await forwarding.forward(verified("GET", "/my-work/none"), below)
    document = await whole(reply)
    assert reply.headers["Content-Length"] == str(len(document))
    assert b"team" not in document


@pytest.mark.parametrize("prefix", ["", "team/one/"])
async def test_batch_of_deletions_reaches_the_named_keys_only(
    each_bucket: Bucket, forwarding: Forwarding, area: str, prefix: str
) -> None:
    workspace = Workspace("1", "my-work", area, prefix)
    for key in ("a b", "c&d", "kept"):
        await each_bucket.put(area, prefix + key, b"")
    await each_bucket.put(area, "a b", b"")
    document = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Object><Key>a b</Key></Object><Object><Key>c&amp;d</Key></Object></Delete>"
    )
    checksum = b64encode(sha256(document).digest()).decode()
    request = verified(
        "POST",
        "/my-work",
        query="delete",
        body=document,
        headers={"x-amz-checksum-sha256": checksum, "x-amz-sdk-checksum-algorithm": "SHA256"},
    )
    reply = await forwarding.forward(request, workspace)
    answer = await whole(reply)
    assert reply.status == 200, answer
    assert b"<Key>a b</Key>" in answer
    assert b"team" not in answer
    left = sorted([item.key async for page in each_bucket.list(area, "") for item in page])
    assert left == sorted({prefix + "kept", *(["a b"] if prefix else [])})


@pytest.mark.parametrize(
    "key",
    ["x/a.csv.versions/v_1", "/x/a.csv.versions//v_1", "x\\a.csv.versions\\v_1", ".uploads/1/1"],
)
async def test_keys_of_the_backend_are_refused(weed_bucket: Bucket, key: str) -> None:
    workspace = Workspace("1", "some", "some")
    forwarding = Forwarding(weed_bucket, WEED)
    request = verified("GET", "/some/key")
    with pytest.raises(InvalidPath):
        await forwarding.forward(request, workspace, Changes(key=key))
    batch = f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()
    with pytest.raises(InvalidPath):
        await forwarding.forward(verified("POST", "/some", query="delete", body=batch), workspace)


@pytest.mark.parametrize("spelling", ["a//b", "/a/b", "a\\b", "a/b"])
async def test_spellings_that_are_folded_are_one_key(
    weed_bucket: Bucket, fresh_name: str, spelling: str
) -> None:
    await weed_bucket.create_bucket(fresh_name)
    await weed_bucket.put(fresh_name, "p/a/b", b"data")
    workspace = Workspace("1", "some", fresh_name, "p/")
    forwarding = Forwarding(weed_bucket, WEED)
    request = verified("GET", "/some/key")
    reply = await forwarding.forward(request, workspace, Changes(key=spelling))
    assert await whole(reply) == b"data"


async def test_hash_is_left_to_a_backend_that_checks_it() -> None:
    async def refuse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(response("400 Bad Request", b"<Error/>"))

    checks = replace(WEED, checks=BackendChecks(payload_hash=True), keys=KeyRules())
    headers = {"x-amz-content-sha256": "0" * 64}
    async with faulty(refuse) as there, Bucket(there.backend) as bucket:
        forwarding, workspace = Forwarding(bucket, checks), Workspace("1", "some", "some")
        request = verified("PUT", "/some/key", body=b"data", headers=headers)
        assert (await forwarding.forward(request, workspace)).status == 400
        # What was tried is PutObject and UploadPart, and nothing else is left to the backend.
        request = verified("PUT", "/some/key", query="tagging", body=b"data", headers=headers)
        with pytest.raises(XAmzContentSHA256Mismatch):
            await forwarding.forward(request, workspace)
    assert len(there.seen) == 1
    assert there.seen[0].headers["x-amz-content-sha256"] == "0" * 64
    assert there.seen[0].body == b"data"


@pytest.mark.parametrize("data", [b"", b"trailing data", bytes(2_500_000)])
async def test_trailer_ends_here_where_the_backend_takes_none(
    each_bucket: Bucket, plain: Workspace, data: bytes
) -> None:
    checks = BackendChecks(trailers=("x-amz-checksum-crc32",))
    forwarding = Forwarding(each_bucket, replace(WEED, checks=checks, takes_trailers=False))
    for value, name in ((data, "right"), (b"other", "wrong")):
        body, headers = trailing(data, b64encode(crc32(value).to_bytes(4)).decode())
        request = verified("PUT", f"/{plain.name}/{name}", body=body, headers=headers)
        if name == "right":
            assert (await forwarding.forward(request, plain)).status == 200
        else:
            with pytest.raises(BadDigest):
                await forwarding.forward(request, plain)
    assert await stored(each_bucket, plain.bucket, "right") == data
    assert await stored(each_bucket, plain.bucket, "wrong") is None


async def test_checksum_of_a_body_of_the_gateways_own_is_its_own(
    weed_bucket: Bucket, fresh_name: str
) -> None:
    await weed_bucket.create_bucket(fresh_name)
    workspace = Workspace("1", fresh_name, fresh_name)
    forwarding = Forwarding(weed_bucket, WEED)
    framed, trailer = trailing(b"theirs", b64encode(crc32(b"theirs").to_bytes(4)).decode())
    header = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}
    for body, headers in ((b"theirs", header), (framed, trailer)):
        request = verified("PUT", f"/{fresh_name}/key", body=body, headers=headers)
        reply = await forwarding.forward(request, workspace, Changes(body=b"ours"))
        assert reply.status == 200, await whole(reply)
        mode = {"x-amz-checksum-mode": "ENABLED"}
        head = verified("HEAD", f"/{fresh_name}/key", headers=mode)
        kept = (await forwarding.forward(head, workspace)).headers["x-amz-checksum-crc32"]
        assert kept == b64encode(crc32(b"ours").to_bytes(4)).decode()


async def test_only_what_the_table_names_goes_on() -> None:
    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Seen
    ) -> None:
        del reader, request
        writer.write(response("200 OK"))

    private = {
        "Authorization": "Bearer secret",
        "Cookie": "secret",
        "Forwarded": "for=secret",
        "X-Forwarded-For": "secret",
        "X-Amz-Security-Token": "secret",
        "x-minio-force-delete": "true",
        "Connection": "secret",
        "secret": "secret",
    }
    async with faulty(accept) as there, Bucket(there.backend) as bucket:
        forwarding = Forwarding(bucket, WEED)
        workspace = Workspace("1", "some", "some")
        for method in ("GET", "PUT", "DELETE", "HEAD"):
            request = verified(method, "/some/key", headers=private | {"x-amz-meta-k": "v"})
            await whole(await forwarding.forward(request, workspace))
    for seen in there.seen:
        assert "secret" not in json.dumps([seen.line, seen.headers])
        assert not seen.headers.keys() & {"x-minio-force-delete", "cookie", "connection"}
    assert there.seen[1].headers["x-amz-meta-k"] == "v"
