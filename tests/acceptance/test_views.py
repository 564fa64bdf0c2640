"""What readers see of objects while an edit is open: the commit; then the new one."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.edited import COMMITTED, STAGED, Edited
from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Document, Gateway
from tests.acceptance.steps import content, contents, manifest, publish, put, refused

READERS = pytest.mark.parametrize("reader", ["anonymous", "read"])


@READERS
def test_get_and_head_show_the_commit(gateway: Gateway, edited: Edited, reader: str) -> None:
    client = gateway.s3(reader)
    for path, data in edited.whole.items():
        got = client.get_object(Bucket=WORKSPACE, Key=edited.key(path))
        assert (got["Body"].read(), got["ContentLength"]) == (data, len(data))
        head = client.head_object(Bucket=WORKSPACE, Key=edited.key(path))
        assert (head["ContentLength"], head["ETag"]) == (len(data), got["ETag"])
        if path in COMMITTED:
            assert got["ETag"] == edited.etags[path]
            assert (got["ContentType"], got["Metadata"]) == ("text/csv", {"state": "committed"})
            assert head["ContentType"] == "text/csv"
    assert content(gateway.s3(), edited.key("data.csv")) == STAGED["data.csv"]


@READERS
def test_what_is_staged_alone_is_absent(gateway: Gateway, edited: Edited, reader: str) -> None:
    client = gateway.s3(reader)

    def answer(key: str, **conditions: Document) -> tuple[int, str]:
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket=WORKSPACE, Key=key, **conditions)
        error: Document = caught.value.response
        return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]

    conditions: list[dict[str, Document]] = [
        {},
        {"Range": "bytes=0-0"},
        {"IfMatch": '"0123"'},
        {"IfNoneMatch": "*"},
        {"PartNumber": 1},
    ]
    for condition in conditions:
        absent = answer(edited.key("never.csv"), **condition)
        assert answer(edited.key("new"), **condition) == absent
        assert answer(edited.key("dir/new.csv"), **condition) == absent
        assert absent[0] in {404, 412}
    with pytest.raises(ClientError) as caught:
        client.head_object(Bucket=WORKSPACE, Key=edited.key("new"))
    assert "404" in str(caught.value)
    status = gateway.signed("GET", f"/{WORKSPACE}/{edited.key('_manifest.yaml')}", "read").status
    assert status in {403, 404}


@READERS
@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("bytes=0-3", b"the "),
        ("bytes=4-", b"committed bytes"),
        ("bytes=-5", b"bytes"),
        ("bytes=0-1000", b"the committed bytes"),
    ],
)
def test_ranges_are_of_the_commit(
    gateway: Gateway, edited: Edited, reader: str, span: str, expected: bytes
) -> None:
    got = gateway.s3(reader).get_object(Bucket=WORKSPACE, Key=edited.key("data.csv"), Range=span)
    assert got["Body"].read() == expected
    assert got["ContentRange"].endswith(f"/{len(COMMITTED['data.csv'])}")


@READERS
def test_a_range_behind_the_commit_is_416(gateway: Gateway, edited: Edited, reader: str) -> None:
    behind = f"bytes={len(COMMITTED['data.csv'])}-"
    with refused("InvalidRange", 416):
        gateway.s3(reader).get_object(Bucket=WORKSPACE, Key=edited.key("data.csv"), Range=behind)


@READERS
def test_conditions_are_of_the_commit(gateway: Gateway, edited: Edited, reader: str) -> None:
    client, key = gateway.s3(reader), edited.key("data.csv")
    etag, staged = edited.etags["data.csv"], edited.staged_etag
    stored = client.head_object(Bucket=WORKSPACE, Key=key)["LastModified"]
    for method in (client.get_object, client.head_object):
        assert method(Bucket=WORKSPACE, Key=key, IfMatch=etag)["ETag"] == etag
        assert method(Bucket=WORKSPACE, Key=key, IfNoneMatch=staged)["ETag"] == etag
        assert method(Bucket=WORKSPACE, Key=key, IfUnmodifiedSince=stored)["ETag"] == etag
        earlier = stored - timedelta(seconds=10)
        assert method(Bucket=WORKSPACE, Key=key, IfModifiedSince=earlier)["ETag"] == etag
        failing: list[tuple[int, dict[str, Document]]] = [
            (304, {"IfNoneMatch": etag}),
            (412, {"IfMatch": staged}),
            (304, {"IfModifiedSince": stored}),
            (412, {"IfUnmodifiedSince": earlier}),
        ]
        for status, condition in failing:
            with pytest.raises(ClientError) as caught:
                method(Bucket=WORKSPACE, Key=key, **condition)
            error: Document = caught.value.response
            assert error["ResponseMetadata"]["HTTPStatusCode"] == status, condition


@READERS
def test_version_ids_that_no_commit_pins_do_not_exist(
    gateway: Gateway, edited: Edited, reader: str
) -> None:
    client, key = gateway.s3(reader), edited.key("data.csv")
    pinned = client.get_object(Bucket=WORKSPACE, Key=key, VersionId=edited.pinned["data.csv"])
    assert pinned["Body"].read() == COMMITTED["data.csv"]
    for version in (edited.staged_version, "null", "0" * 32):
        with refused("NoSuchVersion", 404):
            client.get_object(Bucket=WORKSPACE, Key=key, VersionId=version)
    removed = edited.key("removed.csv")
    version = edited.pinned["removed.csv"]
    pinned = client.get_object(Bucket=WORKSPACE, Key=removed, VersionId=version)
    assert pinned["Body"].read() == COMMITTED["removed.csv"]


def test_attributes_tags_and_parts_are_of_the_commit(gateway: Gateway, edited: Edited) -> None:
    client, key = gateway.s3("read"), edited.key("data.csv")
    attributes = client.get_object_attributes(
        Bucket=WORKSPACE, Key=key, ObjectAttributes=["ETag", "ObjectSize"]
    )
    assert attributes["ObjectSize"] == len(COMMITTED["data.csv"])
    assert attributes["ETag"] == edited.etags["data.csv"].strip('"')
    tags = client.get_object_tagging(Bucket=WORKSPACE, Key=key)["TagSet"]
    assert tags == [{"Key": "state", "Value": "committed"}]
    part = client.get_object(Bucket=WORKSPACE, Key=key, PartNumber=1)
    assert part["Body"].read() == COMMITTED["data.csv"]
    with refused("NoSuchKey", 404):
        client.get_object_tagging(Bucket=WORKSPACE, Key=edited.key("new"))
    with refused("NoSuchKey", 404):
        client.get_object_attributes(
            Bucket=WORKSPACE, Key=edited.key("new"), ObjectAttributes=["ETag"]
        )


def test_a_copy_takes_what_its_caller_sees(gateway: Gateway, edited: Edited) -> None:
    copier = gateway.s3("copier")
    source = {"Bucket": WORKSPACE, "Key": edited.key("data.csv")}
    copier.copy_object(Bucket=OTHER_WORKSPACE, Key=edited.prefix, CopySource=source)
    copied = copier.get_object(Bucket=OTHER_WORKSPACE, Key=edited.prefix)["Body"].read()
    assert copied == COMMITTED["data.csv"]
    with refused("PreconditionFailed", 412):
        copier.copy_object(
            Bucket=OTHER_WORKSPACE,
            Key=edited.prefix,
            CopySource=source,
            CopySourceIfMatch=edited.staged_etag,
        )
    for hidden in (
        {**source, "Key": edited.key("new")},
        {**source, "VersionId": edited.staged_version},
    ):
        with pytest.raises(ClientError) as caught:
            copier.copy_object(Bucket=OTHER_WORKSPACE, Key=edited.prefix, CopySource=hidden)
        error: Document = caught.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 404

    upload = copier.create_multipart_upload(Bucket=OTHER_WORKSPACE, Key=edited.prefix)["UploadId"]
    part = copier.upload_part_copy(
        Bucket=OTHER_WORKSPACE,
        Key=edited.prefix,
        UploadId=upload,
        PartNumber=1,
        CopySource=source,
    )
    copier.complete_multipart_upload(
        Bucket=OTHER_WORKSPACE,
        Key=edited.prefix,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]},
    )
    copied = copier.get_object(Bucket=OTHER_WORKSPACE, Key=edited.prefix)["Body"].read()
    assert copied == COMMITTED["data.csv"]


def test_versions_and_uploads_are_not_for_readers(gateway: Gateway, edited: Edited) -> None:
    for key in ("read", "anonymous"):
        client = gateway.s3(key)
        calls: list[Callable[[], Document]] = [
            lambda client=client: client.list_object_versions(Bucket=WORKSPACE),  # type: ignore[misc]
            lambda client=client: client.list_multipart_uploads(Bucket=WORKSPACE),  # type: ignore[misc]
        ]
        for call in calls:
            with refused("AccessDenied", 403):
                call()
    with refused("AccessDenied", 403):
        gateway.s3("read").put_object(Bucket=WORKSPACE, Key=edited.key("new"), Body=b"")


@READERS
def test_the_artifact_door_shows_the_commit(gateway: Gateway, edited: Edited, reader: str) -> None:
    token = gateway.rpc("generate_token", key="admin", grants={WORKSPACE: "read"}, expires_in=60)
    token = token["token"] if isinstance(token, dict) else token
    headers = {"Authorization": f"Bearer {token}"} if reader == "read" else {}
    door = f"/{WORKSPACE}/artifact/{edited.prefix}"
    page = gateway.anonymous("GET", door, headers=headers, params={"silent": "true"}).json()
    assert (page["name"], page["_version"]) == ("one", 1)
    assert {each["path"] for each in page["files"]} == COMMITTED.keys()
    for path, data in COMMITTED.items():
        got = gateway.anonymous("GET", f"{door}/{path}", headers=headers)
        assert (got.status_code, got.content) == (200, data)
        head = gateway.anonymous("HEAD", f"{door}/{path}", headers=headers)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(data)))
    assert gateway.anonymous("GET", f"{door}/new", headers=headers).status_code == 404
    for target in (door, f"{door}/data.csv", f"{door}/new"):
        answer = gateway.anonymous("GET", target, headers=headers, params={"stage": "true"})
        assert answer.status_code in {401, 403, 404}


def test_rpc_shows_the_commit(gateway: Gateway, edited: Edited) -> None:
    read = gateway.rpc("read", key="read", prefix=edited.prefix, silent=True)
    assert (read["name"], read["_version"]) == ("one", 1)
    listed = gateway.rpc("list_files", key="read", prefix=edited.prefix)
    files = {each["path"]: each["size"] for each in listed if each["type"] != "directory"}
    top = {path: len(data) for path, data in COMMITTED.items() if "/" not in path}
    assert top.items() <= files.items()
    assert files.items() <= {path: len(data) for path, data in COMMITTED.items()}.items()
    staged = gateway.rpc("list_files", prefix=edited.prefix, stage=True)
    assert {"new", "data.csv"} <= {each["path"] for each in staged}
    assert "removed.csv" not in {each["path"] for each in staged}


def test_after_the_commit_every_reader_sees_the_new_version(
    gateway: Gateway, public_prefix: str
) -> None:
    prefix = public_prefix
    publish(gateway, prefix, COMMITTED, name="one")
    put(gateway.s3(), prefix, {**STAGED, "_manifest.yaml": manifest(name="two")})
    gateway.s3().delete_object(Bucket=WORKSPACE, Key=f"{prefix}/removed.csv")
    gateway.rpc("commit", prefix=prefix)
    new = {**COMMITTED, **STAGED, "manifest.yaml": manifest(name="two")}
    del new["removed.csv"]
    for key in ("anonymous", "read", "write"):
        client = gateway.s3(key)
        assert contents(client, prefix) == new
        assert content(client, f"{prefix}/removed.csv") is None
        head = client.head_object(Bucket=WORKSPACE, Key=f"{prefix}/data.csv")
        assert head["ContentLength"] == len(STAGED["data.csv"])
    page = gateway.anonymous("GET", f"/{WORKSPACE}/artifact/{prefix}").json()
    assert (page["name"], page["_version"]) == ("two", 2)
    old = gateway.anonymous("GET", f"/{WORKSPACE}/artifact/{prefix}/data.csv?version=1")
    assert old.content == COMMITTED["data.csv"]
    removed = gateway.anonymous("GET", f"/{WORKSPACE}/artifact/{prefix}/removed.csv?version=1")
    assert removed.content == COMMITTED["removed.csv"]
    with refused("NoSuchVersion", 404):
        gateway.rpc("read", prefix=prefix, version=3)
