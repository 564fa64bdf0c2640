"""Steps that many tests share: publish an artifact, look at it as somebody, expect a refusal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.acceptance.harness import (
    WORKSPACE,
    Document,
    Gateway,
    RpcError,
    S3Client,
)


@dataclass(slots=True)
class Refusal:
    """What a refused call was answered with; filled when the block is left."""

    status: int = 0
    code: str = ""
    message: str = ""
    details: Document = None


@contextmanager
def refused(code: str, status: int) -> Iterator[Refusal]:
    """Expect the block's one call, RPC or boto3, to be refused so."""
    refusal = Refusal()
    with pytest.raises((RpcError, ClientError)) as caught:
        yield refusal
    error = caught.value
    if isinstance(error, RpcError):
        refusal.status, refusal.code = error.status, error.code
        refusal.message, refusal.details = error.message, error.details
    else:
        assert isinstance(error, ClientError)
        answer: Document = error.response
        refusal.status = answer["ResponseMetadata"]["HTTPStatusCode"]
        refusal.code, refusal.message = answer["Error"]["Code"], answer["Error"].get("Message", "")
        refusal.details = answer["Error"]
    assert (refusal.code, refusal.status) == (code, status), refusal


def manifest(**fields: Document) -> bytes:
    """A manifest in YAML: of type `dataset` unless `fields` say otherwise."""
    return yaml.safe_dump({"type": "dataset", **fields}, sort_keys=False).encode()


def stage(
    gateway: Gateway, prefix: str, files: Mapping[str, bytes], /, **fields: Document
) -> S3Client:
    """Put files and a `_manifest.yaml`, over S3; the writer's client."""
    client = gateway.s3()
    put(client, prefix, {**files, "_manifest.yaml": manifest(**fields)})
    return client


def put(client: S3Client, prefix: str, files: Mapping[str, bytes]) -> None:
    """Put each of `files`, named relative to `prefix`."""
    for path, data in files.items():
        client.put_object(Bucket=WORKSPACE, Key=f"{prefix}/{path}", Body=data)


def publish(
    gateway: Gateway, prefix: str, files: Mapping[str, bytes], /, **fields: Document
) -> int:
    """The version under which these files, and a manifest with `fields`, got committed."""
    stage(gateway, prefix, files, **fields)
    return int(gateway.rpc("commit", prefix=prefix)["version"])


def make_gallery(gateway: Gateway, prefix: str, **fields: Document) -> None:
    """Commit a collection."""
    gateway.rpc("create", prefix=prefix, manifest={"type": "collection", "name": "G", **fields})


def keys_below(client: S3Client, prefix: str, **parameters: Document) -> dict[str, int]:
    """Every file that the client is listed below `prefix`, relative to it, with its size."""
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=WORKSPACE, Prefix=f"{prefix}/", **parameters
    )
    listed = [
        (each["Key"].removeprefix(f"{prefix}/"), each["Size"])
        for page in pages
        for each in page.get("Contents", [])
    ]
    assert len({key for key, _ in listed}) == len(listed), f"a key is listed twice: {listed}"
    return dict(listed)


def content(client: S3Client, key: str) -> bytes | None:
    """The object's bytes; None when the client is told 404."""
    try:
        body: bytes = client.get_object(Bucket=WORKSPACE, Key=key)["Body"].read()
    except ClientError as error:
        answer: Document = error.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404, answer
        return None
    return body


def contents(client: S3Client, prefix: str) -> dict[str, bytes | None]:
    """Every file that the client is listed below `prefix`, with its bytes."""
    return {path: content(client, f"{prefix}/{path}") for path in keys_below(client, prefix)}


def version_of(gateway: Gateway, prefix: str) -> int:
    """The version that readers see; 0 where nothing is committed."""
    try:
        return int(gateway.rpc("read", key="read", prefix=prefix, silent=True)["_version"])
    except RpcError as error:
        if error.code == "NoSuchArtifact":
            return 0
        raise


def downloads_of(gateway: Gateway, prefix: str) -> float:
    """The artifact's `download_count`."""
    read = gateway.rpc("read", key="read", prefix=prefix, silent=True)
    return float(read["_stats"]["download_count"])


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The folder, holding exactly `files` afterwards; files that stay equal aren't touched."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != data:
            target.write_bytes(data)
    for there in [each for each in folder.rglob("*") if each.is_file()]:
        if there.relative_to(folder).as_posix() not in files:
            there.unlink()
    return folder


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, by its path relative to it."""
    return {
        each.relative_to(folder).as_posix(): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file()
    }
