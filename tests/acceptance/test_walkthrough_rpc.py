"""The walk-through over RPC: a gallery, a dataset, its file, its schema, its statistics."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml

from tests.acceptance.harness import WORKSPACE, Document, Gateway, RpcError
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


def test_create_refuses_what_exists_unless_it_overwrites(gateway: Gateway, prefix: str) -> None:
    for stage_only in (True, False):
        artifact = f"{prefix}-{stage_only}"
        gateway.rpc("create", prefix=artifact, manifest=DATASET, stage=stage_only)
        with refused("ArtifactExists", 409):
            gateway.rpc("create", prefix=artifact, manifest=DATASET)
        put(gateway.s3(), artifact, {"old.csv": b"old"})
        again = {**DATASET, "name": "Again"}
        gateway.rpc("create", prefix=artifact, manifest=again, stage=True, overwrite=True)
        assert keys_below(gateway.s3(), artifact).keys() == {"_manifest.yaml"}
        assert gateway.rpc("commit", prefix=artifact)["version"] == (1 if stage_only else 2)
        assert gateway.rpc("read", prefix=artifact)["name"] == "Again"


def test_commit_needs_a_stage(gateway: Gateway, prefix: str) -> None:
    with refused("NoSuchArtifact", 404):
        gateway.rpc("commit", prefix=prefix)
    publish(gateway, prefix, {"a.csv": b"a"})
    with refused("NotStaged", 409):
        gateway.rpc("commit", prefix=prefix)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("put_file", {"file_path": "a.csv"}),
        ("remove_file", {"file_path": "a.csv"}),
        ("discard", {}),
    ],
)
def test_changes_of_files_need_an_edit(
    gateway: Gateway, prefix: str, method: str, arguments: dict[str, Document]
) -> None:
    with refused("NoSuchArtifact", 404):
        gateway.rpc(method, prefix=prefix, **arguments)
    publish(gateway, prefix, {"a.csv": b"a"})
    with refused("NotStaged", 409):
        gateway.rpc(method, prefix=prefix, **arguments)
    gateway.rpc("edit", prefix=prefix)
    gateway.rpc(method, prefix=prefix, **arguments)


def test_commit_names_every_missing_file(gateway: Gateway, prefix: str) -> None:
    listed = [{"path": "listed.csv"}, "plain.csv", "there.csv"]
    gateway.rpc("create", prefix=prefix, manifest={**DATASET, "files": listed}, stage=True)
    gateway.rpc("put_file", prefix=prefix, file_path="announced.csv")
    put(gateway.s3(), prefix, {"there.csv": b"here"})
    with refused("MissingFiles", 409) as refusal:
        gateway.rpc("commit", prefix=prefix)
    told = f"{refusal.message} {refusal.details}"
    assert all(name in told for name in ("listed.csv", "plain.csv", "announced.csv")), told
    assert "there.csv" not in told

    put(gateway.s3(), prefix, {"listed.csv": b"1", "plain.csv": b"2"})
    gateway.rpc("remove_file", prefix=prefix, file_path="announced.csv")
    assert gateway.rpc("commit", prefix=prefix)["version"] == 1


@pytest.mark.parametrize(
    "broken",
    [
        b"type: dataset\n  name: [unclosed",
        b"- a\n- list",
        b"name: no type",
        b"type: 7",
        b"type: dataset\nname: a\nname: b",
        b"a: &a [x]\nb: &b [*a,*a]\ntype: dataset\ntype2: \xff",
        b"",
    ],
)
def test_a_broken_manifest_is_refused_and_nothing_is_stored(
    gateway: Gateway, prefix: str, broken: bytes
) -> None:
    make_gallery(gateway, prefix)
    for name in ("_manifest.yaml", "manifest.yaml"):
        with refused("InvalidManifest", 400):
            put(gateway.s3(), f"{prefix}/member", {name: broken})
    backend = gateway.backend.client()
    listed = backend.list_objects_v2(Bucket=gateway.backend.bucket, Prefix=f"{prefix}/member/")
    assert listed["KeyCount"] == 0


def test_a_broken_manifest_is_named_by_line_and_column(gateway: Gateway, prefix: str) -> None:
    with refused("InvalidManifest", 400) as refusal:
        put(gateway.s3(), prefix, {"_manifest.yaml": b"type: dataset\nname: 'x\n"})
    assert "line" in f"{refusal.message} {refusal.details}".lower()
    assert "column" in f"{refusal.message} {refusal.details}".lower()
    with refused("InvalidManifest", 400):
        gateway.rpc("create", prefix=prefix, manifest={"name": "no type"})


@pytest.mark.parametrize(
    "path",
    ["../a", "a/../b", "./a", "a//b", "/a", "a/", "", "a\\b", "a\nb", "manifest.yaml",
     "_manifest.yaml", "member/x.csv"],
)  # fmt: skip
def test_paths_stay_inside_their_artifact(gateway: Gateway, prefix: str, path: str) -> None:
    make_gallery(gateway, prefix)
    publish(gateway, f"{prefix}/member", {"x.csv": b"x"})
    gateway.rpc("edit", prefix=prefix)
    with refused("InvalidPath", 400):
        gateway.rpc("put_file", prefix=prefix, file_path=path)
    with refused("InvalidPath", 400):
        gateway.rpc("remove_file", prefix=prefix, file_path=path)


@pytest.mark.parametrize("weight", [-1, -0.5, 0.0000001, 1_000_001, "heavy"])
def test_weights_have_bounds(gateway: Gateway, prefix: str, weight: Document) -> None:
    gateway.rpc("create", prefix=prefix, manifest=DATASET, stage=True)
    with refused("InvalidWeight", 400):
        gateway.rpc("put_file", prefix=prefix, file_path="a", options={"download_weight": weight})


@pytest.mark.parametrize("end", ["commit", "discard"])
def test_an_upload_url_ends_with_its_stage(gateway: Gateway, prefix: str, end: str) -> None:
    publish(gateway, prefix, {"a.csv": b"old"})
    gateway.rpc("edit", prefix=prefix)
    url = gateway.rpc("put_file", prefix=prefix, file_path="a.csv")
    assert requests.put(url, data=b"new", timeout=30).ok
    gateway.rpc(end, prefix=prefix)
    late = requests.put(url, data=b"late", timeout=30)
    assert (late.status_code, "NotStaged" in late.text) == (409, True)
    gateway.rpc("edit", prefix=prefix)
    late = requests.put(url, data=b"late", timeout=30)
    assert (late.status_code, "NotStaged" in late.text) == (409, True)
    assert content(gateway.s3(), f"{prefix}/a.csv") == (b"new" if end == "commit" else b"old")


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


def test_a_collection_with_members_goes_only_when_told_twice(gateway: Gateway, prefix: str) -> None:
    make_gallery(gateway, prefix)
    publish(gateway, f"{prefix}/member", {"a.csv": b"a"})
    with refused("CollectionNotEmpty", 409):
        gateway.rpc("delete", prefix=prefix)
    assert version_of(gateway, f"{prefix}/member") == 1
    gateway.rpc("delete", prefix=prefix, recursive=True)
    assert version_of(gateway, prefix) == 0
    assert keys_below(gateway.s3(), prefix) == {}


def test_artifacts_nest_below_collections_alone(gateway: Gateway, prefix: str) -> None:
    make_gallery(gateway, prefix)
    publish(gateway, f"{prefix}/member", {"a.csv": b"a"})
    gateway.rpc("edit", prefix=prefix)
    with refused("NestedArtifact", 409):
        gateway.rpc("edit", prefix=prefix, manifest=DATASET)
    publish(gateway, f"{prefix}-flat/deep/member", {"a.csv": b"a"})
    with refused("NestedArtifact", 409):
        gateway.rpc("create", prefix=f"{prefix}-flat", manifest=DATASET)
    with refused("NestedArtifact", 409):
        gateway.rpc("create", prefix="public", manifest=DATASET)


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


def test_a_stage_is_read_with_write_alone(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"}, name="one")
    stage(gateway, prefix, {"a.csv": b"b"}, name="two")
    assert gateway.rpc("read", key="read", prefix=prefix)["name"] == "one"
    staged = gateway.rpc("read", prefix=prefix, stage=True)
    assert staged["name"] == "two"
    assert "a.csv" in str(staged["_stage"])
    calls: list[Callable[[], Document]] = [
        lambda: gateway.rpc("read", key="read", prefix=prefix, stage=True),
        lambda: gateway.rpc("list_files", key="read", prefix=prefix, stage=True),
        lambda: gateway.rpc("list", key="read", prefix=prefix, stage=True),
        lambda: gateway.rpc(
            "get_file", key="read", prefix=prefix, path="a.csv", options={"stage": True}
        ),
        lambda: gateway.rpc("commit", key="read", prefix=prefix),
        lambda: gateway.rpc("put_file", key="read", prefix=prefix, file_path="b"),
        lambda: gateway.rpc("reset_stats", key="write", prefix=prefix),
        lambda: gateway.rpc("read", key="other", prefix=prefix),
    ]
    for call in calls:
        with refused("AccessDenied", 403):
            call()


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


def test_a_token_does_what_its_grants_say(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, {"a.csv": b"a"}, name="one")
    token = gateway.rpc("generate_token", key="admin", grants={WORKSPACE: "read"}, expires_in=60)
    token = token["token"] if isinstance(token, dict) else token
    assert gateway.rpc("read", token=token, prefix=prefix)["name"] == "one"
    with refused("AccessDenied", 403):
        gateway.rpc("edit", token=token, prefix=prefix)
    bearer = {"Authorization": f"Bearer {token}"}
    target = f"/{WORKSPACE}/artifact/{prefix}"
    assert gateway.anonymous("GET", target, headers=bearer).json()["name"] == "one"
    assert gateway.anonymous("GET", target).status_code in {401, 403, 404}
    with refused("AccessDenied", 403):
        gateway.rpc("generate_token", key="write", grants={WORKSPACE: "read"})


def test_methods_and_arguments_that_do_not_exist_are_told(gateway: Gateway, prefix: str) -> None:
    with refused("NoSuchMethod", 404):
        gateway.rpc("destroy", prefix=prefix)
    with pytest.raises(RpcError) as caught:
        gateway.rpc("read", prefix=prefix, no_such_argument=1)
    assert caught.value.status == 400
    with pytest.raises(RpcError) as caught:
        gateway.rpc("read")
    assert caught.value.status == 400
