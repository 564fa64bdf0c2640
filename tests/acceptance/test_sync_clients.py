"""Sync tools on artifacts: what they leave behind, and what readers see meanwhile."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.harness import WORKSPACE, Gateway, RpcError
from tests.acceptance.steps import (
    content,
    contents,
    keys_below,
    manifest,
    publish,
    put,
    refused,
    stage,
    version_of,
    write_folder,
)

Upload = Callable[[Gateway, Path, str], None]
ONE = {"data.csv": b"data 1", "kept/same.csv": b"same", "old.csv": b"old"}
TWO = {"data.csv": b"data two", "kept/same.csv": b"same", "new.csv": b"new"}


def publish_with_rclone(gateway: Gateway, folder: Path, prefix: str) -> None:
    there = f"gw:{WORKSPACE}/{prefix}"
    gateway.rclone("copy", folder, there)
    gateway.rclone("moveto", f"{there}/_manifest.yaml", f"{there}/manifest.yaml")


def publish_with_aws_sync(gateway: Gateway, folder: Path, prefix: str) -> None:
    there = f"s3://{WORKSPACE}/{prefix}"
    gateway.aws("s3", "sync", folder, there)
    gateway.aws("s3", "mv", f"{there}/_manifest.yaml", f"{there}/manifest.yaml")


def publish_with_aws_cp(gateway: Gateway, folder: Path, prefix: str) -> None:
    there = f"s3://{WORKSPACE}/{prefix}"
    gateway.aws("s3", "cp", "--recursive", folder, there)
    gateway.aws("s3", "mv", f"{there}/_manifest.yaml", f"{there}/manifest.yaml")


def publish_with_s5cmd(gateway: Gateway, folder: Path, prefix: str) -> None:
    there = f"s3://{WORKSPACE}/{prefix}"
    gateway.s5cmd("cp", f"{folder}/", f"{there}/")
    gateway.s5cmd("mv", f"{there}/_manifest.yaml", f"{there}/manifest.yaml")


@pytest.mark.parametrize(
    "upload",
    [publish_with_rclone, publish_with_aws_sync, publish_with_aws_cp, publish_with_s5cmd],
)
def test_changed_files_and_an_unchanged_manifest_make_a_version_the_same_again_none(
    gateway: Gateway, prefix: str, tmp_path: Path, upload: Upload
) -> None:
    unchanged = manifest(name="unchanged")
    folder = write_folder(tmp_path / "here", {**ONE, "_manifest.yaml": unchanged})
    upload(gateway, folder, prefix)
    assert version_of(gateway, prefix) == 1

    write_folder(folder, {**ONE, "data.csv": b"data two", "_manifest.yaml": unchanged})
    upload(gateway, folder, prefix)
    assert version_of(gateway, prefix) == 2
    changed = {**ONE, "data.csv": b"data two", "manifest.yaml": unchanged}
    for key in ("read", "write"):
        assert contents(gateway.s3(key), prefix) == changed

    upload(gateway, folder, prefix)
    assert version_of(gateway, prefix) == 2
    for key in ("read", "write"):
        assert contents(gateway.s3(key), prefix) == changed
    with refused("NotStaged", 409):
        gateway.rpc("commit", prefix=prefix)


def sync_with_aws(gateway: Gateway, folder: Path, prefix: str) -> None:
    gateway.aws("s3", "sync", "--delete", folder, f"s3://{WORKSPACE}/{prefix}")


def sync_with_rclone(gateway: Gateway, folder: Path, prefix: str) -> None:
    gateway.rclone("sync", folder, f"gw:{WORKSPACE}/{prefix}")


def make_new(gateway: Gateway, prefix: str) -> None:
    stage(gateway, prefix, ONE, name="staged")


def make_committed(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, ONE, name="one")


def make_edited(gateway: Gateway, prefix: str) -> None:
    publish(gateway, prefix, ONE, name="one")
    stage(gateway, prefix, {"data.csv": b"half-way", "other.csv": b"other"}, name="staged")


Start = Callable[[Gateway, str], None]
STARTS = pytest.mark.parametrize("start", [make_new, make_committed, make_edited])
SYNCS = pytest.mark.parametrize("sync", [sync_with_aws, sync_with_rclone])


@dataclass(slots=True)
class Watch:
    """What a reader saw while something else was going on."""

    rounds: int = 0
    listings: set[frozenset[tuple[str, int]]] = field(default_factory=set)
    bodies: set[tuple[str, bytes | None]] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


@contextmanager
def watching(
    gateway: Gateway, prefix: str, paths: Iterable[str] = (), key: str = "read"
) -> Iterator[Watch]:
    """A reader that lists `prefix` and gets `paths` over and over until the block is left."""
    watch, over, client = Watch(), threading.Event(), gateway.s3(key)

    def look() -> None:
        try:
            while not over.is_set() or not watch.rounds:
                watch.listings.add(frozenset(keys_below(client, prefix).items()))
                for path in paths:
                    watch.bodies.add((path, content(client, f"{prefix}/{path}")))
                watch.rounds += 1
                over.wait(0.01)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            watch.failures.append(repr(error))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
    assert not watch.failures, watch.failures


def reader_of(start: Start) -> str:
    """Who watches an artifact go: without its `_manifest.yaml`, a new one is ordinary objects.

    The holders of `read` may read those; anonymous callers never may.
    """
    return "anonymous" if start is make_new else "read"


def sizes(files: Mapping[str, bytes]) -> frozenset[tuple[str, int]]:
    return frozenset((path, len(data)) for path, data in files.items())


@STARTS
@SYNCS
def test_a_sync_that_deletes_opens_an_edit_and_readers_keep_the_commit(
    gateway: Gateway, prefix: str, tmp_path: Path, start: Start, sync: Upload
) -> None:
    start(gateway, prefix)
    committed = {} if start is make_new else {**ONE, "manifest.yaml": manifest(name="one")}
    folder = write_folder(tmp_path / "here", {**TWO, "_manifest.yaml": manifest(name="two")})
    seen = {*ONE, *TWO, "other.csv", "manifest.yaml"}
    with watching(gateway, prefix, seen) as watch:
        sync(gateway, folder, prefix)

    assert watch.listings == {sizes(committed)}
    assert watch.bodies == {(path, committed.get(path)) for path in seen}
    assert contents(gateway.s3("read"), prefix) == committed
    assert contents(gateway.s3(), prefix) == {**TWO, "_manifest.yaml": manifest(name="two")}

    there = f"gw:{WORKSPACE}/{prefix}"
    gateway.rclone("moveto", f"{there}/_manifest.yaml", f"{there}/manifest.yaml")
    assert version_of(gateway, prefix) == (1 if start is make_new else 2)
    for key in ("read", "write"):
        assert contents(gateway.s3(key), prefix) == {**TWO, "manifest.yaml": manifest(name="two")}


@SYNCS
def test_a_sync_of_a_folder_with_its_manifest_publishes_what_has_arrived(
    gateway: Gateway, prefix: str, tmp_path: Path, sync: Upload
) -> None:
    folder = write_folder(tmp_path / "here", {**ONE, "manifest.yaml": manifest(name="one")})
    # An object's time has whole seconds: aws-cli takes a file of the same second for a newer one.
    os.utime(folder / "manifest.yaml", (1_700_000_000, 1_700_000_000))
    sync(gateway, folder, prefix)
    assert version_of(gateway, prefix) == 1
    assert contents(gateway.s3(), prefix) == {**ONE, "manifest.yaml": manifest(name="one")}
    with contextlib.suppress(RpcError):  # NotStaged, where it came last
        gateway.rpc("commit", prefix=prefix)
    first = version_of(gateway, prefix)
    assert contents(gateway.s3("read"), prefix) == {**ONE, "manifest.yaml": manifest(name="one")}

    # Only data changed: an edit, since nothing said "commit".
    write_folder(folder, {**TWO, "manifest.yaml": manifest(name="one")})
    sync(gateway, folder, prefix)
    assert version_of(gateway, prefix) == first
    assert contents(gateway.s3("read"), prefix) == {**ONE, "manifest.yaml": manifest(name="one")}
    assert contents(gateway.s3(), prefix) == {**TWO, "manifest.yaml": manifest(name="one")}
    assert gateway.rpc("commit", prefix=prefix)["version"] == first + 1
    assert contents(gateway.s3("read"), prefix) == {**TWO, "manifest.yaml": manifest(name="one")}


def comes_back(gateway: Gateway, prefix: str, committed: Mapping[str, bytes]) -> None:
    """When all that a client listed of an edit is gone, the committed manifest is in sight again.

    It was hidden behind `_manifest.yaml`, so the client did not ask for its removal.
    """
    assert contents(gateway.s3(), prefix) == {"manifest.yaml": committed["manifest.yaml"]}
    assert contents(gateway.s3("read"), prefix) == committed


@STARTS
def test_rm_recursive_deletes_the_artifact_and_readers_see_the_commit_or_nothing(
    gateway: Gateway, public_prefix: str, start: Start
) -> None:
    prefix = public_prefix
    start(gateway, prefix)
    committed = {} if start is make_new else {**ONE, "manifest.yaml": manifest(name="one")}
    with watching(gateway, prefix, committed or ONE, reader_of(start)) as watch:
        gateway.aws("s3", "rm", "--recursive", f"s3://{WORKSPACE}/{prefix}/")
    assert watch.listings <= {sizes(committed), frozenset()}
    assert watch.bodies <= {*committed.items(), *((path, None) for path in committed or ONE)}

    if start is make_edited:
        comes_back(gateway, prefix, committed)
        gateway.aws("s3", "rm", "--recursive", f"s3://{WORKSPACE}/{prefix}/")
    for key in ("read", "write"):
        assert keys_below(gateway.s3(key), prefix) == {}
    assert version_of(gateway, prefix) == 0
    with refused("NoSuchArtifact", 404):
        gateway.rpc("commit", prefix=prefix)
    backend = gateway.backend.client()
    listed = backend.list_objects_v2(Bucket=gateway.backend.bucket, Prefix=f"{prefix}/")
    assert listed["KeyCount"] == 0

    # A new artifact starts clean, and its numbers go on.
    again = publish(gateway, prefix, {"data.csv": b"again"}, name="again")
    assert again == 1 if start is make_new else again > 1
    assert keys_below(gateway.s3("read"), prefix).keys() == {"data.csv", "manifest.yaml"}


@STARTS
def test_mv_recursive_moves_what_the_writer_sees(
    gateway: Gateway, public_prefix: str, start: Start
) -> None:
    prefix = public_prefix
    start(gateway, prefix)
    target = f"{prefix}-moved"
    before = contents(gateway.s3(), prefix)
    committed = {} if start is make_new else {**ONE, "manifest.yaml": manifest(name="one")}
    with watching(gateway, prefix, committed or ONE, reader_of(start)) as watch:
        gateway.aws(
            "s3", "mv", "--recursive", f"s3://{WORKSPACE}/{prefix}/", f"s3://{WORKSPACE}/{target}/"
        )
    assert watch.listings <= {sizes(committed), frozenset()}
    assert watch.bodies <= {*committed.items(), *((path, None) for path in committed or ONE)}

    if start is make_edited:
        comes_back(gateway, prefix, committed)
        gateway.aws("s3", "rm", "--recursive", f"s3://{WORKSPACE}/{prefix}/")
    for key in ("read", "write"):
        assert keys_below(gateway.s3(key), prefix) == {}
    assert version_of(gateway, prefix) == 0
    assert contents(gateway.s3(), target) == before
    if "_manifest.yaml" in before:
        assert version_of(gateway, target) == 0
        assert keys_below(gateway.s3("read"), target) == {}
        assert gateway.rpc("commit", prefix=target)["version"] == 1
    else:
        assert version_of(gateway, target) == 1
        put(gateway.s3(), target, {"manifest.yaml": manifest(name="one")})
    whole = {name.removeprefix("_") if "manifest" in name else name: data
             for name, data in before.items()}  # fmt: skip
    for key in ("read", "write"):
        assert contents(gateway.s3(key), target) == whole


def test_readers_of_a_moved_artifact_see_one_of_its_versions(
    gateway: Gateway, public_prefix: str
) -> None:
    prefix = public_prefix
    files = {f"part-{i:02}.csv": b"x" * i for i in range(30)}
    publish(gateway, prefix, files, name="one")
    target = f"{prefix}-moved"
    with watching(gateway, target, key="anonymous") as watch:
        gateway.aws(
            "s3", "mv", "--recursive", f"s3://{WORKSPACE}/{prefix}/", f"s3://{WORKSPACE}/{target}/"
        )
        put(gateway.s3(), target, {"manifest.yaml": manifest(name="one")})
        keys_below(gateway.s3("read"), target)
    versions: set[frozenset[tuple[str, int]]] = {frozenset()}
    for number in range(1, version_of(gateway, target) + 1):
        listed = gateway.rpc("list_files", prefix=target, version=number)
        whole = {(each["path"], each["size"]) for each in listed}
        versions.add(frozenset({*whole, ("manifest.yaml", len(manifest(name="one")))}))
    assert watch.listings <= versions
    assert watch.rounds > 1
