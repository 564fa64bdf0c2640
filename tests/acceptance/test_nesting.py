"""SPEC 2, 6 and 7: what nests below what, whose a key is, and what a collection says."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.acceptance.harness import OTHER_WORKSPACE, Document, Gateway, RpcError
from tests.acceptance.sights import (
    COMMITTED,
    ONE,
    THREE,
    TWO,
    Sight,
    State,
    bring,
    check,
)
from tests.acceptance.views import DATA, MANIFEST, STAGED, Artifact, outcome, refusal

GALLERY = b"type: collection\nname: Gallery\n"
NESTED = (409, "NestedArtifact")
OK = (200, "")
ALIVE = ("new", "committed", "editing", "edited")


def collection(gateway: Gateway, prefix: str, manifest: bytes = GALLERY) -> Artifact:
    """A committed collection at `prefix`."""
    above = Artifact(gateway, prefix)
    above.put(MANIFEST, manifest)
    return above


# --- files that come before their member's manifest ------------------------------------


@pytest.mark.parametrize("path", ["data.csv", "deep/er/data.csv"])
def test_files_before_their_manifest_are_hidden_from_readers(
    gateway: Gateway, public_prefix: str, path: str
) -> None:
    above = collection(gateway, public_prefix)
    member = Artifact(gateway, f"{public_prefix}/member")

    assert outcome(lambda: member.put(path, b"early")) == OK

    check(member, Sight({path: b"early"}, {}, None, edit=False))
    everything = {MANIFEST: GALLERY, f"member/{path}": b"early"}
    assert above.seen_by("write") == everything
    assert above.seen_by("read") == {MANIFEST: GALLERY}
    assert above.seen_unsigned() == {MANIFEST: GALLERY}
    assert above.version == 1
    assert above.files() == {}
    assert not above.is_open

    member.put(MANIFEST, ONE)

    files = {MANIFEST: ONE, path: b"early"}
    check(member, Sight(files, files, 1, edit=False))
    assert above.version == 1


def test_folders_of_files_before_their_manifest_are_hidden_too(
    gateway: Gateway, public_prefix: str
) -> None:
    collection(gateway, public_prefix)
    Artifact(gateway, f"{public_prefix}/member").put(DATA, b"early")

    def folders(key: str) -> list[str]:
        answer = gateway.s3(key).list_objects_v2(
            Bucket=gateway.workspace, Prefix=f"{public_prefix}/", Delimiter="/"
        )
        return [each["Prefix"] for each in answer.get("CommonPrefixes", [])]

    assert folders("write") == [f"{public_prefix}/member/"]
    assert folders("read") == []
    assert folders("anonymous") == []


def test_files_whose_member_dissolves_are_hidden_again(
    gateway: Gateway, public_prefix: str
) -> None:
    collection(gateway, public_prefix)
    member = bring(gateway, f"{public_prefix}/member", "new")

    member.delete(STAGED)

    check(member, Sight({DATA: b"one"}, {}, None, edit=False))


@pytest.mark.parametrize("end", ["deleted", "dissolved", "dataset"])
def test_files_wait_no_longer_when_their_collection_is_none_any_more(
    gateway: Gateway, public_prefix: str, end: str
) -> None:
    above, early = Artifact(gateway, public_prefix), {"member/data.csv": b"early"}
    above.put(MANIFEST if end != "dissolved" else STAGED, GALLERY)
    above.put("member/data.csv", b"early")
    assert "member/data.csv" not in above.seen_by("read")

    if end == "deleted":
        above.rpc("delete")
    elif end == "dissolved":
        above.delete(STAGED)
    else:
        above.put(MANIFEST, ONE)

    left = {**early, MANIFEST: ONE} if end == "dataset" else early
    assert above.seen_by("read") == left
    assert above.seen_by("write") == left


def test_ordinary_objects_below_a_new_collection_wait_for_their_manifest(
    gateway: Gateway, public_prefix: str
) -> None:
    member = Artifact(gateway, f"{public_prefix}/member")
    member.put(DATA, b"early")
    assert member.seen_by("read") == {DATA: b"early"}

    collection(gateway, public_prefix)

    check(member, Sight({DATA: b"early"}, {}, None, edit=False))


def test_key_directly_below_a_collection_is_the_collections(
    gateway: Gateway, public_prefix: str
) -> None:
    above = collection(gateway, public_prefix)

    above.put("cover.png", b"cover")

    staged = {MANIFEST: GALLERY, "cover.png": b"cover"}
    check(above, Sight(staged, {MANIFEST: GALLERY}, 1, edit=True))
    above.rpc("remove_file", file_path="asked.txt")  # `check` announced it
    above.rpc("commit")
    check(above, Sight(staged, staged, 2, edit=False))


@pytest.mark.parametrize("state", ALIVE)
def test_members_change_nothing_of_their_collection(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    above = collection(gateway, public_prefix)
    member = bring(gateway, f"{public_prefix}/member", state)

    assert above.version == 1
    assert above.files() == {}
    assert above.read()["_child_count"] == (0 if state == "new" else 1)
    assert not above.is_open
    above.rpc("edit")
    above.put("cover.png", b"cover")
    before = member.seen_by("write")
    above.rpc("discard")
    assert member.seen_by("write") == before
    assert member.is_open == (state != "committed")


# --- NestedArtifact --------------------------------------------------------------------


@pytest.mark.parametrize("inner", ["new", "committed", "editing"])
@pytest.mark.parametrize("way", ["put", "put-staged", "create", "create-staged"])
def test_only_a_collection_may_lie_above_artifacts(
    gateway: Gateway, public_prefix: str, inner: State, way: str
) -> None:
    below = bring(gateway, f"{public_prefix}/folder/inner", inner)
    before = below.seen_by("write")
    above = Artifact(gateway, public_prefix)
    calls = {
        "put": lambda: outcome(lambda: above.put(MANIFEST, ONE)),
        "put-staged": lambda: outcome(lambda: above.put(STAGED, ONE)),
        "create": lambda: refusal(lambda: above.rpc("create", manifest={"type": "dataset"})),
        "create-staged": lambda: refusal(
            lambda: above.rpc("create", manifest={"type": "dataset"}, stage=True)
        ),
    }

    assert calls[way]() == NESTED

    assert above.read(stage=True) is None
    assert set(above.seen_by("write")) == {f"folder/inner/{path}" for path in before}
    assert below.seen_by("write") == before
    assert outcome(lambda: above.put(MANIFEST, GALLERY)) == OK
    assert above.version == 1
    assert below.seen_by("write") == before


@pytest.mark.parametrize("inner", ["new", "committed"])
@pytest.mark.parametrize("way", ["put", "put-staged", "edit", "overwrite"])
def test_collection_with_members_stays_a_collection(
    gateway: Gateway, public_prefix: str, inner: State, way: str
) -> None:
    above = collection(gateway, public_prefix)
    bring(gateway, f"{public_prefix}/member", inner)
    other = {"type": "dataset"}
    calls = {
        "put": lambda: outcome(lambda: above.put(MANIFEST, ONE)),
        "put-staged": lambda: outcome(lambda: above.put(STAGED, ONE)),
        "edit": lambda: refusal(lambda: above.rpc("edit", manifest=other)),
        "overwrite": lambda: refusal(lambda: above.rpc("create", manifest=other, overwrite=True)),
    }

    assert calls[way]() == NESTED

    assert above.version == 1
    assert above.held()[MANIFEST] == GALLERY
    assert above.seen_by("read")[MANIFEST] == GALLERY
    assert not above.is_open


def test_collection_without_members_may_become_something_else(
    gateway: Gateway, public_prefix: str
) -> None:
    above = collection(gateway, public_prefix)
    member = bring(gateway, f"{public_prefix}/member", "committed")
    member.rpc("delete")

    above.put(MANIFEST, ONE)

    check(above, Sight({MANIFEST: ONE}, {MANIFEST: ONE}, 2, edit=False))


@pytest.mark.parametrize("state", ALIVE)
def test_manifest_below_what_is_no_collection_is_an_ordinary_file(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    before, readers = artifact.seen_by("write"), artifact.seen_by("read")
    junk = b"\x00 no manifest: ["
    path = "folder/manifest.yaml"

    assert outcome(lambda: artifact.put(path, junk)) == OK

    version = None if state == "new" else 1
    check(artifact, Sight({**before, path: junk}, readers, version, edit=True))
    inner = Artifact(gateway, f"{public_prefix}/folder")
    assert inner.read(stage=True) is None
    assert outcome(lambda: artifact.multipart(path, b"type: dataset\n")) == OK
    assert inner.read(stage=True) is None


@pytest.mark.parametrize("state", ALIVE)
def test_nothing_is_created_below_what_is_no_collection(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    before = artifact.seen_by("write")
    inner = Artifact(gateway, f"{public_prefix}/folder/inner")

    for staged in (False, True):
        call = partial(inner.rpc, "create", manifest={"type": "dataset"}, stage=staged)
        assert refusal(call) == NESTED

    assert artifact.seen_by("write") == before


@pytest.mark.parametrize("state", ["nothing", "new", "committed"])
def test_manifest_without_a_type_below_no_collection_is_an_ordinary_file(
    gateway: Gateway, public_prefix: str, state: State
) -> None:
    artifact = bring(gateway, public_prefix, state)
    plain = b"apiVersion: v1\nkind: Service\n"

    told = outcome(lambda: artifact.put(MANIFEST, plain))

    if state != "nothing":
        assert told == (400, "InvalidManifest")
        return
    assert told == OK
    check(artifact, Sight({MANIFEST: plain}, {MANIFEST: plain}, None, edit=False, stranger={}))


def test_manifest_without_a_type_below_a_collection_is_refused(
    gateway: Gateway, public_prefix: str
) -> None:
    collection(gateway, public_prefix)
    member = Artifact(gateway, f"{public_prefix}/member")

    assert outcome(lambda: member.put(MANIFEST, b"name: x\n")) == (400, "InvalidManifest")

    check(member, Sight({}, {}, None, edit=False))


# --- collections and their members -----------------------------------------------------


def test_collection_lists_its_members_as_they_are_now(gateway: Gateway, public_prefix: str) -> None:
    stale = b"type: collection\nname: Gallery\ncollection: [{name: stale}]\n"
    above = collection(gateway, public_prefix, stale)
    bring(gateway, f"{public_prefix}/b", "committed")
    bring(gateway, f"{public_prefix}/a", "editing")
    bring(gateway, f"{public_prefix}/c", "new")
    inner = collection(gateway, f"{public_prefix}/inner")
    bring(gateway, f"{public_prefix}/inner/deep", "committed")

    for read in (
        above.read(),
        above.rpc("read", key="read"),
        gateway.anonymous("GET", f"/{above.bucket}/artifact/{public_prefix}").json(),
    ):
        members = {each["_prefix"]: each for each in read["collection"]}
        assert set(members) == {
            f"{public_prefix}/{name}" for name in ("a", "b", "inner", "inner/deep")
        }
        assert members[f"{public_prefix}/a"]["name"] == "One"
        assert members[f"{public_prefix}/a"]["type"] == "dataset"
        assert members[f"{public_prefix}/a"]["_stats"]["download_count"] == 0
        assert read["_child_count"] == 4
    assert [each["_prefix"] for each in inner.read()["collection"]] == [
        f"{public_prefix}/inner/deep"
    ]
    assert above.seen_by("read")[MANIFEST] == stale

    Artifact(gateway, f"{public_prefix}/b").rpc("delete")
    Artifact(gateway, f"{public_prefix}/a").rpc("commit")

    names = {each["_prefix"]: each["name"] for each in above.read()["collection"]}
    assert names == {
        f"{public_prefix}/a": "Two",
        f"{public_prefix}/inner": "Gallery",
        f"{public_prefix}/inner/deep": "One",
    }


def test_summaries_have_the_fields_that_the_collection_names(
    gateway: Gateway, public_prefix: str
) -> None:
    fields = b"type: collection\nsummary_fields: [name, author.name, absent]\n"
    above = collection(gateway, public_prefix, fields)
    member = Artifact(gateway, f"{public_prefix}/member")
    author = {"name": "Ada", "mail": "hidden"}
    member.rpc("create", manifest={"type": "dataset", "name": "N", "secret": 1, "author": author})

    (summary,) = above.read()["collection"]

    assert summary["_prefix"] == member.prefix
    assert summary["name"] == "N"
    assert "Ada" in str(summary)
    for left_out in ("secret", "hidden", "type"):
        assert left_out not in str(summary)


def test_list_names_what_lies_directly_below(gateway: Gateway, public_prefix: str) -> None:
    above = collection(gateway, public_prefix)
    for name, state in (("b", "committed"), ("c", "new"), ("A", "edited"), ("é ü", "editing")):
        bring(gateway, f"{public_prefix}/{name}", state)  # type: ignore[arg-type]
    collection(gateway, f"{public_prefix}/inner")
    bring(gateway, f"{public_prefix}/inner/deep", "committed")
    above.put("cover.png", b"cover")
    Artifact(gateway, f"{public_prefix}/early").put(DATA, b"early")
    listing = partial(gateway.rpc, "list", prefix=public_prefix)

    assert listing() == ["A", "b", "inner", "é ü"]
    assert listing(key="read") == ["A", "b", "inner", "é ü"]
    assert set(listing(stage=True)) >= {"A", "c", "é ü"}
    assert {"early", "cover.png", "deep"}.isdisjoint(listing(stage=True))
    assert gateway.rpc("list", prefix=f"{public_prefix}/inner") == ["deep"]
    assert refusal(partial(listing, key="read", stage=True)) == (403, "AccessDenied")


def test_list_below_a_folder_that_is_no_artifact(gateway: Gateway, public_prefix: str) -> None:
    bring(gateway, f"{public_prefix}/folder/one", "committed")
    bring(gateway, f"{public_prefix}/folder/two", "new")

    assert gateway.rpc("list", prefix=f"{public_prefix}/folder") == ["one"]
    assert set(gateway.rpc("list", prefix=f"{public_prefix}/folder", stage=True)) >= {"two"}
    assert public_prefix.removeprefix("public/") not in gateway.rpc("list")


def test_index_keeps_every_other_field_and_member(gateway: Gateway, public_prefix: str) -> None:
    manifest = b"# a comment\ntype: collection\nname: Gallery\nzeta: [1, 2]\ncollection: []\n"
    above = collection(gateway, public_prefix, manifest)
    above.put("cover.png", b"cover")
    above.rpc("commit")
    bring(gateway, f"{public_prefix}/b", "committed")
    bring(gateway, f"{public_prefix}/a", "committed")

    above.rpc("index")

    plain = yaml.safe_load(above.held()[MANIFEST])
    assert [each["_prefix"] for each in plain.pop("collection")] == [
        f"{public_prefix}/a",
        f"{public_prefix}/b",
    ]
    assert {name: plain[name] for name in ("type", "name", "zeta")} == {
        "type": "collection",
        "name": "Gallery",
        "zeta": [1, 2],
    }
    assert above.version == 3
    assert above.files() == {"cover.png": 5}
    assert above.read()["_child_count"] == 2


# --- deleting --------------------------------------------------------------------------


@pytest.mark.parametrize("inner", ALIVE)
def test_collection_with_any_member_is_not_empty(
    gateway: Gateway, public_prefix: str, inner: State
) -> None:
    above = collection(gateway, public_prefix)
    member = bring(gateway, f"{public_prefix}/member", inner)
    before = member.seen_by("write")

    assert refusal(lambda: above.rpc("delete")) == (409, "CollectionNotEmpty")

    assert above.version == 1
    assert member.seen_by("write") == before


def test_recursive_delete_takes_all_that_is_below(gateway: Gateway, public_prefix: str) -> None:
    above = collection(gateway, public_prefix)
    above.put("cover.png", b"cover")
    bring(gateway, f"{public_prefix}/member", "editing")
    collection(gateway, f"{public_prefix}/inner")
    bring(gateway, f"{public_prefix}/inner/deep", "committed")
    bring(gateway, f"{public_prefix}/inner/staged", "new")
    beside = bring(gateway, f"{public_prefix}-beside", "committed")

    above.rpc("delete", recursive=True)

    assert above.held() == {}
    for path in ("", "/member", "/inner", "/inner/deep", "/inner/staged"):
        assert Artifact(gateway, public_prefix + path).read(stage=True) is None
    assert gateway.rpc("list", prefix=public_prefix, stage=True) == []
    check(beside, Sight(COMMITTED, COMMITTED, 1, edit=False))


def test_members_outlive_what_s3_does_to_their_collection(
    gateway: Gateway, public_prefix: str
) -> None:
    above = collection(gateway, public_prefix)
    member = bring(gateway, f"{public_prefix}/member", "committed")

    status, _ = outcome(lambda: above.delete(MANIFEST))

    assert status in (204, 409)
    check(member, Sight(COMMITTED, COMMITTED, 1, edit=False))


# --- schemas ---------------------------------------------------------------------------

SCHEMA = b"""type: collection
collection_schema:
  type: object
  required: [licence]
  properties:
    size: {type: integer, minimum: 1}
    files:
      type: array
      minItems: 1
      items: {type: object, properties: {path: {pattern: "[.]csv$"}}}
"""
FITTING = b"type: dataset\nlicence: CC0\nsize: 3\n"


def test_schema_is_enforced_on_commit_with_every_violation(
    gateway: Gateway, public_prefix: str
) -> None:
    collection(gateway, public_prefix, SCHEMA)
    member = Artifact(gateway, f"{public_prefix}/member")
    member.put(STAGED, b"type: dataset\nsize: none\n")
    member.put("readme.txt", b"no csv")

    with pytest.raises(RpcError) as by_rpc:
        member.rpc("commit")
    with pytest.raises(ClientError) as by_s3:
        member.rename()

    told = by_rpc.value
    assert (told.status, told.code) == (400, "SchemaViolation")
    answer = by_s3.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["Error"]["Code"] == "SchemaViolation"
    for said in (f"{told.message} {told.details}", str(answer["Error"])):
        for part in ("/size", "/files/0/path", "licence"):
            assert part in said
    assert member.version is None

    member.put(STAGED, FITTING)
    member.delete("readme.txt")
    assert refusal(lambda: member.rpc("commit")) == (400, "SchemaViolation")  # no file
    member.put(DATA, b"one")
    member.rename()

    files = {MANIFEST: FITTING, DATA: b"one"}
    check(member, Sight(files, files, 1, edit=False))


def test_nearest_collections_schema_is_the_one_that_counts(
    gateway: Gateway, public_prefix: str
) -> None:
    collection(gateway, public_prefix, b"type: collection\ncollection_schema: {}\n")
    collection(gateway, f"{public_prefix}/inner", SCHEMA)
    outer = Artifact(gateway, f"{public_prefix}/member")
    inner = Artifact(gateway, f"{public_prefix}/inner/member")

    assert outcome(lambda: outer.put(MANIFEST, ONE)) == OK
    assert outcome(lambda: inner.put(MANIFEST, ONE)) == (400, "SchemaViolation")


def test_members_are_not_validated_again(gateway: Gateway, public_prefix: str) -> None:
    above = collection(gateway, public_prefix)
    member = bring(gateway, f"{public_prefix}/member", "committed")

    assert outcome(lambda: above.put(MANIFEST, SCHEMA)) == OK

    check(member, Sight(COMMITTED, COMMITTED, 1, edit=False))
    assert outcome(lambda: member.put(MANIFEST, TWO)) == (400, "SchemaViolation")
    check(member, Sight(COMMITTED, COMMITTED, 1, edit=False))


@pytest.mark.parametrize(
    "schema",
    [
        b"{type: no-such-type}",
        b"{required: licence}",
        b"just a string",
        b"[1]",
        b"{properties: {a: {$ref: 'http://127.0.0.1:9/schema.json'}}}",
        b"{properties: {a: {$ref: 'file:///etc/hostname'}}}",
    ],
    ids=["unknown-type", "wrong-keyword", "string", "list", "http-reference", "file-reference"],
)
def test_schema_that_is_none_is_refused_with_its_collection(
    gateway: Gateway, public_prefix: str, schema: bytes
) -> None:
    above = Artifact(gateway, public_prefix)
    broken = b"type: collection\ncollection_schema: " + schema + b"\n"
    above.put(STAGED, broken)  # only `type` is mandatory when staged

    status, _ = outcome(above.rename)

    assert status == 400
    check(above, Sight({STAGED: broken}, {}, None, edit=True))


# --- the root, and `public` ------------------------------------------------------------


@pytest.fixture
def other(gateway: Gateway) -> Iterator[Gateway]:
    """The gateway's other workspace, without any artifact before and after."""
    elsewhere = replace(gateway, workspace=OTHER_WORKSPACE)
    everything = {"type": "collection", "name": "Everything"}
    elsewhere.rpc("create", key="admin", prefix="", manifest=everything, overwrite=True)
    elsewhere.rpc("delete", key="admin", prefix="", recursive=True)
    yield elsewhere
    for prefix in ("public", ""):
        refusal(partial(elsewhere.rpc, "delete", key="admin", prefix=prefix, recursive=True))


@pytest.mark.parametrize("prefix", ["", "public"])
def test_root_and_public_can_only_be_collections(other: Gateway, prefix: str) -> None:
    create = partial(other.rpc, "create", key="admin", prefix=prefix)
    keys = {"Bucket": other.workspace, "Key": f"{prefix}/{MANIFEST}".lstrip("/")}
    put = partial(other.s3("admin").put_object, **keys)

    for staged in (True, False):
        told = refusal(partial(create, manifest={"type": "dataset"}, stage=staged))
        assert told == NESTED
    assert outcome(partial(put, Body=THREE)) == NESTED

    assert create(manifest={"type": "collection", "name": "All"})["type"] == "collection"
    bring_member(other, f"{prefix}/member".lstrip("/"))
    read = other.rpc("read", key="admin", prefix=prefix)
    assert [each["_prefix"] for each in read["collection"]] == [f"{prefix}/member".lstrip("/")]
    assert read["_prefix"] == prefix
    assert other.rpc("list", key="admin", prefix=prefix) == ["member"]
    told = refusal(partial(other.rpc, "delete", key="admin", prefix=prefix))
    assert told == (409, "CollectionNotEmpty")


def bring_member(other: Gateway, prefix: str) -> Document:
    """A committed member in the other workspace."""
    return other.rpc("create", key="admin", prefix=prefix, manifest={"type": "dataset"})
