"""What RPC refuses: what is there or missing, broken, out of bounds, or not for this caller."""

from collections.abc import Callable

import pytest
import requests

from tests.acceptance.harness import WORKSPACE, Document, Gateway, RpcError
from tests.acceptance.steps import (
    content,
    keys_below,
    make_gallery,
    publish,
    put,
    refused,
    stage,
    version_of,
)

DATASET = {"id": "example", "name": "Example", "type": "dataset", "files": []}


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
        ("put_file", {"file_path": "a.csv", "options": {"parts": 2}}),
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
