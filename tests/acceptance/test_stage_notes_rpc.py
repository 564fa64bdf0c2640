"""SPEC 6, what RPC's state table does not say by itself: files, URLs, refusals, readers."""

import json
from collections.abc import Mapping
from functools import partial

import pytest

from tests.acceptance.harness import Document, Gateway, RpcError
from tests.acceptance.sights import (
    COMMITTED,
    NOTHING,
    STATES,
    THREE,
    TWO,
    UNCHANGED,
    State,
    bring,
    check,
    committed,
    new,
)
from tests.acceptance.test_state_table_rpc import FIELDS, WRITTEN, written
from tests.acceptance.views import DATA, EXTRA, MANIFEST, STAGED, Artifact, outcome, refusal

DONE = (200, "")


def test_commit_tells_version_manifest_and_files(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "editing")

    told = artifact.rpc("commit", message="second")

    assert told["version"] == 2
    assert told["manifest"]["name"] == "Two"
    assert [(each["path"], each["size"]) for each in told["files"]] == [(DATA, 3)]


def test_create_tells_the_manifest(gateway: Gateway, public_prefix: str) -> None:
    artifact = Artifact(gateway, public_prefix)

    told = artifact.rpc("create", manifest=FIELDS, stage=True)

    assert {name: told[name] for name in ("type", "name")} == {
        "type": "dataset",
        "name": "By RPC",
    }
    assert told["_prefix"] == public_prefix


@pytest.mark.parametrize("state", ["committed", "editing", "edited"])
def test_overwritten_artifact_keeps_its_readers_until_the_commit(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    artifact.rpc("create", manifest=FIELDS, stage=True, overwrite=True)
    artifact.upload(EXTRA, b"extra")
    assert artifact.seen_by("read") == COMMITTED

    artifact.rpc("commit")

    check(artifact, written(artifact, committed({MANIFEST: WRITTEN, EXTRA: b"extra"}, 2)))
    assert artifact.files(version=1) == {DATA: 3}


@pytest.mark.parametrize("state", ["committed", "editing", "edited"])
def test_new_artifact_at_a_deleted_ones_prefix_goes_on_numbering(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    artifact.rpc("delete")

    artifact.rpc("create", manifest=FIELDS)

    check(artifact, written(artifact, committed({MANIFEST: WRITTEN}, 3)))
    assert artifact.read()["_stats"]["download_count"] == 0


@pytest.mark.parametrize("state", ["committed", "editing"])
def test_discard_of_the_artifact_after_a_deleted_one_leaves_nothing(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    artifact.rpc("delete")
    bring(gateway, public_prefix, "new")

    artifact.rpc("discard")

    check(artifact, NOTHING)
    assert artifact.held() == {}


def test_empty_edit_makes_no_version(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    artifact.rpc("edit")

    assert artifact.rpc("commit")["version"] == 1

    check(artifact, UNCHANGED["committed"])


def test_discard_brings_back_what_was_changed_removed_and_added(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "new")
    artifact.put(EXTRA, b"extra")
    artifact.rename()
    for body in (b"changed", b"changed again"):
        artifact.put(DATA, body)
        artifact.put(STAGED, TWO)
    artifact.delete(EXTRA)
    artifact.put("added.csv", b"added")
    artifact.put(STAGED, THREE)

    artifact.rpc("discard")

    check(artifact, committed({**COMMITTED, EXTRA: b"extra"}, 1))
    assert artifact.held_versions("added.csv") == []


@pytest.mark.parametrize("removed", [MANIFEST, DATA])
def test_discard_of_a_staged_removal(gateway: Gateway, public_prefix: str, removed: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    artifact.delete(removed)

    artifact.rpc("discard")

    check(artifact, UNCHANGED["committed"])


@pytest.mark.parametrize("ending", ["commit", "discard"])
def test_upload_url_ends_with_its_stage(gateway: Gateway, public_prefix: str, ending: str) -> None:
    artifact = bring(gateway, public_prefix, "editing")
    url = artifact.rpc("put_file", file_path=DATA).removeprefix(gateway.url)
    assert gateway.anonymous("PUT", url, data=b"in time").status_code == 200
    artifact.rpc(ending)

    late = gateway.anonymous("PUT", url, data=b"too late")

    assert late.status_code == 409
    assert "NotStaged" in late.text
    last = {MANIFEST: TWO, DATA: b"in time"} if ending == "commit" else COMMITTED
    check(artifact, committed(last, 2 if ending == "commit" else 1))

    artifact.rpc("edit")
    again = gateway.anonymous("PUT", url, data=b"too late")

    assert again.status_code == 409
    assert "NotStaged" in again.text
    assert artifact.seen_by("write")[DATA] == last[DATA]


def test_commit_names_announced_files_that_did_not_come(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "editing")
    artifact.rpc("put_file", file_path="late/a.csv")
    artifact.rpc("put_file", file_path="late/b.csv")

    with pytest.raises(RpcError) as caught:
        artifact.rpc("commit")

    assert (caught.value.status, caught.value.code) == (409, "MissingFiles")
    for path in ("late/a.csv", "late/b.csv"):
        assert path in f"{caught.value.message} {caught.value.details}"
    check(artifact, UNCHANGED["editing"])

    artifact.put("late/a.csv", b"a")
    artifact.rpc("remove_file", file_path="late/b.csv")
    artifact.rpc("remove_file", file_path="asked.txt")  # `check` announced it
    artifact.rpc("commit")

    check(artifact, committed({MANIFEST: TWO, DATA: b"two", "late/a.csv": b"a"}, 2))


@pytest.mark.parametrize("way", ["create", "edit", "commit"])
def test_manifest_that_fails_its_schema_changes_nothing(
    gateway: Gateway, public_prefix: str, way: str
) -> None:
    above = Artifact(gateway, public_prefix)
    above.put(MANIFEST, b"type: collection\ncollection_schema: {required: [licence]}\n")
    member = bring(gateway, f"{public_prefix}/member", "nothing" if way == "create" else "new")

    if way == "create":
        told = refusal(lambda: member.rpc("create", manifest=FIELDS))
        assert told == (400, "SchemaViolation")
        check(member, NOTHING)
        return
    if way == "edit":  # more than `type` is the commit's business
        assert refusal(lambda: member.rpc("edit", manifest={"type": "dataset"})) == DONE
    before = member.seen_by("write")
    told = refusal(lambda: member.rpc("commit"))

    assert told == (400, "SchemaViolation")
    check(member, new(before))


@pytest.mark.parametrize("manifest", [{"name": "no type"}, {"type": 3}, [], "type: dataset", None])
def test_create_takes_a_mapping_with_a_type(
    gateway: Gateway, public_prefix: str, manifest: Document
) -> None:
    artifact = Artifact(gateway, public_prefix)

    status, code = refusal(lambda: artifact.rpc("create", manifest=manifest))

    assert status == 400
    if isinstance(manifest, dict):
        assert code == "InvalidManifest"
    check(artifact, NOTHING)


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a//b", "a/./b", "", "a\\b", MANIFEST, STAGED, "a\nb"]
)
def test_file_paths_stay_in_the_artifact(gateway: Gateway, public_prefix: str, path: str) -> None:
    artifact = bring(gateway, public_prefix, "new")

    for name in ("put_file", "remove_file"):
        told = refusal(partial(artifact.rpc, name, file_path=path))
        assert told == (400, "InvalidPath")

    check(artifact, UNCHANGED["new"])


WRITING: Mapping[str, Mapping[str, Document]] = {
    "create": {"manifest": FIELDS, "overwrite": True},
    "edit": {},
    "commit": {},
    "put_file": {"file_path": DATA},
    "complete_file": {
        "file_path": DATA,
        "upload_id": "x",
        "parts": [{"part_number": 1, "etag": "x"}],
    },
    "remove_file": {"file_path": DATA},
    "set_download_weight": {"path": DATA, "weight": 1},
    "discard": {},
    "index": {},
    "delete": {},
}


@pytest.mark.parametrize("state", STATES)
def test_readers_change_nothing_by_rpc(gateway: Gateway, public_prefix: str, state: State) -> None:
    artifact = bring(gateway, public_prefix, state)

    for name, arguments in WRITING.items():
        told = refusal(partial(artifact.rpc, name, key="read", **arguments))
        assert told == (403, "AccessDenied"), name
        unsigned = gateway.anonymous(
            "POST",
            f"/_rpc/{artifact.bucket}/{name}",
            headers={"Content-Type": "application/json"},
            data=json.dumps({"prefix": public_prefix, **arguments}).encode(),
        )
        assert unsigned.status_code == 403, name

    check(artifact, UNCHANGED[state])


def test_s3_and_rpc_work_on_one_stage(gateway: Gateway, public_prefix: str) -> None:
    artifact = Artifact(gateway, public_prefix)
    artifact.rpc("create", manifest=FIELDS, stage=True)
    artifact.put(DATA, b"by S3")
    artifact.upload(EXTRA, b"by RPC")

    assert outcome(artifact.rename) == (200, "")

    expected = committed({MANIFEST: WRITTEN, DATA: b"by S3", EXTRA: b"by RPC"}, 1)
    check(artifact, written(artifact, expected))
