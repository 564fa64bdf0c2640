"""gc: what nobody needs any more goes from the backend, and all the rest is as before."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
from typer.testing import CliRunner

from gateway.__main__ import application
from gateway.errors import InvalidArgument
from gateway.services.maintenance.collecting import Refused
from gateway.storage import objects
from tests.acceptance.collecting import LATER, MONTH, bucket_of, collect, held
from tests.acceptance.harness import OTHER_WORKSPACE, WORKSPACE, Backend, Gateway
from tests.acceptance.steps import manifest, refused
from tests.acceptance.views import MANIFEST, STAGED, Artifact

DAY = timedelta(days=1)


class Scene:
    """Artifacts, edits and ordinary objects of every kind; `old` is what nobody needs of them."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.folder = gateway.new_prefix(public=True)
        self.old: set[tuple[str, str]] = set()
        gateway.rpc("create", prefix=self.folder, manifest={"type": "collection", "name": "C"})
        for make in (self.lived, self.edited, self.staged, self.gone, self.made_again):
            make(self.artifact(make.__name__))
        self.ordinary()

    def artifact(self, name: str) -> Artifact:
        return Artifact(self.gateway, f"{self.folder}/{name}")

    def put(self, artifact: Artifact, path: str, body: bytes, *, old: bool = False) -> str:
        """The version id of a file that was put; `old`: nobody will need it."""
        version: str = artifact.put(path, body)["VersionId"]
        if old:
            self.old.add((artifact.key(path), version))
        return version

    def remove(self, artifact: Artifact, path: str, *, old: bool = False) -> None:
        marker = artifact.delete(path)["VersionId"]
        if old:
            self.old.add((artifact.key(path), marker))

    def commit(self, artifact: Artifact, **fields: str) -> None:
        artifact.put(STAGED, manifest(**fields))
        artifact.rename()

    def lived(self, artifact: Artifact) -> None:
        """Commits, overwritten and removed files, a discard, rollbacks."""
        for body in (b"a", b"aa"):
            self.put(artifact, "a.csv", body, old=body == b"a")
        self.put(artifact, "deep/b.csv", b"b")
        self.put(artifact, "never.csv", b"staged and removed", old=True)
        self.remove(artifact, "never.csv", old=True)
        self.commit(artifact, name="one")
        for body in (b"overwritten", b"again", b"two"):
            self.put(artifact, "a.csv", body, old=body != b"two")
        self.remove(artifact, "deep/b.csv")
        self.commit(artifact, name="two")
        self.put(artifact, "a.csv", b"discarded")
        self.put(artifact, "new.csv", b"discarded")
        artifact.rpc("discard")
        artifact.rpc("rollback", version=1)
        artifact.rpc("rollback", version=2)

    def edited(self, artifact: Artifact) -> None:
        """An open edit, its files put twice."""
        self.put(artifact, "a.csv", b"old", old=True)
        self.put(artifact, "a.csv", b"committed")
        self.put(artifact, "b.csv", b"committed too")
        self.commit(artifact)
        for body in (b"once", b"twice"):
            self.put(artifact, "a.csv", body)
            self.put(artifact, "new.csv", body)
            self.put(artifact, STAGED, manifest(name=body.decode()), old=body == b"once")
        self.remove(artifact, "b.csv")

    def staged(self, artifact: Artifact) -> None:
        """Never committed, staged over ordinary objects."""
        plain = self.artifact("staged")
        for body in (b"one", b"two"):
            self.put(plain, "before.txt", body)
        for body in (b"once", b"twice"):
            self.put(artifact, STAGED, manifest(name=body.decode()), old=body == b"once")
            self.put(artifact, "before.txt", body)
            self.put(artifact, "new.txt", body)

    def gone(self, artifact: Artifact) -> None:
        """Deleted; ordinary objects lie at its keys since."""
        for path in ("a.csv", "b.csv"):
            self.put(artifact, path, b"committed", old=True)
        self.commit(artifact)
        self.put(artifact, "a.csv", b"staged", old=True)
        self.put(artifact, "late.csv", b"staged", old=True)
        artifact.rpc("delete")
        below = held(self.gateway, artifact.prefix)
        self.old |= set(below)
        for body in (b"ordinary", b"now"):
            artifact.put("a.csv", body)
        for body in (b"ordinary", b"newer"):
            artifact.put("c.txt", body)

    def made_again(self, artifact: Artifact) -> None:
        """Deleted, and made again."""
        self.put(artifact, "a.csv", b"first life", old=True)
        self.put(artifact, "only.csv", b"first life", old=True)
        self.commit(artifact, name="first")
        artifact.rpc("delete")
        self.old |= set(held(self.gateway, artifact.prefix))
        self.put(artifact, "a.csv", b"second life")
        self.commit(artifact, name="second")
        self.put(artifact, "a.csv", b"second life, second version")
        self.commit(artifact, name="second")

    def ordinary(self) -> None:
        """Objects with a history, in no artifact: beside the collection, and waiting in it."""
        beside = Artifact(self.gateway, f"{self.folder}-beside")
        for artifact in (beside, self.artifact("waiting")):
            for body in (b"one", b"two", b"three"):
                artifact.put("x.txt", body)
                artifact.put("y.txt", body)
            artifact.delete("y.txt")

    def versions(self) -> Mapping[str, Mapping[int, Mapping[str, bytes]]]:
        """What each version of each artifact holds, read by number."""
        found: dict[str, dict[int, dict[str, bytes]]] = {}
        for name in ("lived", "edited", "made_again"):
            artifact = self.artifact(name)
            for each in artifact.rpc("versions"):
                number = each["version"]
                target = f"/{artifact.bucket}/artifact/"
                found.setdefault(name, {})[number] = {
                    path: self.gateway.anonymous(
                        "GET", f"{target}{artifact.key(path)}?version={number}&silent=true"
                    ).content
                    for path in [*artifact.files(version=number), MANIFEST]
                }
        return found

    def seen(self) -> Mapping[str, Mapping[str, bytes]]:
        """What writers and readers see of all."""
        below = (
            Artifact(self.gateway, self.folder),
            Artifact(self.gateway, f"{self.folder}-beside"),
        )
        return {
            f"{key} {each.prefix}": each.seen_by(key) for key in ("write", "read") for each in below
        }


@pytest.fixture
def scene(tended: Gateway) -> Scene:
    return Scene(tended)


def test_what_nobody_needs_goes_and_nothing_else(scene: Scene, tended: Gateway) -> None:
    before, versions, seen = held(tended, scene.folder), scene.versions(), scene.seen()

    told = collect(tended, delete=False)
    assert set(told.below(scene.folder)) == scene.old
    assert held(tended, scene.folder) == before

    swept = collect(tended, delete=True)
    assert swept.garbage == told.garbage
    assert swept.bytes == told.bytes > 0
    assert held(tended, scene.folder) == {
        named: size for named, size in before.items() if named not in scene.old
    }
    assert scene.versions() == versions
    assert scene.seen() == seen
    assert collect(tended, delete=True).garbage == {}
    fsck = ["fsck", "--config", str(tended.folder / "gateway.yaml"), "--workspace", WORKSPACE]
    checked = CliRunner().invoke(application, fsck)
    assert scene.folder not in checked.stdout
    end_edits(scene)


def end_edits(scene: Scene) -> None:
    """Open edits end as they would have ended."""
    edited, staged = scene.artifact("edited"), scene.artifact("staged")
    edited.rpc("discard")
    expected = {"a.csv": b"committed", "b.csv": b"committed too", MANIFEST: manifest()}
    assert edited.seen_by("write") == edited.seen_by("read") == expected
    staged.rpc("discard")
    assert staged.seen_by("write") == {"before.txt": b"two"}
    assert len(held(scene.gateway, staged.key("before.txt"))) == 2
    scene.artifact("lived").rpc("rollback", version=1)
    assert scene.artifact("lived").seen_by("read")["deep/b.csv"] == b"b"


def test_open_edits_can_be_committed_afterwards(scene: Scene, tended: Gateway) -> None:
    collect(tended, delete=True)
    for name, files in (
        ("edited", {"a.csv": b"twice", "new.csv": b"twice"}),
        ("staged", {"before.txt": b"twice", "new.txt": b"twice"}),
    ):
        artifact = scene.artifact(name)
        artifact.rpc("commit")
        assert artifact.seen_by("read") == {**files, MANIFEST: manifest(name="twice")}


def test_what_is_not_old_enough_stays(scene: Scene, tended: Gateway) -> None:
    before = held(tended, scene.folder)
    swept = collect(tended, delete=True, ahead=MONTH - timedelta(minutes=5))
    assert swept.below(scene.folder) == {}
    assert held(tended, scene.folder) == before
    assert collect(tended, delete=False, ahead=DAY, older_than=DAY).below(scene.folder)
    assert LATER > MONTH


def test_a_workspace_of_which_the_artifacts_are_deleted_can_be_removed(
    tended: Gateway, backend: Backend
) -> None:
    name = f"emptied-{secrets.token_hex(5)}"
    client = tended.s3("admin")
    client.create_bucket(Bucket=name)
    place = replace(tended, workspace=name)
    place.rpc("create", key="admin", prefix="c", manifest={"type": "collection"})
    for number in (1, 2):
        for path in ("a.csv", "deep/b.csv"):
            client.put_object(Bucket=name, Key=f"c/member/{path}", Body=b"%d" % number)
        client.put_object(Bucket=name, Key=f"c/member/{STAGED}", Body=manifest(number=number))
        place.rpc("commit", key="admin", prefix="c/member")
    client.put_object(Bucket=name, Key="c/member/late.csv", Body=b"staged")
    place.rpc("delete", key="admin", prefix="c", recursive=True)
    with refused("BucketNotEmpty", 409):
        client.delete_bucket(Bucket=name)

    collect(tended, delete=True, workspace=name)

    client.delete_bucket(Bucket=name)
    assert name not in {each["Name"] for each in backend.client().list_buckets()["Buckets"]}


def test_a_workspace_that_is_a_folder_is_looked_through_alone(
    tended: Gateway, backend: Backend
) -> None:
    bucket, store, client = bucket_of(tended, OTHER_WORKSPACE), backend.client(), tended.s3("other")
    folder = tended.new_prefix()
    place = replace(tended, workspace=OTHER_WORKSPACE)
    old = set()
    for number in (1, 2):
        key = f"{folder}/a.csv"
        version = client.put_object(Bucket=OTHER_WORKSPACE, Key=key, Body=b"%d" % number)
        old |= {(key, version["VersionId"])} if number == 1 else set()
        for beside in (f"{folder}/a.csv", f"a/part-{folder}/a.csv"):
            store.put_object(Bucket=bucket, Key=beside, Body=b"%d" % number)
        if number == 1:
            client.put_object(Bucket=OTHER_WORKSPACE, Key=f"{folder}/{STAGED}", Body=manifest())
    place.rpc("commit", key="other", prefix=folder)
    count = len(store.list_object_versions(Bucket=bucket)["Versions"])

    swept = collect(tended, delete=True, workspace=OTHER_WORKSPACE)

    assert set(swept.below(folder)) == old
    assert len(store.list_object_versions(Bucket=bucket)["Versions"]) == count - len(swept.garbage)


def test_what_was_stored_without_versioning_is_kept_while_it_is_pinned(
    tended: Gateway, backend: Backend
) -> None:
    name = f"unversioned-{secrets.token_hex(5)}"
    store, client = backend.client(), tended.s3("admin")
    client.create_bucket(Bucket=name)
    place = replace(tended, workspace=name)
    for path in ("kept.csv", "loose.csv"):
        client.put_object(Bucket=name, Key=f"d/{path}", Body=b"without")
    assert collect(tended, delete=True, workspace=name).garbage == {}
    place.rpc("create", key="admin", prefix="d", manifest={"type": "dataset"}, stage=True)
    client.put_object(Bucket=name, Key="d/loose.csv", Body=b"with")
    place.rpc("commit", key="admin", prefix="d")
    client.put_object(Bucket=name, Key="d/kept.csv", Body=b"with")
    place.rpc("commit", key="admin", prefix="d")

    swept = collect(tended, delete=True, workspace=name)

    assert swept.garbage == {("d/loose.csv", "null"): len(b"without")}
    old = store.get_object(Bucket=name, Key="d/kept.csv", VersionId="null")
    assert old["Body"].read() == b"without"
    number = place.rpc("versions", key="admin", prefix="d")[-1]["version"]
    url = place.rpc(
        "get_file", key="admin", prefix="d", path="kept.csv", options={"version": number}
    )
    assert requests.get(url, timeout=10).content == b"without"


@pytest.mark.parametrize("wrong", ["unreadable", "missing", "another", "unknown"])
def test_a_workspace_whose_index_and_records_disagree_is_refused(
    tended: Gateway, backend: Backend, wrong: str
) -> None:
    name = f"{wrong}-{secrets.token_hex(5)}"
    tended.s3("admin").create_bucket(Bucket=name)
    place, store = replace(tended, workspace=name), backend.client()
    area = tended.configuration()["system"]["bucket"]
    listed = {each["Key"] for each in store.list_objects_v2(Bucket=area)["Contents"]}
    for body in (b"1", b"2", b"3"):
        tended.s3("admin").put_object(Bucket=name, Key="d/a.csv", Body=body)
        tended.s3("admin").put_object(Bucket=name, Key=f"d/{STAGED}", Body=manifest())
        if body != b"1":
            place.rpc("commit", key="admin", prefix="d")
    found = {each["Key"] for each in store.list_objects_v2(Bucket=area)["Contents"]} - listed
    first, second = sorted(key for key in found if key.startswith("records/"))
    third = f"{second[:-1]}3"
    before = held(tended, "d/", name)
    records = {
        key: store.get_object(Bucket=area, Key=key)["Body"].read() for key in (first, second)
    }
    record = records[first]
    if wrong == "unreadable":
        store.put_object(Bucket=area, Key=first, Body=record[:-9])
    elif wrong == "missing":
        store.delete_object(Bucket=area, Key=second)
    elif wrong == "another":
        pinned = json.loads(record)["pins"][0]["version_id"]
        store.put_object(Bucket=area, Key=first, Body=record.replace(pinned.encode(), b"other"))
    else:
        later = record.replace(b'"number":1,', b'"number":3,')
        store.put_object(Bucket=area, Key=third, Body=later)

    with pytest.raises(Refused, match=rf"^{name}: .*nothing was removed there: run .*fsck$"):
        collect(tended, delete=True, workspace=name)

    assert held(tended, "d/", name) == before
    store.delete_object(Bucket=area, Key=third)
    for key, data in records.items():
        store.put_object(Bucket=area, Key=key, Body=data)
    assert len(collect(tended, delete=True, workspace=name).garbage) == 1


def test_an_age_below_24_hours_is_refused(tended: Gateway) -> None:
    with pytest.raises(InvalidArgument, match="24 hours"):
        collect(tended, delete=True, older_than=timedelta(hours=23, minutes=59))


@pytest.mark.parametrize("size", [2, 3, 7])
def test_what_a_listing_loses_where_its_pages_end_is_found_all_the_same(
    tended: Gateway, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    artifact = Artifact(tended, tended.new_prefix(public=True))
    paths = ("data", "data-1", "data-1/x", "data.csv", "data.csv.gz", "data/x", "data0", "z")
    old = set()
    for number in (1, 2):
        for path in paths:
            for body in (b"overwritten %d", b"committed %d"):
                version = artifact.put(path, body % number)["VersionId"]
                old |= {(artifact.key(path), version)} if body.startswith(b"over") else set()
        artifact.put(STAGED, manifest(number=number))
        artifact.rename()
    before = set(held(tended, artifact.prefix))

    monkeypatch.setattr(objects, "VERSION_PAGE", size)
    swept = collect(tended, delete=True)
    assert set(held(tended, artifact.prefix)) == before - set(swept.garbage)
    assert (
        set(swept.below(artifact.prefix))
        | {named for named in old if named[0] in {left.key for left in swept.left}}
        == old
    )

    monkeypatch.undo()
    collect(tended, delete=True)
    assert set(held(tended, artifact.prefix)) == before - old
