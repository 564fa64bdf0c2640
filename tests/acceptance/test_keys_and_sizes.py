"""Bytes come back as they were put, whatever their number and name."""

import random
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.steps import contents, keys_below, manifest, read_folder, stage, write_folder

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
