"""A bucket full of folders with manifests becomes a registry in one run, the bytes untouched.

`ADOPT_OBJECTS` and `ADOPT_MANIFESTS` in the environment make it larger: `make adopt`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.harness import REGION, WORKSPACE, Backend, Document, Gateway, S3Client
from tests.acceptance.processes import PROGRAMS, clean_environment
from tests.acceptance.rebuilt import bucket_of, own_gateway, reindex
from tests.acceptance.steps import content, manifest, write_folder

OBJECTS = int(os.environ.get("ADOPT_OBJECTS", "1000"))
MANIFESTS = int(os.environ.get("ADOPT_MANIFESTS", "100"))
COLLECTIONS = 10
SCHEMA = {"type": "object", "required": ["name"]}
COLLECTION = {"type": "collection", "name": "C", "collection_schema": SCHEMA}

# What is no artifact, and the word with which that is said.
REFUSED: Mapping[str, tuple[bytes, str]] = {
    "manifest.yaml": (manifest(name="root"), "NestedArtifact"),
    "broken/manifest.yaml": (b"type: [dataset\n", "InvalidManifest"),
    "group-0/nameless/manifest.yaml": (manifest(), "SchemaViolation"),
    "group-0/typeless/manifest.yaml": (b"name: N\n", "InvalidManifest"),
    "group-0/incomplete/manifest.yaml": (manifest(name="N", files=["gone.csv"]), "MissingFiles"),
    "group-0/weighty/manifest.yaml": (manifest(name="N"), "InvalidWeight"),
    "group-0/badpath/manifest.yaml": (manifest(name="N"), "InvalidPath"),
}
ORDINARY: Mapping[str, bytes] = {
    "plain/manifest.yaml": b"kind: of another program\n",
    "plain/file.txt": b"ordinary",
    "group-0/member-0/inner/manifest.yaml": manifest(name="a file of a dataset"),
    "group-0/waiting/file.txt": b"no manifest yet",
    "broken/inner/manifest.yaml": manifest(name="waits for the one above"),
    "group-0/badpath/_manifest.yaml/x": b"named like a manifest",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A bucket that was filled behind the gateway's back, and how much is to be adopted."""

    gateway: Gateway
    backend: S3Client
    objects: int
    adopted: int

    def state(self) -> dict[str, Document]:
        """Every object as the backend has it."""
        pages = self.backend.get_paginator("list_objects_v2").paginate(
            Bucket=bucket_of(self.gateway)
        )
        return {
            each["Key"]: (each["ETag"], each["LastModified"])
            for page in pages
            for each in page.get("Contents", [])
        }


@pytest.fixture(scope="module")
def filled(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A bucket of many objects, not versioned, and a gateway that has never seen it."""
    gateway = own_gateway(backend, tmp_path_factory.mktemp("adoption"), "adoption")
    client = backend.client()
    bucket = bucket_of(gateway)
    plain = dict(_objects())
    special = {key: data for key, (data, _) in REFUSED.items()} | dict(ORDINARY)
    folder = write_folder(tmp_path_factory.mktemp("filled"), plain | special)
    _upload(backend, folder, bucket)
    shutil.rmtree(folder)
    for name, weight in (("member-0/weighed.csv", "0.5"), ("weighty/data.csv", "heavy")):
        client.put_object(
            Bucket=bucket, Key=f"group-0/{name}", Body=b"w", Metadata={"download-weight": weight}
        )
    client.put_object(Bucket=bucket, Key="staged/_manifest.yaml", Body=manifest(name="S"))
    return Filled(gateway, client, len(plain) + len(special) + 3, MANIFESTS + 1)


def _upload(backend: Backend, folder: Path, bucket: str) -> None:
    """Everything in a folder goes straight to the backend."""
    program, key = str(PROGRAMS / "s5cmd"), backend.key
    subprocess.run(
        [program, "--log", "error", "cp", f"{folder}/", f"s3://{bucket}/"],
        env=clean_environment()
        | {
            "S3_ENDPOINT_URL": backend.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        },
        check=True,
    )


def _objects() -> Iterator[tuple[str, bytes]]:
    """Collections, their members, and files, shared out evenly."""
    members = MANIFESTS - COLLECTIONS
    for number in range(COLLECTIONS):
        yield f"group-{number}/manifest.yaml", manifest(**COLLECTION)
    for number in range(members):
        folder = f"group-{number % COLLECTIONS}/member-{number // COLLECTIONS}"
        yield f"{folder}/manifest.yaml", manifest(name=f"member {number}")
    for number in range(OBJECTS - MANIFESTS):
        owner, name = number % members, number // members
        folder = f"group-{owner % COLLECTIONS}/member-{owner // COLLECTIONS}"
        yield f"{folder}/data/{name}.csv", b"%d,%d" % (owner, name)


@pytest.mark.timeout(7200)
def test_a_bucket_full_of_manifests_is_adopted(filled: Filled) -> None:
    gateway, before = filled.gateway, filled.state()
    first = reindex(gateway, code=1)
    sys.stdout.write(first)

    assert f"{filled.objects} objects" in first
    for key, (_, word) in REFUSED.items():
        lines = [line for line in first.splitlines() if f" {key}: {word}" in line]
        assert len(lines) == 1, (key, first)
    assert "broken/manifest.yaml: 1 manifests below it wait" in first
    assert filled.state() == before
    assert filled.backend.get_bucket_versioning(Bucket=bucket_of(gateway))["Status"] == "Enabled"

    second = reindex(gateway, code=1)
    assert _figures(first)["adopted"] == filled.adopted
    assert [_figures(second)[name] for name in ("restored", "adopted", "reopened")] == [0] * 3
    gateway.start()
    try:
        _look(gateway)
    finally:
        gateway.stop()


def _figures(told: str) -> dict[str, int]:
    names, *rows = [line.split() for line in told.splitlines()[:3]]
    row = next(row for row in rows if row[0] == WORKSPACE)
    return dict(zip(names[1:], map(int, row[1:]), strict=True))


def _look(gateway: Gateway) -> None:
    assert (
        gateway.rpc("children", prefix="group-0")["total"]
        == (MANIFESTS - COLLECTIONS) // COLLECTIONS
    )
    (record,) = gateway.rpc("versions", prefix="group-0/member-0")
    assert (record["version"], record["author"], record["message"]) == (1, "reindex", "adopted")
    files = {each["name"]: each for each in gateway.rpc("list_files", prefix="group-0/member-0")}
    assert files["weighed.csv"]["download_weight"] == 0.5
    assert {"data", "inner", "weighed.csv"} == set(files)
    assert "staged" not in gateway.rpc("list")
    assert "staged" in gateway.rpc("list", stage=True)
    reader = gateway.s3("read")
    for key in ("plain/file.txt", "manifest.yaml", "broken/manifest.yaml"):
        assert content(reader, key) is not None
    for key in (
        "group-0/waiting/file.txt",
        "group-0/nameless/manifest.yaml",
        "staged/_manifest.yaml",
    ):
        assert content(reader, key) is None
    # What is pinned stays, whatever comes over it.
    writer = gateway.s3()
    writer.put_object(Bucket=WORKSPACE, Key="group-1/member-0/data/0.csv", Body=b"staged")
    assert content(reader, "group-1/member-0/data/0.csv") == b"1,0"
    assert gateway.rpc("commit", prefix="group-1/member-0")["version"] == 2
    assert content(reader, "group-1/member-0/data/0.csv") == b"staged"
