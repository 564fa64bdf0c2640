"""minio-py: its own signer, chunks and parser; over plain HTTP and over TLS."""

import io
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway, S3Client
from tests.clients.places import BIG, PART, SMALL, Place, Target, digest, digests, make_target
from tests.clients.terminator import Terminator


def client(gateway: Gateway, caller: str, secure: Terminator | None = None) -> Minio:
    """A client of the gateway, or of what stands before it."""
    return Minio(
        f"127.0.0.1:{gateway.port}" if secure is None else secure.url.removeprefix("https://"),
        access_key=KEYS[caller].access_key_id,
        secret_key=KEYS[caller].secret_access_key,
        region=REGION,
        secure=secure is not None,
        http_client=urllib3.PoolManager(
            ca_certs=None if secure is None else str(secure.certificate), retries=False
        ),
    )


def body_of(minio: Minio, key: str, offset: int = 0, length: int = 0) -> bytes:
    """The object's bytes, or `length` of them."""
    answer = minio.get_object(WORKSPACE, key, offset, length)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def test_it_reads_what_its_caller_may_see(
    gateway: Gateway, place: Place, caller: str, tmp_path: Path
) -> None:
    minio, expected = client(gateway, caller), place.seen_by(caller)
    listed = list(minio.list_objects(WORKSPACE, f"{place.prefix}/", recursive=True))
    names = {str(each.object_name).removeprefix(f"{place.prefix}/"): each.size for each in listed}
    assert names == {path: len(data) for path, data in expected.items()}
    got = {path: body_of(minio, f"{place.prefix}/{path}") for path in names}
    assert digests(got) == digests(expected)

    top = minio.list_objects(WORKSPACE, f"{place.prefix}/")
    assert {str(each.object_name) for each in top} == {
        f"{place.prefix}/{path.partition('/')[0]}{'/' if '/' in path else ''}" for path in expected
    }
    big = f"{place.prefix}/big.bin"
    minio.fget_object(WORKSPACE, big, str(tmp_path / "big"))
    assert digest((tmp_path / "big").read_bytes()) == digest(expected["big.bin"])
    ranged = body_of(minio, big, offset=PART - 7, length=20)
    assert ranged == expected["big.bin"][PART - 7 : PART + 13]
    assert minio.stat_object(WORKSPACE, big).size == len(expected["big.bin"])


@pytest.mark.parametrize(("scheme", "kind"), [("http", "artifact"), ("https", "folder")])
def test_it_writes_copies_composes_and_deletes(
    gateway: Gateway, direct: S3Client, secure: Terminator, tmp_path: Path, scheme: str, kind: str
) -> None:
    minio = client(gateway, "write", secure if scheme == "https" else None)
    target = make_target(gateway, direct, kind)
    small, big = target.key("small a b+c%20d ünï"), target.key("big.bin")
    (tmp_path / "big").write_bytes(BIG)
    minio.put_object(
        WORKSPACE, small, io.BytesIO(SMALL), len(SMALL), "text/x", metadata={"colour": "blue"}
    )
    minio.fput_object(WORKSPACE, big, str(tmp_path / "big"), part_size=PART)
    # Of a length that is not known beforehand.
    minio.put_object(WORKSPACE, target.key("once"), io.BytesIO(BIG), -1, part_size=PART)
    minio.copy_object(WORKSPACE, target.key("copy"), CopySource(WORKSPACE, small))
    minio.compose_object(
        WORKSPACE,
        target.key("composed"),
        [ComposeSource(WORKSPACE, big), ComposeSource(WORKSPACE, small)],
    )
    told = minio.stat_object(WORKSPACE, target.key("copy"))
    assert (told.content_type, told.size) == ("text/x", len(SMALL))
    assert told.metadata is not None
    assert told.metadata["x-amz-meta-colour"] == "blue"
    assert digest(body_of(minio, target.key("composed"))) == digest(BIG + SMALL)

    minio.put_object(WORKSPACE, target.key("one"), io.BytesIO(b"goes"), 4)
    minio.put_object(WORKSPACE, target.key("two"), io.BytesIO(b"goes"), 4)
    minio.remove_object(WORKSPACE, target.key("one"))
    assert list(minio.remove_objects(WORKSPACE, [DeleteObject(target.key("two"))])) == []
    target.holds(
        {
            "small a b+c%20d ünï": SMALL,
            "big.bin": BIG,
            "once": BIG,
            "copy": SMALL,
            "composed": BIG + SMALL,
        }
    )


def test_presigned_urls_work(gateway: Gateway, target: Target) -> None:
    minio, key = client(gateway, "write"), target.key("by url +%")
    url = minio.presigned_put_object(WORKSPACE, key, timedelta(minutes=5))
    assert requests.put(url, SMALL, timeout=10).status_code == 200
    url = minio.presigned_get_object(
        WORKSPACE, key, response_headers={"response-content-type": "text/x"}
    )
    answer = requests.get(url, timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (SMALL, "text/x")
    target.holds({"by url +%": SMALL})


def test_versions_are_told(gateway: Gateway, places: Mapping[str, Place]) -> None:
    minio, place = client(gateway, "write"), places["edited"]
    key = f"{place.prefix}/data.csv"
    listed = list(minio.list_objects(WORKSPACE, key, include_version=True))
    assert {each.object_name for each in listed} == {key}
    newest = next(str(each.version_id) for each in listed if each.is_latest == "true")
    pinned = next(str(each.version_id) for each in listed if each.version_id != newest)
    for version, files in ((newest, place.written), (pinned, place.read)):
        told = minio.stat_object(WORKSPACE, key, version_id=version)
        assert (told.version_id, told.size) == (version, len(files["data.csv"]))
    assert minio.bucket_exists(WORKSPACE)
    assert not minio.bucket_exists("no-such-workspace")
    versioning = client(gateway, "admin").get_bucket_versioning(WORKSPACE)
    assert versioning.status == "Enabled"
    assert [each.name for each in client(gateway, "read").list_buckets()] == [WORKSPACE]
    with pytest.raises(S3Error, match="AccessDenied"):  # a commit pins it
        minio.remove_object(WORKSPACE, key, version_id=pinned)


def test_tags_are_kept(gateway: Gateway, target: Target) -> None:
    minio, tags = client(gateway, "write"), Tags.new_object_tags()
    tags["colour"] = "blue +=:/@ green"
    minio.put_object(WORKSPACE, target.key("tagged"), io.BytesIO(SMALL), len(SMALL), tags=tags)
    assert minio.get_object_tags(WORKSPACE, target.key("tagged")) == tags
    minio.delete_object_tags(WORKSPACE, target.key("tagged"))
    assert minio.get_object_tags(WORKSPACE, target.key("tagged")) is None
    target.holds({"tagged": SMALL})


@pytest.mark.parametrize(
    ("caller", "path", "code"),
    [
        ("read", "new.csv", "NoSuchKey"),
        ("read", "_manifest.yaml", "NoSuchKey"),
        ("write", "removed.csv", "NoSuchKey"),
        ("other", "data.csv", "AccessDenied"),
    ],
)
def test_refusals_are_its_own_error(
    gateway: Gateway, places: Mapping[str, Place], caller: str, path: str, code: str
) -> None:
    minio, key = client(gateway, caller), f"{places['edited'].prefix}/{path}"
    with pytest.raises(S3Error) as caught:
        body_of(minio, key)
    assert caught.value.code == code
    with pytest.raises(S3Error) as caught:
        minio.stat_object(WORKSPACE, key)
    assert caught.value.code == code
