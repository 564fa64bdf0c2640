"""The walk-through over RPC: a gallery, a dataset, its file, its schema, its statistics."""

from pathlib import Path

import pytest
import requests
import yaml

from tests.acceptance.harness import WORKSPACE, Gateway, RpcError
from tests.acceptance.steps import (
    content,
    downloads_of,
    keys_below,
    make_gallery,
    manifest,
    publish,
    put,
    refused,
    stage,
    version_of,
)

GALLERY = {
    "id": "dataset-gallery",
    "name": "Dataset Gallery",
    "description": "Datasets, side by side",
    "type": "collection",
    "collection": [],
}
DATASET = {
    "id": "example-dataset",
    "name": "Example Dataset",
    "description": "A dataset with example data",
    "type": "dataset",
    "files": [],
}
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "description": {"type": "string"},
        "type": {"type": "string", "enum": ["dataset", "model", "application"]},
        "files": {
            "type": "array",
            "items": {"type": "object", "properties": {"path": {"type": "string"}}},
        },
    },
    "required": ["id", "name", "description", "type"],
}
DATA = b"x,y\n1,2\n" * 500


def test_the_walk_through_over_rpc(gateway: Gateway, public_prefix: str, tmp_path: Path) -> None:
    gallery = f"{public_prefix}/collections/dataset-gallery"
    example = f"{gallery}/example-dataset"
    (tmp_path / "data.csv").write_bytes(DATA)

    gateway.rpc("create", prefix=gallery, manifest=GALLERY)
    gateway.rpc("create", prefix=example, manifest=DATASET, stage=True)
    assert gateway.rpc("list", prefix=gallery) == []
    assert gateway.rpc("list", prefix=gallery, stage=True) == ["example-dataset"]

    options = {"download_weight": 0.5}
    url = gateway.rpc("put_file", prefix=example, file_path="data.csv", options=options)
    with (tmp_path / "data.csv").open("rb") as file:
        response = requests.put(url, data=file, timeout=30)
    assert response.ok, response.text
    assert requests.get(
        f"{gateway.url}/{WORKSPACE}/{example}/data.csv", timeout=30
    ).status_code in {
        403,
        404,
    }

    committed = gateway.rpc("commit", prefix=example)
    assert committed["version"] == 1
    assert [each["path"] for each in gateway.rpc("list_files", prefix=example)] == ["data.csv"]
    assert gateway.rpc("list", prefix=gallery, key="read") == ["example-dataset"]

    url = gateway.rpc("get_file", key="read", prefix=example, path="data.csv")
    assert downloads_of(gateway, example) == 0
    fetched = requests.get(url, timeout=30)
    assert (fetched.status_code, fetched.content) == (200, DATA)
    assert downloads_of(gateway, example) == 0.5

    page = gateway.anonymous("GET", f"/{WORKSPACE}/artifact/{example}").json()
    assert page["name"] == "Example Dataset"
    assert page["_stats"]["download_count"] == 0.5

    gateway.rpc("reset_stats", key="admin", prefix=example)
    assert downloads_of(gateway, example) == 0


def test_the_bucket_stays_plain_after_the_walk_through(gateway: Gateway, prefix: str) -> None:
    gateway.rpc("create", prefix=prefix, manifest=DATASET, stage=True)
    url = gateway.rpc("put_file", prefix=prefix, file_path="data.csv")
    assert requests.put(url, data=DATA, timeout=30).ok
    gateway.rpc("commit", prefix=prefix)

    backend = gateway.backend.client()
    stored = backend.get_object(Bucket=gateway.backend.bucket, Key=f"{prefix}/manifest.yaml")
    assert yaml.safe_load(stored["Body"].read()) == DATASET
    stored = backend.get_object(Bucket=gateway.backend.bucket, Key=f"{prefix}/data.csv")
    assert stored["Body"].read() == DATA
    listed = backend.list_objects_v2(Bucket=gateway.backend.bucket, Prefix=f"{prefix}/")
    assert sorted(each["Key"] for each in listed["Contents"]) == [
        f"{prefix}/data.csv",
        f"{prefix}/manifest.yaml",
    ]


def test_a_schema_refuses_and_accepts(gateway: Gateway, prefix: str) -> None:
    gallery, member = f"{prefix}/schema-gallery", f"{prefix}/schema-gallery/valid"
    make_gallery(gateway, gallery, collection_schema=SCHEMA)
    gateway.rpc("create", prefix=member, manifest={"type": "table", "id": 7}, stage=True)
    with refused("SchemaViolation", 400) as refusal:
        gateway.rpc("commit", prefix=member)
    told = f"{refusal.message} {refusal.details}"
    for expected in ("/type", "/id", "name", "description", "table"):
        assert expected in told, f"{expected} is not named: {told}"
    assert gateway.rpc("list", prefix=gallery) == []
    assert gateway.rpc("read", prefix=member, stage=True)["type"] == "table"

    valid = {name: DATASET[name] for name in ("id", "name", "description", "type")}
    gateway.rpc("edit", prefix=member, manifest=valid)
    assert gateway.rpc("commit", prefix=member)["version"] == 1
    assert gateway.rpc("list", prefix=gallery) == ["valid"]


def test_a_schema_sees_the_file_list(gateway: Gateway, prefix: str) -> None:
    schema = {"properties": {"files": {"type": "array", "minItems": 2}}, "required": ["files"]}
    make_gallery(gateway, prefix, collection_schema=schema)
    member = f"{prefix}/member"
    client = stage(gateway, member, {"a.csv": b"a"})
    with refused("SchemaViolation", 400):
        gateway.rpc("commit", prefix=member)
    put(client, member, {"b.csv": b"b"})
    assert gateway.rpc("commit", prefix=member)["version"] == 1


def test_a_broken_schema_is_refused_when_its_collection_is_committed(
    gateway: Gateway, prefix: str
) -> None:
    with pytest.raises(RpcError) as caught:
        make_gallery(gateway, prefix, collection_schema={"type": "no such type"})
    assert caught.value.status == 400
    assert version_of(gateway, prefix) == 0


def test_discard_brings_the_commit_back(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a1", "b.csv": b"b1"}, name="one")
    client = stage(gateway, prefix, {"a.csv": b"a2", "c.csv": b"c2"}, name="two")
    gateway.rpc("remove_file", prefix=prefix, file_path="b.csv")
    assert keys_below(client, prefix).keys() == {"a.csv", "c.csv", "_manifest.yaml"}
    gateway.rpc("discard", prefix=prefix)
    assert keys_below(client, prefix).keys() == {"a.csv", "b.csv", "manifest.yaml"}
    assert content(client, f"{prefix}/a.csv") == b"a1"
    assert content(client, f"{prefix}/b.csv") == b"b1"
    assert content(client, f"{prefix}/manifest.yaml") == manifest(name="one")
    with refused("NotStaged", 409):
        gateway.rpc("commit", prefix=prefix)


def test_versions_go_on_after_a_delete(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"})
    gateway.rpc("delete", prefix=prefix)
    with refused("NoSuchArtifact", 404):
        gateway.rpc("read", prefix=prefix)
    assert keys_below(gateway.s3(), prefix) == {}
    assert publish(gateway, prefix, {"a.csv": b"a"}) > 1
    assert downloads_of(gateway, prefix) == 0


def test_an_edit_without_changes_keeps_weights_and_makes_no_version(
    gateway: Gateway, prefix: str
) -> None:
    gateway.rpc("create", prefix=prefix, manifest=DATASET, stage=True)
    options = {"download_weight": 2.5}
    url = gateway.rpc("put_file", prefix=prefix, file_path="a.csv", options=options)
    assert requests.put(url, data=b"a", timeout=30).ok
    gateway.rpc("commit", prefix=prefix)
    gateway.rpc("edit", prefix=prefix)
    assert gateway.rpc("commit", prefix=prefix)["version"] == 1
    (file,) = gateway.rpc("list_files", prefix=prefix)
    assert (file["path"], file["size"], file["download_weight"]) == ("a.csv", 1, 2.5)


def test_index_writes_the_members_into_the_bucket(gateway: Gateway, prefix: str) -> None:
    make_gallery(gateway, prefix, note="kept")
    publish(gateway, f"{prefix}/b", {}, name="B")
    publish(gateway, f"{prefix}/a", {}, name="A")
    assert [each["name"] for each in gateway.rpc("read", prefix=prefix)["collection"]] == ["A", "B"]
    gateway.rpc("index", prefix=prefix)
    stored = gateway.backend.client().get_object(
        Bucket=gateway.backend.bucket, Key=f"{prefix}/manifest.yaml"
    )
    document = yaml.safe_load(stored["Body"].read())
    assert (document["note"], document["type"]) == ("kept", "collection")
    assert [each["name"] for each in document["collection"]] == ["A", "B"]
    assert version_of(gateway, prefix) == 2


def test_silent_reads_count_nothing(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"}, files=[{"path": "a.csv", "download_weight": 3}])
    url = gateway.rpc("get_file", prefix=prefix, path="a.csv", options={"silent": True})
    assert requests.get(url, timeout=30).content == b"a"
    assert downloads_of(gateway, prefix) == 0
    assert requests.get(url.replace("silent", "Silent"), timeout=30).status_code == 403
    gateway.rpc("read", prefix=prefix, silent=True)
    assert gateway.rpc("read", prefix=prefix, silent=True)["_stats"]["view_count"] == 0
    gateway.rpc("read", prefix=prefix)
    assert gateway.rpc("read", prefix=prefix, silent=True)["_stats"]["view_count"] == 1
