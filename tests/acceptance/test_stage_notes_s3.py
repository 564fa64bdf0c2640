"""SPEC 6, the notes on the S3 door's state table: manifests, conditions, pins, removals."""

from functools import partial

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.harness import Gateway
from tests.acceptance.sights import (
    BEFORE,
    ONE,
    STATES,
    THREE,
    TWO,
    UNCHANGED,
    State,
    bring,
    check,
    committed,
    editing,
    new,
    ordinary,
)
from tests.acceptance.views import (
    DATA,
    EXTRA,
    MANIFEST,
    STAGED,
    Artifact,
    backend_client,
    outcome,
    refusal,
)

NEXT = b"three!"
OK = (200, "")
GONE = (204, "")
ABSENT = (404, "NoSuchKey")


def test_delete_of_an_ordinary_object_is_ordinary(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "nothing")
    artifact.put(DATA, b"one")
    artifact.put(EXTRA, b"extra")

    assert outcome(lambda: artifact.delete(DATA)) == GONE

    check(artifact, ordinary({EXTRA: b"extra"}))


@pytest.mark.parametrize("by_stage", [False, True])
def test_manifest_adopts_the_files_that_were_there_before_it(
    gateway: Gateway, public_prefix: str, *, by_stage: bool
) -> None:
    artifact = bring(gateway, public_prefix, "nothing")
    artifact.put(DATA, b"one")
    artifact.put(EXTRA, b"extra")

    if by_stage:
        artifact.put(STAGED, ONE)
        check(artifact, new({STAGED: ONE, DATA: b"one", EXTRA: b"extra"}))
    else:
        artifact.put(MANIFEST, ONE)
        check(artifact, committed({MANIFEST: ONE, DATA: b"one", EXTRA: b"extra"}, 1))


@pytest.mark.parametrize("way", ["copy", "put", "rpc"])
def test_no_older_staged_manifest_comes_back(
    gateway: Gateway, public_prefix: str, way: str
) -> None:
    artifact = bring(gateway, public_prefix, "new")
    artifact.put(STAGED, TWO)
    artifact.put(STAGED, THREE)

    if way == "copy":
        artifact.rename()
    elif way == "put":
        artifact.put(MANIFEST, THREE)
    else:
        artifact.rpc("commit")

    assert artifact.held_versions(STAGED) == []
    assert artifact.held()[MANIFEST] == THREE
    assert outcome(lambda: artifact.delete(STAGED)) == GONE  # as `aws s3 mv` ends
    check(artifact, committed({MANIFEST: THREE, DATA: b"one"}, 1))


def test_deleted_staged_manifest_brings_no_older_one_back(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "editing")
    artifact.put(STAGED, THREE)

    artifact.delete(STAGED)

    check(artifact, editing({MANIFEST: ONE, DATA: b"two"}))


def test_edit_ends_when_its_only_difference_goes(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    artifact.put(STAGED, TWO)

    artifact.delete(STAGED)

    check(artifact, UNCHANGED["committed"])


def test_removals_and_additions_are_committed_together(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    artifact.delete(DATA)
    artifact.put(EXTRA, b"extra")
    artifact.put(STAGED, TWO)

    artifact.rename()

    check(artifact, committed({MANIFEST: TWO, EXTRA: b"extra"}, 2))
    assert artifact.files(version=1) == {DATA: 3}


def test_staged_removal_of_the_manifest_ends_with_the_next_commit(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    artifact.put(STAGED, TWO)
    artifact.delete(MANIFEST)  # the two requests that `sync --delete` plans

    artifact.rename()

    check(artifact, committed({MANIFEST: TWO, DATA: b"one"}, 2))


def test_repeat_of_a_commit_is_refused_after_an_edit(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    assert outcome(artifact.rename) == OK
    artifact.put(DATA, b"two")

    assert outcome(artifact.rename) == ABSENT

    check(artifact, UNCHANGED["edited"])


def test_rename_object_never_falls_through_to_a_put(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "editing")
    target = f"/{artifact.bucket}/{artifact.key(MANIFEST)}?renameObject"
    source = {"x-amz-rename-source": f"/{artifact.bucket}/{artifact.key(STAGED)}"}

    status = gateway.signed("PUT", target, headers=source).status

    assert status in (200, 501)  # 501 where the table of operations has no such row
    done = committed({MANIFEST: TWO, DATA: b"two"}, 2)
    check(artifact, done if status == 200 else UNCHANGED["editing"])


@pytest.mark.parametrize("state", STATES)
def test_copy_of_anything_else_onto_the_manifest_is_a_put_of_its_bytes(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    source = Artifact(gateway, public_prefix + "-source")
    source.put("draft.yaml", THREE)
    files = {path: body for path, body in BEFORE[state].items() if path not in (MANIFEST, STAGED)}

    assert outcome(lambda: artifact.copy(source.key("draft.yaml"), MANIFEST)) == OK

    version = 1 if state in ("nothing", "new") else 2
    check(artifact, committed({**files, MANIFEST: THREE}, version))
    assert source.seen_by("write") == {"draft.yaml": THREE}


@pytest.mark.parametrize("state", STATES)
def test_copy_of_anything_else_onto_the_staged_manifest_stages_its_bytes(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    source = Artifact(gateway, public_prefix + "-source")
    source.put("draft.yaml", THREE)
    files = {path: body for path, body in BEFORE[state].items() if path not in (MANIFEST, STAGED)}

    assert outcome(lambda: artifact.copy(source.key("draft.yaml"), STAGED)) == OK

    after = new if state in ("nothing", "new") else editing
    check(artifact, after({**files, STAGED: THREE}))


def test_copy_of_another_artifacts_stage_is_a_put_of_its_bytes(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    other = bring(gateway, public_prefix + "-other", "editing")

    assert outcome(lambda: artifact.copy(other.key(STAGED), MANIFEST)) == OK

    check(artifact, committed({MANIFEST: TWO, DATA: b"one"}, 2))
    check(other, UNCHANGED["editing"])


def test_copy_of_what_is_no_manifest_stores_nothing(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "editing")

    for path in (MANIFEST, STAGED):
        answer = outcome(partial(artifact.copy, artifact.key(DATA), path))
        assert answer == (400, "InvalidManifest")

    check(artifact, UNCHANGED["editing"])


BROKEN = {
    "not YAML": b"type: [dataset\n",
    "no mapping": b"- type\n- dataset\n",
    "no type": b"name: nameless\n",
    "type no string": b"type: 3\n",
    "duplicate key": b"type: dataset\nname: a\nname: b\n",
    "no UTF-8": b"type: data\xffset\n",
    "exploding": b"type: dataset\na: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9))
        for name in b"bcdefghi"
    ),
    "too large": b"type: dataset\n# " + b"x" * 1_048_576,
}


@pytest.mark.parametrize("state", ["nothing", "editing"])
@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_no_manifest_is_not_stored(
    gateway: Gateway, public_prefix: str, state: State, fault: str
) -> None:
    artifact = bring(gateway, public_prefix, state)
    answers = {(400, "InvalidManifest")}
    if fault == "too large":
        answers.add((400, "EntityTooLarge"))

    assert outcome(lambda: artifact.put(STAGED, BROKEN[fault])) in answers
    # Below no collection, a manifest.yaml without a type is an ordinary file: not tried here.
    if state != "nothing":
        assert outcome(lambda: artifact.put(MANIFEST, BROKEN[fault])) in answers

    check(artifact, UNCHANGED[state])


@pytest.mark.parametrize("state", ["nothing", "committed", "editing"])
@pytest.mark.parametrize("path", [MANIFEST, STAGED])
def test_manifest_is_neither_multipart_nor_encoded(
    gateway: Gateway, public_prefix: str, state: State, path: str
) -> None:
    artifact = bring(gateway, public_prefix, state)
    refused = (400, "InvalidManifest")

    assert outcome(lambda: artifact.multipart(path, THREE)) == refused
    assert outcome(lambda: artifact.put(path, THREE, ContentEncoding="gzip")) == refused
    secret = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    assert outcome(lambda: artifact.put(path, THREE, **secret)) == refused

    check(artifact, UNCHANGED[state])


SCHEMA = b"""type: collection
collection_schema:
  type: object
  required: [licence]
"""


@pytest.mark.parametrize("state", ["nothing", "new", "committed", "editing", "edited"])
@pytest.mark.parametrize("way", ["put", "copy"])
def test_commit_that_fails_stores_nothing(
    gateway: Gateway, public_prefix: str, state: State, way: str
) -> None:
    artifact = bring(gateway, f"{public_prefix}/member", state)
    above = Artifact(gateway, public_prefix)
    above.put(MANIFEST, SCHEMA)

    if way == "put":
        answer = outcome(lambda: artifact.put(MANIFEST, THREE))
    else:
        answer = outcome(artifact.rename)

    # Without a staged manifest a COPY has no source; the repeat of a commit commits nothing.
    without = {"nothing": ABSENT, "edited": ABSENT, "committed": OK}
    refused = (400, "SchemaViolation")
    assert answer == (without.get(state, refused) if way == "copy" else refused)
    check(artifact, UNCHANGED[state])


def test_commit_with_missing_files_stores_nothing(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "editing")
    listing = b"type: dataset\nfiles:\n- data.csv\n- {path: not/there.csv}\n- nor-there.csv\n"

    with pytest.raises(ClientError) as caught:
        artifact.put(MANIFEST, listing)

    error = caught.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (
        409,
        "MissingFiles",
    )
    told = str(error["Error"])
    assert "not/there.csv" in told
    assert "nor-there.csv" in told
    check(artifact, UNCHANGED["editing"])


@pytest.mark.parametrize("state", STATES)
def test_key_that_ends_in_a_slash_passes_on(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    backend = backend_client(gateway)

    assert outcome(lambda: artifact.put("folder/", b"")) == OK

    marker = {"Bucket": gateway.backend.bucket, "Key": artifact.key("folder/")}
    assert backend.head_object(**marker)["ContentLength"] == 0
    open_before = state in ("new", "editing", "edited")
    if state != "nothing":
        assert "folder/" not in artifact.files(stage=open_before)
        assert "folder" not in artifact.files(stage=open_before)
    assert artifact.is_open == open_before
    assert outcome(lambda: artifact.delete("folder/")) == GONE
    assert outcome(lambda: backend.head_object(**marker))[0] == 404


def test_conditions_hold_against_the_callers_own_view(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    address = {"Bucket": artifact.bucket, "Key": artifact.key(DATA)}
    old = gateway.s3().head_object(**address)["ETag"]
    new_one = artifact.put(DATA, b"two")["ETag"]
    artifact.put(STAGED, TWO)

    reading = gateway.s3("read")
    assert outcome(lambda: reading.get_object(**address, IfMatch=old)) == OK
    assert outcome(lambda: reading.get_object(**address, IfMatch=new_one))[0] == 412
    writing = gateway.s3()
    assert outcome(lambda: writing.get_object(**address, IfMatch=new_one)) == OK
    assert outcome(lambda: writing.get_object(**address, IfMatch=old))[0] == 412
    assert outcome(lambda: artifact.put(DATA, b"x", IfMatch=old))[0] == 412
    assert outcome(lambda: artifact.put(STAGED, THREE, IfNoneMatch="*"))[0] == 412
    # manifest.yaml is absent for this caller while the stage has a manifest.
    assert outcome(lambda: artifact.put(MANIFEST, THREE, IfNoneMatch="*")) == OK

    check(artifact, committed({MANIFEST: THREE, DATA: b"two"}, 2))


def test_conditions_know_that_the_manifest_is_staged_to_go(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    seen = gateway.s3().head_object(Bucket=artifact.bucket, Key=artifact.key(MANIFEST))["ETag"]
    artifact.delete(MANIFEST)

    assert outcome(lambda: artifact.put(MANIFEST, THREE, IfMatch=seen))[0] == 412
    assert outcome(lambda: artifact.put(MANIFEST, THREE, IfNoneMatch="*")) == OK

    check(artifact, committed({MANIFEST: THREE, DATA: b"one"}, 2))


def test_condition_on_the_manifest_that_fails_commits_nothing(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "edited")

    assert outcome(lambda: artifact.put(MANIFEST, THREE, IfNoneMatch="*"))[0] == 412
    assert outcome(lambda: artifact.put(MANIFEST, THREE, IfMatch='"other"'))[0] == 412

    check(artifact, UNCHANGED["edited"])


@pytest.mark.parametrize("state", ["committed", "editing", "edited"])
@pytest.mark.parametrize("path", [DATA, MANIFEST])
@pytest.mark.parametrize("key", ["write", "admin"])
def test_pinned_version_is_not_deleted(
    gateway: Gateway, public_prefix: str, state: State, path: str, key: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    pinned = artifact.held_versions(path)
    if state != "committed":
        artifact.put(DATA, b"two")
    if state == "editing":
        artifact.put(STAGED, TWO)
    address = {"Bucket": artifact.bucket, "Key": artifact.key(path)}
    client = gateway.s3(key)

    for version in pinned:
        alone = outcome(partial(client.delete_object, **address, VersionId=version))
        assert alone == (403, "AccessDenied")
        batch = client.delete_objects(
            Bucket=artifact.bucket,
            Delete={"Objects": [{"Key": address["Key"], "VersionId": version}]},
        )
        assert "Deleted" not in batch
        assert [each["Code"] for each in batch["Errors"]] == ["AccessDenied"]

    assert set(pinned) <= set(artifact.held_versions(path))
    check(artifact, UNCHANGED[state])


def test_superseded_pin_is_not_deleted_either(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    (pinned,) = artifact.held_versions(DATA)
    artifact.put(DATA, b"two")
    artifact.put(MANIFEST, TWO)
    address = {"Bucket": artifact.bucket, "Key": artifact.key(DATA)}

    answer = outcome(lambda: gateway.s3().delete_object(**address, VersionId=pinned))

    assert answer == (403, "AccessDenied")
    assert pinned in artifact.held_versions(DATA)
    check(artifact, committed({MANIFEST: TWO, DATA: b"two"}, 2))


def test_batch_with_a_pinned_version_deletes_the_rest(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    (pinned,) = artifact.held_versions(DATA)
    artifact.put(EXTRA, b"extra")

    answer = gateway.s3().delete_objects(
        Bucket=artifact.bucket,
        Delete={
            "Objects": [
                {"Key": artifact.key(DATA), "VersionId": pinned},
                {"Key": artifact.key(EXTRA)},
            ]
        },
    )

    assert [each["Key"] for each in answer["Deleted"]] == [artifact.key(EXTRA)]
    assert [each["Key"] for each in answer["Errors"]] == [artifact.key(DATA)]
    check(artifact, UNCHANGED["committed"])


def test_versioning_is_not_suspended_while_there_are_artifacts(
    gateway: Gateway, public_prefix: str
) -> None:
    artifact = bring(gateway, public_prefix, "committed")
    admin = gateway.s3("admin")
    suspended = {"Status": "Suspended"}
    expiry = {
        "Rules": [
            {
                "ID": "old",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            }
        ]
    }

    assert (
        outcome(
            lambda: admin.put_bucket_versioning(
                Bucket=artifact.bucket, VersioningConfiguration=suspended
            )
        )[0]
        == 409
    )
    assert (
        outcome(
            lambda: admin.put_bucket_lifecycle_configuration(
                Bucket=artifact.bucket, LifecycleConfiguration=expiry
            )
        )[0]
        == 409
    )

    backend = backend_client(gateway)
    status = backend.get_bucket_versioning(Bucket=gateway.backend.bucket)["Status"]
    assert status == "Enabled"
    check(artifact, UNCHANGED["committed"])


@pytest.mark.parametrize("state", STATES)
def test_readers_change_nothing(gateway: Gateway, public_prefix: str, state: State) -> None:
    artifact = bring(gateway, public_prefix, state)
    client = gateway.s3("read")
    denied = (403, "AccessDenied")

    for path in (STAGED, MANIFEST, DATA):
        address = {"Bucket": artifact.bucket, "Key": artifact.key(path)}
        assert outcome(partial(client.put_object, **address, Body=THREE)) == denied
        assert outcome(partial(client.delete_object, **address)) == denied
        assert outcome(partial(client.create_multipart_upload, **address)) == denied
    assert outcome(lambda: artifact.rename("read")) == denied
    unsigned = gateway.anonymous("PUT", f"/{artifact.bucket}/{artifact.key(DATA)}", data=b"x")
    assert unsigned.status_code == 403

    check(artifact, UNCHANGED[state])


@pytest.mark.parametrize("state", ["new", "editing"])
def test_failed_upload_leaves_the_stage_as_it_was(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)

    answer = outcome(lambda: artifact.put(DATA, NEXT, ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="))

    assert answer == (400, "BadDigest")
    check(artifact, UNCHANGED[state])


def test_failed_upload_opens_no_edit(gateway: Gateway, public_prefix: str) -> None:
    artifact = bring(gateway, public_prefix, "committed")

    answer = outcome(lambda: artifact.put(DATA, NEXT, ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="))

    assert answer == (400, "BadDigest")
    check(artifact, UNCHANGED["committed"])
    assert refusal(lambda: artifact.rpc("discard")) == (409, "NotStaged")
