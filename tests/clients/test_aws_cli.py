"""aws-cli: `s3` with its parallel parts, `s3api` call by call, and URLs by `presign`."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from tests.acceptance.harness import WORKSPACE, Document, Gateway
from tests.acceptance.steps import read_folder
from tests.clients.places import BIG, PART, SMALL, Place, Target, digest, digests
from tests.clients.terminator import Terminator


def s3api(gateway: Gateway, operation: str, key: str, *arguments: str | Path) -> Document:
    """What the operation on this key answers, decoded."""
    told = gateway.aws(
        "s3api", operation, "--bucket", WORKSPACE, "--key", key, "--output", "json", *arguments
    ).stdout
    return json.loads(told) if told.strip() else None


@pytest.mark.parametrize("caller", ["read", "write"])
def test_it_reads_what_its_caller_may_see(
    gateway: Gateway, places: Mapping[str, Place], tmp_path: Path, caller: str
) -> None:
    place = places["edited"]
    expected, there = place.seen_by(caller), f"s3://{WORKSPACE}/{place.prefix}"
    gateway.aws("s3", "cp", "--recursive", "--only-show-errors", there, tmp_path, key=caller)
    assert digests(read_folder(tmp_path)) == digests(expected)
    listed = gateway.aws("s3", "ls", "--recursive", f"{there}/", key=caller).stdout
    sizes = {line.split(maxsplit=3)[3]: int(line.split()[2]) for line in listed.splitlines()}
    assert sizes == {f"{place.prefix}/{path}": len(data) for path, data in expected.items()}


def test_cp_and_mv_over_tls(
    gateway: Gateway, secure: Terminator, artifact: Target, tmp_path: Path
) -> None:
    """Over TLS it sends checksums in trailers; in parts above 8 MiB, and from a pipe."""
    (tmp_path / "big").write_bytes(BIG)
    there = f"s3://{WORKSPACE}/{artifact.prefix}"
    tls = ("--endpoint-url", secure.url, "--ca-bundle", secure.certificate)
    gateway.aws("s3", "cp", tmp_path / "big", f"{there}/big.bin", *tls)
    gateway.aws("s3", "mv", f"{there}/big.bin", f"{there}/moved.bin", *tls)
    gateway.aws("s3", "cp", f"{there}/moved.bin", tmp_path / "down", *tls)
    assert digest((tmp_path / "down").read_bytes()) == digest(BIG)
    artifact.holds({"moved.bin": BIG})


def test_s3api_call_by_call(gateway: Gateway, artifact: Target, tmp_path: Path) -> None:
    key, down = artifact.key("a b+c%20d ünï"), tmp_path / "down"
    (tmp_path / "small").write_bytes(SMALL)
    put = s3api(
        gateway, "put-object", key, "--body", tmp_path / "small", "--metadata", "colour=blue",
        "--checksum-algorithm", "SHA256",
    )  # fmt: skip
    got = s3api(gateway, "get-object", key, "--range", "bytes=2-4", down)
    assert (down.read_bytes(), got["ETag"], got["Metadata"]) == (
        SMALL[2:5],
        put["ETag"],
        {"colour": "blue"},
    )
    s3api(gateway, "copy-object", artifact.key("copy"), "--copy-source", f"{WORKSPACE}/{key}")
    s3api(gateway, "delete-object", key)
    artifact.holds({"copy": SMALL})


def test_s3api_multipart_both_ways(gateway: Gateway, artifact: Target, tmp_path: Path) -> None:
    key, parts = artifact.key("big.bin"), []
    started = s3api(gateway, "create-multipart-upload", key, "--checksum-algorithm", "CRC32C")
    upload = ("--upload-id", started["UploadId"])
    for number in (1, 2, 3):
        part = tmp_path / f"{number}"
        part.write_bytes(BIG[(number - 1) * PART : number * PART])
        arguments = ("--part-number", str(number), "--body", part, "--checksum-algorithm", "CRC32C")
        done = s3api(gateway, "upload-part", key, *upload, *arguments)
        parts.append(
            {"PartNumber": number, "ETag": done["ETag"], "ChecksumCRC32C": done["ChecksumCRC32C"]}
        )
    listed = s3api(gateway, "list-parts", key, *upload)["Parts"]
    assert [each["Size"] for each in listed] == [PART, PART, len(BIG) - 2 * PART]
    document = json.dumps({"Parts": parts})
    s3api(gateway, "complete-multipart-upload", key, *upload, "--multipart-upload", document)
    got = s3api(gateway, "get-object", key, "--part-number", "2", tmp_path / "down")
    assert got["PartsCount"] == 3
    assert digest((tmp_path / "down").read_bytes()) == digest(BIG[PART : 2 * PART])
    artifact.holds({"big.bin": BIG})


def test_presigned_urls_and_refusals(gateway: Gateway, places: Mapping[str, Place]) -> None:
    place = places["edited"]
    there = f"s3://{WORKSPACE}/{place.prefix}"
    for caller in ("read", "write"):
        url = gateway.aws("s3", "presign", f"{there}/data.csv", key=caller).stdout.strip()
        got = requests.get(url, timeout=10)
        assert "X-Amz-Signature=" in url
        assert digest(got.content) == digest(place.seen_by(caller)["data.csv"])
    outcome = gateway.aws("s3", "cp", f"{there}/new.csv", "-", key="read", code=1)
    assert "(404)" in outcome.stderr
    outcome = gateway.aws("s3", "rm", f"{there}/data.csv", key="read", code=1)
    assert "(AccessDenied)" in outcome.stderr
