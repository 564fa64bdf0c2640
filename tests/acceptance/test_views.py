"""What readers see while an edit is open: the commit, by every operation; then the new one."""

import contextlib
import io
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.harness import (
    OTHER_WORKSPACE,
    WORKSPACE,
    Document,
    Gateway,
    RpcError,
    S3Client,
)
from tests.acceptance.steps import content, contents, keys_below, manifest, publish, put, refused

COMMITTED = {
    "a!": b"bang",
    "a/b": b"slash",
    "data.csv": b"the committed bytes",
    "dir/deep.csv": b"deep",
    "removed.csv": b"removed",
    "same.csv": b"same",
}
STAGED = {
    "data.csv": b"staged, and longer than what is committed",
    "dir/new.csv": b"n",
    "new": b"n",
}
READERS = pytest.mark.parametrize("reader", ["anonymous", "read"])


@dataclass(frozen=True, slots=True)
class Edited:
    """A committed artifact that is being edited."""

    prefix: str
    etags: dict[str, str]  # of the commit, by path
    pinned: dict[str, str]  # version ids of the commit, by path
    staged_etag: str
    staged_version: str
    listed_before: list[Document]  # as the reader was listed before the edit

    def key(self, path: str) -> str:
        return f"{self.prefix}/{path}"

    @property
    def whole(self) -> dict[str, bytes]:
        return {**COMMITTED, "manifest.yaml": manifest(name="one")}


def listing(client: S3Client, prefix: str) -> list[Document]:
    return sorted(
        client.list_objects_v2(Bucket=WORKSPACE, Prefix=f"{prefix}/").get("Contents", []),
        key=lambda each: str(each["Key"]),
    )


@pytest.fixture(scope="module")
def edited(gateway: Gateway) -> Edited:
    """One artifact for the tests of this module, which only read it."""
    prefix, writer = gateway.new_prefix(public=True), gateway.s3()
    put(writer, prefix, {"_manifest.yaml": manifest(name="one")})
    answers = {
        path: writer.put_object(
            Bucket=WORKSPACE,
            Key=f"{prefix}/{path}",
            Body=data,
            ContentType="text/csv",
            Metadata={"state": "committed"},
            Tagging="state=committed",
        )
        for path, data in COMMITTED.items()
    }
    gateway.rpc("commit", prefix=prefix)
    before = listing(gateway.s3("read"), prefix)
    for path, data in STAGED.items():
        staged = writer.put_object(
            Bucket=WORKSPACE,
            Key=f"{prefix}/{path}",
            Body=data,
            ContentType="text/plain",
            Metadata={"state": "staged"},
            Tagging="state=staged",
        )
        if path == "data.csv":
            answers["staged"] = staged
    writer.delete_object(Bucket=WORKSPACE, Key=f"{prefix}/removed.csv")
    put(writer, prefix, {"_manifest.yaml": manifest(name="two")})
    return Edited(
        prefix,
        {path: answers[path]["ETag"] for path in COMMITTED},
        {path: answers[path]["VersionId"] for path in COMMITTED},
        answers["staged"]["ETag"],
        answers["staged"]["VersionId"],
        before,
    )


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
def test_listings_show_the_commit_as_before_the_edit(
    gateway: Gateway, edited: Edited, reader: str
) -> None:
    client = gateway.s3(reader)
    expected = [
        (each["Key"], each["Size"], each["ETag"], each["LastModified"])
        for each in edited.listed_before
    ]
    for method in (client.list_objects, client.list_objects_v2):
        answer = method(Bucket=WORKSPACE, Prefix=f"{edited.prefix}/")
        seen = [
            (each["Key"], each["Size"], each["ETag"], each["LastModified"])
            for each in answer["Contents"]
        ]
        assert seen == sorted(expected)
        assert not answer["IsTruncated"]
    assert {key.removeprefix(f"{edited.prefix}/") for key, *_ in expected} == edited.whole.keys()


@READERS
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 1000])
def test_pages_of_any_size_hold_every_key_once(
    gateway: Gateway, edited: Edited, reader: str, size: int
) -> None:
    client = gateway.s3(reader)
    expected = [edited.key(path) for path in sorted(edited.whole)]
    for operation in ("list_objects", "list_objects_v2"):
        pages = client.get_paginator(operation).paginate(
            Bucket=WORKSPACE, Prefix=f"{edited.prefix}/", MaxKeys=size
        )
        told = [page.get("Contents", []) for page in pages]
        assert all(len(page) <= size for page in told)
        assert [each["Key"] for page in told for each in page] == expected


@READERS
def test_listings_take_delimiters_prefixes_and_starts(
    gateway: Gateway, edited: Edited, reader: str
) -> None:
    client, prefix = gateway.s3(reader), edited.prefix

    def listed(method: str = "list_objects_v2", **parameters: Document) -> tuple[list[str], ...]:
        answer = getattr(client, method)(Bucket=WORKSPACE, **parameters)
        keys = [each["Key"].removeprefix(prefix) for each in answer.get("Contents", [])]
        groups = [each["Prefix"].removeprefix(prefix) for each in answer.get("CommonPrefixes", [])]
        return keys, groups

    for method in ("list_objects", "list_objects_v2"):
        assert listed(method, Prefix=f"{prefix}/", Delimiter="/") == (
            ["/a!", "/data.csv", "/manifest.yaml", "/removed.csv", "/same.csv"],
            ["/a/", "/dir/"],
        )
        assert listed(method, Prefix=f"{prefix}/dir/") == (["/dir/deep.csv"], [])
        assert listed(method, Prefix=f"{prefix}/d") == (["/data.csv", "/dir/deep.csv"], [])
        assert listed(method, Prefix=f"{prefix}/d", Delimiter="/") == (["/data.csv"], ["/dir/"])
        assert listed(method, Prefix=f"{prefix}/new") == ([], [])
        assert listed(method, Prefix=f"{prefix}/_") == ([], [])
        assert listed(method, Prefix=f"{prefix}/", Delimiter="a")[1] == ["/a", "/da", "/ma", "/sa"]
    start = {"Prefix": f"{prefix}/", "StartAfter": f"{prefix}/dir/deep.csv"}
    rest = ["/manifest.yaml", "/removed.csv", "/same.csv"]
    assert listed(**start) == (rest, [])
    assert listed(Prefix=f"{prefix}/", StartAfter=f"{prefix}/dir/new.csv") == (rest, [])
    marker = {"Prefix": f"{prefix}/", "Marker": f"{prefix}/dir/deep.csv"}
    assert listed("list_objects", **marker) == (rest, [])
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=WORKSPACE, Prefix=f"{prefix}/", Delimiter="/", MaxKeys=2
    )
    told = [
        each.get("Key", each.get("Prefix")).removeprefix(prefix)
        for page in pages
        for each in [*page.get("Contents", []), *page.get("CommonPrefixes", [])]
    ]
    assert sorted(told) == [
        "/a!", "/a/", "/data.csv", "/dir/", "/manifest.yaml", "/removed.csv", "/same.csv",
    ]  # fmt: skip
    assert len(told) == len(set(told))


@READERS
def test_listings_from_above_show_the_commit(gateway: Gateway, edited: Edited, reader: str) -> None:
    client = gateway.s3(reader)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=WORKSPACE, Prefix="public/", MaxKeys=5
    )
    found = [each for page in pages for each in page.get("Contents", [])]
    mine = [each for each in found if each["Key"].startswith(f"{edited.prefix}/")]
    assert {each["Key"]: each["Size"] for each in mine} == {
        edited.key(path): len(data) for path, data in edited.whole.items()
    }
    assert len(mine) == len(edited.whole)
    answer = client.list_objects_v2(Bucket=WORKSPACE, Prefix=edited.prefix, Delimiter="/")
    assert [each["Prefix"] for each in answer["CommonPrefixes"]] == [f"{edited.prefix}/"]


def test_writers_see_the_stage(gateway: Gateway, edited: Edited) -> None:
    staged = {**COMMITTED, **STAGED, "_manifest.yaml": manifest(name="two")}
    del staged["removed.csv"]
    assert contents(gateway.s3(), edited.prefix) == staged
    assert keys_below(gateway.s3(), edited.prefix, PaginationConfig={"PageSize": 2}) == {
        path: len(data) for path, data in staged.items()
    }


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


FILES = 200


def _generation(number: int) -> dict[str, bytes]:
    return {f"part-{i:03}": b"v" * number for i in range(FILES)}


class Witness:
    """Looks at an artifact during its commit; each request has to show one version."""

    def __init__(self, gateway: Gateway, prefix: str, parties: int) -> None:
        self.gateway, self.prefix = gateway, prefix
        self.door = f"/{WORKSPACE}/artifact/{prefix}"
        self.seen: set[int] = set()
        self.ready = threading.Barrier(parties, timeout=30)
        self.over = threading.Event()

    def one(self, sizes: set[int]) -> None:
        """Every file has the size that is its version's number."""
        assert len(sizes) == 1, f"a mix of versions: {sizes}"
        self.seen |= sizes

    def listings(self) -> None:
        client = self.gateway.s3("read")
        answer = client.list_objects_v2(Bucket=WORKSPACE, Prefix=f"{self.prefix}/part-")
        assert len(answer["Contents"]) == FILES
        self.one({each["Size"] for each in answer["Contents"]})

    def manifests(self) -> None:
        page = self.gateway.anonymous("GET", self.door, params={"silent": "true"}).json()
        assert page["name"] == f"version {page['_version']}"
        assert len(page["files"]) == FILES
        self.one({each["size"] for each in page["files"]})
        assert {each["size"] for each in page["files"]} == {page["_version"]}

    def archives(self) -> None:
        answer = self.gateway.anonymous("GET", self.door, params={"format": "zip"})
        assert answer.status_code == 200, answer.text
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        assert archive.testzip() is None
        files = [each for each in archive.infolist() if "part-" in each.filename]
        assert len(files) == FILES
        self.one({each.file_size for each in files})

    def first_version(self) -> None:
        params = {"version": "1"}
        for name in ("part-000", f"part-{FILES - 1}"):
            answer = self.gateway.anonymous("GET", f"{self.door}/{name}", params=params)
            assert (answer.status_code, answer.content) == (200, b"v")
        page = self.gateway.rpc("read", key="read", prefix=self.prefix, version=1, silent=True)
        assert (page["name"], len(page["files"])) == ("version 1", FILES)
        assert {each["size"] for each in page["files"]} == {1}

    def until_over(self, look: Callable[[], None]) -> int:
        """How often `look` looked: before the commit, during it, and once after it."""
        try:
            look()
        except BaseException:
            self.ready.abort()
            raise
        self.ready.wait()
        rounds = 2
        while not self.over.is_set():
            look()
            rounds += 1
        look()
        return rounds


Look = Callable[[Witness], None]


@pytest.mark.parametrize(
    "looks",
    [(Witness.listings, Witness.manifests, Witness.first_version), (Witness.archives,)],
    ids=["lists and reads", "reads zips"],
)
def test_a_commit_of_200_files_is_seen_whole_or_not_at_all(
    gateway: Gateway, public_prefix: str, looks: tuple[Look, ...]
) -> None:
    prefix, client = public_prefix, gateway.s3()
    witness = Witness(gateway, prefix, len(looks) + 1)
    with ThreadPoolExecutor(12) as pool:

        def upload(number: int) -> None:
            put(client, prefix, {"_manifest.yaml": manifest(name=f"version {number}")})
            files = _generation(number).items()
            for each in [pool.submit(put, client, prefix, dict([file])) for file in files]:
                each.result()

        upload(1)
        assert gateway.rpc("commit", prefix=prefix)["version"] == 1
        upload(2)
        watching = [pool.submit(witness.until_over, partial(look, witness)) for look in looks]
        with contextlib.suppress(threading.BrokenBarrierError):  # told below, by its result
            witness.ready.wait()
        try:
            assert gateway.rpc("commit", prefix=prefix)["version"] == 2
        finally:
            witness.over.set()
        assert all(each.result() > 2 for each in watching)
    assert witness.seen == {1, 2}


def test_a_file_put_during_a_commit_is_in_it_or_still_staged(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"0"}, name="one")
    client, last = gateway.s3(), b"0"
    with ThreadPoolExecutor(1) as pool:
        for number in range(1, 9):
            put(client, prefix, {"data.csv": b"%d" % (2 * number - 1)})
            committing = pool.submit(gateway.rpc, "commit", prefix=prefix)
            last = b"%d" % (2 * number)
            put(client, prefix, {"data.csv": last})
            committing.result()
            assert content(client, f"{prefix}/data.csv") == last
            seen = content(gateway.s3("read"), f"{prefix}/data.csv")
            assert seen in {b"%d" % (2 * number - 1), last}
    try:
        gateway.rpc("commit", prefix=prefix)
    except RpcError as error:
        if error.code != "NotStaged":
            raise
    assert content(gateway.s3("read"), f"{prefix}/data.csv") == last
