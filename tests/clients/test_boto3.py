"""boto3 as it comes: what it reads, its URLs and forms, sub-domains, and its exceptions."""

import io
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Document, Gateway, S3Client
from tests.clients.boto3_client import PARTS, SESSION, client
from tests.clients.places import BIG, SMALL, Place, Target, digest, digests


def test_it_reads_what_its_caller_may_see(
    gateway: Gateway, place: Place, caller: str, tmp_path: Path
) -> None:
    s3, expected = client(gateway, caller), place.seen_by(caller)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=WORKSPACE, Prefix=f"{place.prefix}/", PaginationConfig={"PageSize": 3}
    )
    listed = [each for page in pages for each in page["Contents"]]
    assert {each["Key"].removeprefix(f"{place.prefix}/"): each["Size"] for each in listed} == {
        path: len(data) for path, data in expected.items()
    }
    got = {}
    for each in listed:
        answer = s3.get_object(Bucket=WORKSPACE, Key=each["Key"])
        assert (answer["ETag"], answer["ContentLength"]) == (each["ETag"], each["Size"])
        got[each["Key"].removeprefix(f"{place.prefix}/")] = answer["Body"].read()
    assert digests(got) == digests(expected)

    s3.download_file(
        WORKSPACE, f"{place.prefix}/big.bin", str(tmp_path / "big"), Config=PARTS
    )  # as several ranges at once
    assert digest((tmp_path / "big").read_bytes()) == digest(expected["big.bin"])


@pytest.fixture
def _localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names below `localhost` lead to this machine, which is not so everywhere."""
    look_up = socket.getaddrinfo

    def resolve(host: Document, *arguments: Document, **options: Document) -> Document:
        local = isinstance(host, str) and host.endswith(".localhost")
        return look_up("127.0.0.1" if local else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.usefixtures("_localhost")
def test_workspaces_are_sub_domains_too(gateway: Gateway, target: Target) -> None:
    s3 = client(
        gateway,
        "write",
        f"http://localhost:{gateway.port}",
        s3={"addressing_style": "virtual"},
        signature_version="s3v4",
    )
    odd = "a b+c%20d/ünï~.csv"
    hosts = []
    s3.meta.events.register("before-send.s3.*", lambda request, **_: hosts.append(request.url))
    s3.put_object(Bucket=WORKSPACE, Key=target.key(odd), Body=SMALL)
    s3.upload_fileobj(io.BytesIO(BIG), WORKSPACE, target.key("big.bin"), Config=PARTS)
    assert s3.get_object(Bucket=WORKSPACE, Key=target.key(odd))["Body"].read() == SMALL
    listed = s3.list_objects_v2(Bucket=WORKSPACE, Prefix=f"{target.prefix}/a")
    assert [each["Key"] for each in listed["Contents"]] == [target.key(odd)]
    assert all(f"//{WORKSPACE}.localhost:" in host for host in hosts)
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": WORKSPACE, "Key": target.key(odd)}
    )
    assert requests.get(url, timeout=10).content == SMALL
    target.holds({odd: SMALL, "big.bin": BIG})


def test_presigned_urls_work(gateway: Gateway, target: Target) -> None:
    s3 = client(gateway, "write", signature_version="s3v4")
    there = {"Bucket": WORKSPACE, "Key": target.key("by url")}
    url = s3.generate_presigned_url("put_object", Params={**there, "ContentType": "text/x"})
    answer = requests.put(url, SMALL, headers={"Content-Type": "text/x"}, timeout=10)
    assert answer.status_code == 200, answer.text
    url = s3.generate_presigned_url(
        "get_object", Params={**there, "ResponseContentDisposition": "attachment"}
    )
    answer = requests.get(url, headers={"Range": "bytes=2-4"}, timeout=10)
    assert (answer.status_code, answer.content) == (206, SMALL[2:5])
    assert answer.headers["Content-Disposition"] == "attachment"
    target.holds({"by url": SMALL})


def test_presigned_forms_work(gateway: Gateway, target: Target) -> None:
    s3 = client(gateway, "write", signature_version="s3v4")
    form = s3.generate_presigned_post(
        WORKSPACE,
        target.key("${filename}"),
        Fields={"success_action_status": "201"},
        Conditions=[{"success_action_status": "201"}, ["content-length-range", 0, len(SMALL)]],
    )
    for body, status in ((SMALL, 201), (SMALL + b"!", 400)):
        answer = requests.post(
            form["url"], data=form["fields"], files={"file": ("by form", body)}, timeout=10
        )
        assert answer.status_code == status, answer.text
    target.holds({"by form": SMALL})


def test_refusals_are_its_own_exceptions(
    gateway: Gateway, places: Mapping[str, Place], artifact: Target
) -> None:
    place, reader, writer = places["edited"], client(gateway, "read"), client(gateway, "write")
    for path in ("new.csv", "no/such", "_manifest.yaml"):
        with pytest.raises(reader.exceptions.NoSuchKey):
            reader.get_object(Bucket=WORKSPACE, Key=f"{place.prefix}/{path}")
        with pytest.raises(ClientError, match=r"\(404\).*HeadObject"):
            reader.head_object(Bucket=WORKSPACE, Key=f"{place.prefix}/{path}")
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.put_object(Bucket=WORKSPACE, Key=artifact.key("x"), Body=SMALL)
    with pytest.raises(writer.exceptions.NoSuchBucket):
        writer.list_objects_v2(Bucket="no-such-workspace")
    with pytest.raises(writer.exceptions.NoSuchUpload):
        writer.list_parts(Bucket=WORKSPACE, Key=artifact.key("x"), UploadId="0" * 32)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger(gateway).list_buckets()
    there = {"Bucket": WORKSPACE, "Key": artifact.key("once")}
    etag = writer.put_object(**there, Body=SMALL, IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        writer.put_object(**there, Body=b"again", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        writer.get_object(**there, IfMatch='"0"')
    with pytest.raises(ClientError, match=r"\(304\)"):
        writer.get_object(**there, IfNoneMatch=etag)
    with pytest.raises(ClientError, match="InvalidRange"):
        writer.get_object(**there, Range="bytes=5000-6000")
    artifact.holds({"once": SMALL})


def stranger(gateway: Gateway) -> S3Client:
    """A client with a key's id and not its secret."""
    return SESSION.client(
        "s3",
        endpoint_url=gateway.url,
        region_name=REGION,
        aws_access_key_id=KEYS["read"].access_key_id,
        aws_secret_access_key="wrong",
    )


def test_versions_and_waiters(gateway: Gateway, places: Mapping[str, Place]) -> None:
    s3, place = client(gateway, "write"), places["edited"]
    there = {"Bucket": WORKSPACE, "Key": f"{place.prefix}/data.csv"}
    s3.get_waiter("object_exists").wait(**there)
    listed = s3.list_object_versions(Bucket=WORKSPACE, Prefix=there["Key"])["Versions"]
    newest, oldest = listed[0]["VersionId"], listed[-1]["VersionId"]
    for version, files in ((newest, place.written), (oldest, place.read)):
        got = s3.get_object(**there, VersionId=version)
        assert got["VersionId"] == version
        assert digest(got["Body"].read()) == digest(files["data.csv"])
    reader = client(gateway, "read")
    got = reader.get_object(**there, VersionId=oldest)
    assert digest(got["Body"].read()) == digest(place.read["data.csv"])
    with pytest.raises(ClientError, match="NoSuchVersion"):
        reader.get_object(**there, VersionId=newest)
    assert {WORKSPACE} == {each["Name"] for each in reader.list_buckets()["Buckets"]}
