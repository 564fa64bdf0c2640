"""Bytes come back as they were put, whatever their number and name; names keep to their places."""

import contextlib
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Gateway
from tests.acceptance.steps import (
    content,
    contents,
    keys_below,
    make_gallery,
    manifest,
    publish,
    put,
    read_folder,
    refused,
    stage,
    version_of,
    write_folder,
)

MEBIBYTE = 1_048_576
SIZED_NAMES: Mapping[str, int] = {
    "empty": 0,
    "a b  c": 1,
    "a+b": 2,
    "a%20b": 3,
    "100%": 5,
    "%2F..%2f": 7,
    "~tilde~": 15,
    "ünïcödé": 16,
    "日本語/ファイル.csv": 17,
    "e\u0301 decomposed": 63,
    "\u00e9 composed": 64,
    "😀/🧬": 100,
    "query?x=1&y": 255,
    "hash#tag": 256,
    "a&b=c": 1_000,
    "semi;colon:": 1_023,
    "at@comma,dollar$": 1_024,
    "bang!(round)": 4_095,
    'it\'s "quoted"': 4_096,
    "[square]{curly}": 8_190,
    "pipe|caret^tick`": 16_384,
    "<angle>": 65_535,
    "a..b/.hidden": 65_536,
    "-dash/=equals": 65_537,
    "trailing.": 131_073,
    "...": 262_144,
    "UPPER/lower/UpPeR": 999_999,
    "/".join("d" * 149 for _ in range(6)): MEBIBYTE,
    "multi/part.bin": 8 * MEBIBYTE,
    "multi/part-and-one.bin": 8 * MEBIBYTE + 1,
}


def _data(size: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - any bytes will do


FILES: Mapping[str, bytes] = {name: _data(size, name) for name, size in SIZED_NAMES.items()}


def stored(gateway: Gateway, prefix: str) -> dict[str, bytes]:
    """What the backend itself holds below the prefix."""
    client, bucket = gateway.backend.client(), gateway.backend.bucket
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [each["Key"] for page in pages for each in page["Contents"]]
    return {
        key.removeprefix(f"{prefix}/"): client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys
    }


def test_there_are_thirty_and_one_is_900_bytes() -> None:
    assert len(SIZED_NAMES) == 30
    assert max(len(name.encode()) for name in SIZED_NAMES) == 899


def test_boto3_brings_back_what_it_put_in_an_artifact(gateway: Gateway, prefix: str) -> None:
    client = stage(gateway, prefix, FILES)
    assert contents(client, prefix) == {**FILES, "_manifest.yaml": manifest()}
    gateway.rpc("commit", prefix=prefix)
    published = {**FILES, "manifest.yaml": manifest()}
    assert contents(gateway.s3("read"), prefix) == published
    assert stored(gateway, prefix) == published
    listed = {
        each["path"]: each["size"]
        for each in gateway.rpc("list_files", prefix=prefix, version=1)
        if each["type"] != "directory"
    }
    assert listed.items() <= SIZED_NAMES.items()


def test_boto3_multipart_uploads_come_back(gateway: Gateway, prefix: str) -> None:
    client, name = gateway.s3(), "multi part+%.bin"
    stage(gateway, prefix, {})
    parts = [_data(5 * MEBIBYTE, "1"), _data(5 * MEBIBYTE + 1, "2"), b"end"]
    address = {"Bucket": WORKSPACE, "Key": f"{prefix}/{name}"}
    upload = client.create_multipart_upload(**address, ContentType="text/x")["UploadId"]
    done = [
        client.upload_part(**address, UploadId=upload, PartNumber=number, Body=part)
        for number, part in enumerate(parts, 1)
    ]
    told = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(done, 1)]
    client.complete_multipart_upload(**address, UploadId=upload, MultipartUpload={"Parts": told})
    assert keys_below(gateway.s3("read"), prefix) == {}
    gateway.rpc("commit", prefix=prefix)
    got = gateway.s3("read").get_object(**address)
    assert got["Body"].read() == b"".join(parts)
    assert got["ContentType"] == "text/x"
    assert got["ETag"].endswith('-3"')


def test_aws_cli_brings_back_what_it_put(gateway: Gateway, prefix: str, tmp_path: Path) -> None:
    there = f"s3://{WORKSPACE}/{prefix}"
    gateway.aws("s3", "cp", "--recursive", write_folder(tmp_path / "up", FILES), there)
    assert stored(gateway, prefix) == FILES
    gateway.aws("s3", "cp", "--recursive", there, tmp_path / "down")
    assert read_folder(tmp_path / "down") == FILES


def test_rclone_brings_back_what_it_put(gateway: Gateway, prefix: str, tmp_path: Path) -> None:
    there = f"gw:{WORKSPACE}/{prefix}"
    gateway.rclone("copy", write_folder(tmp_path / "up", FILES), there)
    assert stored(gateway, prefix) == FILES
    gateway.rclone("copy", there, tmp_path / "down")
    assert read_folder(tmp_path / "down") == FILES


def test_s5cmd_brings_back_what_it_put(gateway: Gateway, prefix: str, tmp_path: Path) -> None:
    there = f"s3://{WORKSPACE}/{prefix}/"
    gateway.s5cmd("cp", f"{write_folder(tmp_path / 'up', FILES)}/", there)
    assert stored(gateway, prefix) == FILES
    gateway.s5cmd("cp", f"{there}*", f"{tmp_path / 'down'}/")
    assert read_folder(tmp_path / "down") == FILES


def test_curl_brings_back_what_it_put(gateway: Gateway, public_prefix: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "up", FILES)
    client = gateway.s3()
    stage(gateway, public_prefix, {})
    for index, (name, data) in enumerate(FILES.items()):
        address = {"Bucket": WORKSPACE, "Key": f"{public_prefix}/{name}"}
        url = client.generate_presigned_url("put_object", Params=address)
        gateway.curl("--upload-file", folder / name, url)
        url = client.generate_presigned_url("get_object", Params=address)
        gateway.curl("--output", tmp_path / f"{index}", url)
        assert (tmp_path / f"{index}").read_bytes() == data, name
    gateway.rpc("commit", prefix=public_prefix)
    for index, (name, data) in enumerate(FILES.items()):
        path = quote(f"/{WORKSPACE}/artifact/{public_prefix}/{name}")
        gateway.curl("--output", tmp_path / f"{index}", gateway.url + path)
        assert (tmp_path / f"{index}").read_bytes() == data, name


def test_curl_signs_for_itself(gateway: Gateway, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(FILES["<angle>"])
    url = f"{gateway.url}/{WORKSPACE}/{prefix}/angle"
    gateway.curl("--upload-file", tmp_path / "up", url, key="write")
    gateway.curl("--output", tmp_path / "down", url, key="read")
    assert (tmp_path / "down").read_bytes() == FILES["<angle>"]


# --- keys that the backend folds -------------------------------------------------------


def spellings(key: str) -> list[str]:
    """Raw paths below the workspace that SeaweedFS takes, or might take, for `key`."""
    head, _, tail = key.rpartition("/")
    return [
        f"/{key}",
        f"%2F{key}",
        f"%5C{key}",
        key.replace("/", "//"),
        key.replace("/", "%2F"),
        key.replace("/", "%2F/"),
        key.replace("/", "%5C"),
        key.replace("/", "/%5C"),
        f"{head}/./{tail}",
        f"{head}/%2E/{tail}",
        f"{head}/x/../{tail}",
        f"{head}/x/%2E%2E/{tail}",
        f"{head}//{tail}",
        f"{head}///{tail}",
    ]


def test_no_spelling_shows_what_is_staged(gateway: Gateway, public_prefix: str) -> None:
    publish(gateway, public_prefix, {"data.csv": b"committed"})
    put(gateway.s3(), public_prefix, {"data.csv": b"staged", "new.csv": b"staged"})
    put(gateway.s3(), public_prefix, {"_manifest.yaml": manifest(name="staged")})
    for name in ("data.csv", "new.csv", "_manifest.yaml"):
        for spelling in [f"{public_prefix}/{name}", *spellings(f"{public_prefix}/{name}")]:
            target = f"/{WORKSPACE}/{spelling}"
            for answer in (gateway.request("GET", target), gateway.signed("GET", target, "read")):
                assert b"staged" not in answer.body, (spelling, answer)
                if answer.status == 200:
                    assert (name, answer.body) == ("data.csv", b"committed")
            door = gateway.request("GET", f"/{WORKSPACE}/artifact/{spelling}")
            assert b"staged" not in door.body, (spelling, door)


def test_no_spelling_lists_what_is_staged(gateway: Gateway, public_prefix: str) -> None:
    publish(gateway, public_prefix, {"data.csv": b"committed"})
    put(gateway.s3(), public_prefix, {"data.csv": bytes(31_415), "new.csv": b"staged"})
    for above in (f"{public_prefix}/", public_prefix, f"{public_prefix}/new", "public/"):
        for spelling in [above, *spellings(above)]:
            prefix = quote(spelling, safe="%")
            for query in (f"list-type=2&prefix={prefix}", f"prefix={prefix}&max-keys=999"):
                target = f"/{WORKSPACE}?{query}"
                plain = gateway.request("GET", target)
                for answer in (plain, gateway.signed("GET", target, "read")):
                    listed = answer.body.partition(b"</Prefix>")[2]  # behind the prefix itself
                    assert b"new.csv" not in listed, (spelling, answer.body)
                    assert b"<Size>31415</Size>" not in listed, (spelling, answer.body)


def test_no_spelling_leads_out_of_public(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"private"})
    targets = [
        *spellings(f"{prefix}/data.csv"),
        f"public/../{prefix}/data.csv",
        f"public/%2E%2E/{prefix}/data.csv",
        f"public%2F..%2F{prefix}/data.csv",
        f"public/..%5C{prefix}/data.csv",
        f"public%5C..%5C{prefix}%5Cdata.csv",
        f"./public/../{prefix}/data.csv",
    ]
    for target in targets:
        for base in (f"/{WORKSPACE}", f"/{WORKSPACE}/artifact", f"//{WORKSPACE}"):
            answer = gateway.request("GET", f"{base}/{target}")
            assert b"private" not in answer.body, (base, target, answer)
            assert answer.status in {400, 403, 404}, (base, target, answer)


def test_no_spelling_gets_around_a_grant(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"data.csv": b"private"})
    key = f"{prefix}/data.csv"
    for spelling in spellings(key):
        answer = gateway.signed("PUT", f"/{WORKSPACE}/{spelling}", "read", body=b"x")
        assert answer.status in {400, 403}, (spelling, answer)
        answer = gateway.signed("DELETE", f"/{WORKSPACE}/{spelling}", "read")
        assert answer.status in {400, 403}, (spelling, answer)
        answer = gateway.signed("GET", f"/{WORKSPACE}/{spelling}", "other")
        assert answer.status in {400, 403, 404}, (spelling, answer)
        for source in (f"/{WORKSPACE}/{spelling}", f"{WORKSPACE}//{spelling}", spelling):
            copied = gateway.signed(
                "PUT",
                f"/{OTHER_WORKSPACE}/{prefix}",
                "other",
                {"x-amz-copy-source": source},
            )
            assert copied.status in {400, 403, 404}, (source, copied)
    assert content(gateway.s3(), key) == b"private"
    assert gateway.rpc("list", prefix=prefix, stage=True) == []


def test_no_spelling_gets_around_a_schema(gateway: Gateway, prefix: str) -> None:
    make_gallery(gateway, prefix, collection_schema={"required": ["name"]})
    whole = f"{prefix}/member/manifest.yaml"
    for number, key in enumerate(
        [
            whole.replace("/", "//"),
            f"/{whole}",
            whole.replace("/", "\\"),
            whole.replace("/", "/\\"),
            whole.replace("/manifest", "///manifest"),
        ]
    ):
        member = f"{prefix}/member-{number}"
        spelled = key.replace("member", f"member-{number}")
        with refused("SchemaViolation", 400):
            gateway.s3().put_object(Bucket=WORKSPACE, Key=spelled, Body=manifest(id="no name"))
        assert version_of(gateway, member) == 0
        gateway.s3().put_object(Bucket=WORKSPACE, Key=spelled, Body=manifest(name="named"))
        assert version_of(gateway, member) == 1


def test_a_folded_key_changes_the_artifact_it_is_folded_into(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"dir/data.csv": b"committed"})
    gateway.s3().put_object(Bucket=WORKSPACE, Key=f"{prefix}//dir\\data.csv", Body=b"staged")
    assert content(gateway.s3("read"), f"{prefix}/dir/data.csv") == b"committed"
    assert content(gateway.s3(), f"{prefix}/dir/data.csv") == b"staged"
    assert gateway.rpc("commit", prefix=prefix)["version"] == 2
    assert content(gateway.s3("read"), f"{prefix}/dir/data.csv") == b"staged"


# --- keys that the backend keeps for itself --------------------------------------------


def private_keys(gateway: Gateway, prefix: str) -> list[str]:
    """Where SeaweedFS keeps the versions of `data.csv`, and names of that kind."""
    client, bucket = gateway.backend.client(), gateway.backend.bucket
    versions = client.list_object_versions(Bucket=bucket, Prefix=f"{prefix}/data.csv")["Versions"]
    assert len(versions) == 2
    folder = f"{prefix}/data.csv.versions"
    return [
        *(f"{folder}/v_{each['VersionId']}" for each in versions),
        f"{folder}/x",
        f"{prefix}/any.versions/deep/er",
        f"{prefix}//data.csv.versions/v_{versions[0]['VersionId']}",
        f"{prefix}/data.csv.versions\\v_{versions[0]['VersionId']}",
    ]


def test_private_keys_of_seaweedfs_are_refused(gateway: Gateway, public_prefix: str) -> None:
    prefix = public_prefix
    publish(gateway, prefix, {"data.csv": b"committed"})
    put(gateway.s3(), prefix, {"data.csv": b"staged"})
    keys = private_keys(gateway, prefix)
    for key in keys:
        target, above = f"/{WORKSPACE}/{quote(key)}", quote(key.replace("\\", "/"))
        requests: list[tuple[str, str, dict[str, str]]] = [
            ("GET", target, {}),
            ("PUT", target, {}),
            ("DELETE", target, {}),
            ("DELETE", f"{target}?versionId=null", {}),
            ("POST", f"{target}?uploads=", {}),
            ("PUT", f"/{WORKSPACE}/{prefix}-copy", {"x-amz-copy-source": target}),
            ("GET", f"/{WORKSPACE}?list-type=2&prefix={above.rpartition('/')[0]}%2F", {}),
        ]
        for method, where, headers in requests:
            answer = gateway.signed(method, where, "admin", headers)
            assert answer.status == 400, (method, where, answer)
            assert b"<Code>InvalidPath</Code>" in answer.body, (method, where, answer)
        assert gateway.signed("GET", target, "read").status == 400
        assert gateway.signed("HEAD", target, "read").status == 400
        assert gateway.request("GET", target).status == 400
        with contextlib.suppress(ClientError):
            batch = {"Objects": [{"Key": key}]}
            gone = gateway.s3().delete_objects(Bucket=WORKSPACE, Delete=batch)
            assert [each["Code"] for each in gone["Errors"]] == ["InvalidPath"]
    for path in ("a.versions/b", "data.csv.versions/x"):
        with refused("InvalidPath", 400):
            gateway.rpc("put_file", prefix=prefix, file_path=path)
    assert content(gateway.s3("read"), f"{prefix}/data.csv") == b"committed"
    assert content(gateway.s3(), f"{prefix}/data.csv") == b"staged"


# --- a backend that keeps keys apart ---------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of moto's server."""
    backend = Backend(tmp_path_factory.mktemp("moto"), kind="moto")
    running = Gateway(backend, tmp_path_factory.mktemp("gateway-of-moto"))
    try:
        backend.start()
        yield running.start()
    finally:
        running.stop()
        backend.stop()


def test_keys_that_moto_keeps_apart_stay_apart(plain: Gateway) -> None:
    prefix, client = plain.new_prefix(), plain.s3()
    keys = [
        f"{prefix}/a/b",
        f"{prefix}//a/b",
        f"{prefix}/a//b",
        f"/{prefix}/a/b",
        f"{prefix}/a\\b",
        f"{prefix}\\a\\b",
        f"{prefix}/./a/b",
        f"{prefix}/a/../a/b",
        f"{prefix}/a%2Fb",
        f"{prefix}/a/b.versions/c",
    ]
    for key in keys:
        client.put_object(Bucket=WORKSPACE, Key=key, Body=key.encode())
    direct = plain.backend.client()
    for key in keys:
        assert content(client, key) == key.encode()
        assert direct.get_object(Bucket=WORKSPACE, Key=key)["Body"].read() == key.encode()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=WORKSPACE)
    listed = {each["Key"] for page in pages for each in page["Contents"]}
    assert set(keys) <= listed
    client.delete_object(Bucket=WORKSPACE, Key=keys[0])
    assert content(client, keys[0]) is None
    assert all(content(client, key) == key.encode() for key in keys[1:])


def test_an_artifact_lives_on_moto_too(plain: Gateway) -> None:
    prefix = plain.new_prefix(public=True)
    stage(plain, prefix, {"data.csv": b"one", "a//b": b"two"}, name="one")
    with refused("InvalidPath", 400) as refusal:
        plain.rpc("commit", prefix=prefix)
    assert "a//b" in refusal.message
    plain.s3().delete_object(Bucket=WORKSPACE, Key=f"{prefix}/a//b")
    assert plain.rpc("commit", prefix=prefix)["version"] == 1
    put(plain.s3(), prefix, {"data.csv": b"staged", "a/b": b"another"})
    committed = {"data.csv": b"one", "manifest.yaml": manifest(name="one")}
    assert contents(plain.s3("read"), prefix) == committed
    assert content(plain.s3("anonymous"), f"{prefix}/a/b") is None
    assert plain.rpc("commit", prefix=prefix)["version"] == 2
    assert contents(plain.s3("read"), prefix) == {
        **committed,
        "data.csv": b"staged",
        "a/b": b"another",
    }
