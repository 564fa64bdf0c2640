"""The probe sees what a backend does, leaves nothing behind, and is asked once."""

import dataclasses

import pytest
from multidict import CIMultiDict

from gateway.config import Backend
from gateway.errors import PreconditionFailed
from gateway.s3.address import SEAWEEDFS_RULES, KeyRules
from gateway.s3.checks import NOTHING, BackendChecks
from gateway.storage import capabilities
from gateway.storage.bucket import Bucket, Outgoing, Upstream
from gateway.storage.capabilities import BackendUnfit, Capabilities, demand
from gateway.storage.checking import Checking
from gateway.storage.probe import MEMORY, probe
from tests.conftest import BackendInUse

FIT = Capabilities(
    KeyRules(),
    BackendChecks(payload_hash=True, content_md5=True, headers=("x-amz-checksum-sha1",)),
    takes_trailers=True,
    conditional_put=True,
    versioning=True,
    delete_by_version=True,
    passed_over=("GetObjectTorrent",),
)
FIVE = tuple(
    f"x-amz-checksum-{name}" for name in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
)


async def keys_in(bucket: Bucket, area: str) -> list[str]:
    return [item.key async for page in bucket.list(area, "") for item in page]


async def test_seaweedfs_is_seen_as_it_is(weed_bucket: Bucket, fresh_name: str) -> None:
    seen = await probe(weed_bucket, fresh_name)
    assert dataclasses.replace(seen, passed_over=()) == Capabilities(
        keys=SEAWEEDFS_RULES,
        checks=BackendChecks(content_md5=True, headers=FIVE, trailers=FIVE),
        takes_trailers=True,
        conditional_put=True,
        versioning=True,
        delete_by_version=True,
    )
    assert seen.missing == ()


async def test_probe_leaves_only_what_it_remembers(
    each_bucket: Bucket, each_backend: BackendInUse, fresh_name: str
) -> None:
    await probe(each_bucket, fresh_name, "system/")
    assert await keys_in(each_bucket, fresh_name) == ["system/" + MEMORY], each_backend.name
    assert await each_bucket.versions(fresh_name, "system/probe/") == []


async def test_operations_that_would_be_taken_for_others_are_seen(
    each_bucket: Bucket, fresh_name: str
) -> None:
    seen = set((await probe(each_bucket, fresh_name)).passed_over)
    assert {"PutObjectAnnotation", "UpdateObjectEncryption", "DeleteObjectAnnotation"} <= seen
    assert {"GetObjectTorrent", "DeleteBucketMetricsConfiguration"} <= seen
    known = {"PutObjectTagging", "DeleteObjectTagging", "GetObjectAcl", "GetBucketVersioning"}
    assert not seen & (known | {"UploadPart", "CompleteMultipartUpload", "DeleteObjects"})


async def test_probe_takes_some_hundred_requests(
    weed_bucket: Bucket, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await weed_bucket.create_bucket(fresh_name)
    asked: list[Outgoing] = []
    send = Bucket.send

    async def watched(bucket: Bucket, request: Outgoing) -> Upstream:
        asked.append(request)
        return await send(bucket, request)

    monkeypatch.setattr(Bucket, "send", watched)
    await probe(weed_bucket, fresh_name)
    assert len(asked) < 600


async def test_both_backends_can_hold_artifacts(each_bucket: Bucket, fresh_name: str) -> None:
    seen = await probe(each_bucket, fresh_name)
    demand(seen)
    assert seen.conditional_put
    assert seen.versioning


async def test_answers_are_remembered(weed_bucket: Bucket, fresh_name: str) -> None:
    await probe(weed_bucket, fresh_name)
    changed = dataclasses.replace(FIT, versioning=False)
    await weed_bucket.put(fresh_name, MEMORY, capabilities.encode(changed))
    assert await probe(weed_bucket, fresh_name) == changed
    assert (await probe(weed_bucket, fresh_name, again=True)).versioning
    assert (await probe(weed_bucket, fresh_name)).versioning


async def test_answers_of_another_way_of_signing_are_asked_again(
    seaweed: Backend, fresh_name: str
) -> None:
    for signing in ("unsigned", "chunks", "unsigned"):
        async with Bucket(dataclasses.replace(seaweed, payload_signing=signing)) as bucket:
            assert (await probe(bucket, fresh_name)).payload_signing == signing


async def test_backend_that_checks_nothing_is_seen(moto_backend: Backend, fresh_name: str) -> None:
    async with Bucket(moto_backend) as bucket:
        seen = await probe(bucket, fresh_name)
    assert seen.checks == NOTHING
    assert seen.takes_trailers


@pytest.mark.parametrize("blind", ["PUT object", "PUT part"])
async def test_what_is_checked_of_objects_or_of_parts_alone_does_not_count(
    weed_bucket: Bucket, fresh_name: str, monkeypatch: pytest.MonkeyPatch, blind: str
) -> None:
    send = Bucket.send

    async def unchecked(self: Bucket, request: Outgoing) -> Upstream:
        kind = "part" if request.query.has("partNumber") else "object"
        if f"{request.method} {kind}" == blind:
            request = dataclasses.replace(request, headers=CIMultiDict(), trailers=None)
        return await send(self, request)

    monkeypatch.setattr(Bucket, "send", unchecked)
    await weed_bucket.create_bucket(fresh_name)
    assert await Checking(weed_bucket, fresh_name, "{}".format).checks() == NOTHING


async def test_backend_that_stores_the_framing_takes_no_trailers(
    weed_bucket: Bucket, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Bucket.send

    async def as_it_came(self: Bucket, request: Outgoing) -> Upstream:
        if request.trailers is not None and isinstance(request.body, bytes):
            framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body)
            request = dataclasses.replace(request, body=framed, trailers=None)
        return await send(self, request)

    monkeypatch.setattr(Bucket, "send", as_it_came)
    seen = await probe(weed_bucket, fresh_name)
    assert not seen.takes_trailers
    assert seen.checks.trailers == ()


@pytest.mark.parametrize("memory", [b"", b"[]", b"{}", b'{"format": 99}', b"\xff"])
async def test_unreadable_memory_is_probed_again(
    weed_bucket: Bucket, fresh_name: str, memory: bytes
) -> None:
    await weed_bucket.create_bucket(fresh_name)
    await weed_bucket.put(fresh_name, MEMORY, memory)
    assert (await probe(weed_bucket, fresh_name)).keys == SEAWEEDFS_RULES


def test_what_is_encoded_is_decoded() -> None:
    assert capabilities.decode(capabilities.encode(FIT)) == FIT


def test_backend_without_conditional_put_is_unfit() -> None:
    with pytest.raises(BackendUnfit, match="If-None-Match"):
        demand(dataclasses.replace(FIT, conditional_put=False))


def test_backend_that_keeps_versions_it_cannot_delete_is_unfit() -> None:
    with pytest.raises(BackendUnfit, match="DELETE of a version"):
        demand(dataclasses.replace(FIT, delete_by_version=False))


def test_backend_without_versions_is_fit() -> None:
    demand(dataclasses.replace(FIT, versioning=False, delete_by_version=False))


async def test_backend_that_ignores_the_condition_is_seen(
    weed_bucket: Bucket, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Bucket.put

    async def unconditional(
        self: Bucket, bucket: str, key: str, data: bytes, *rest: object, if_absent: bool = False
    ) -> object:
        del rest, if_absent
        return await put(self, bucket, key, data)

    monkeypatch.setattr(Bucket, "put", unconditional)
    seen = await probe(weed_bucket, fresh_name)
    assert not seen.conditional_put
    with pytest.raises(BackendUnfit):
        demand(seen)
    monkeypatch.undo()
    with pytest.raises(PreconditionFailed):
        await weed_bucket.put(fresh_name, MEMORY, b"", if_absent=True)
