"""delete(recursive=True) of collections: three levels, many members, and killed on the way.

DELETE_MEMBERS in the environment says how many are many.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.acceptance.harness import WORKSPACE, Backend, Gateway, RpcError, S3Client
from tests.acceptance.steps import make_gallery, manifest, publish, put, refused, version_of
from tests.acceptance.wire import WireTap
from tests.waiting import wait_until

LARGE = int(os.environ.get("DELETE_MEMBERS", "40"))
FILES = {"data.csv": b"data", "dir/a.csv": b"a"}


def make_tree(gateway: Gateway, top: str) -> list[str]:
    """A collection with three levels, in every state; the prefixes of its artifacts."""
    make_gallery(gateway, top)
    make_gallery(gateway, f"{top}/shelf")
    make_gallery(gateway, f"{top}/shelf/box")
    for member in ("m1", "shelf/m2", "shelf/box/m3", "shelf/box/m4"):
        publish(gateway, f"{top}/{member}", FILES)
    client = gateway.s3()
    put(client, top, {"cover.png": b"staged cover"})
    put(client, f"{top}/shelf/m2", {"data.csv": b"staged", "_manifest.yaml": manifest(name="next")})
    client.delete_object(Bucket=WORKSPACE, Key=f"{top}/shelf/box/m3/data.csv")
    put(client, f"{top}/shelf/new", {"x": b"x", "_manifest.yaml": manifest()})
    put(client, f"{top}/shelf/waits", {"x": b"waits", "deep/y": b"waits"})
    put(client, f"{top}/shelf/box/waits", {"z": b"waits"})
    members = ("m1", "shelf", "shelf/m2", "shelf/new", "shelf/box", "shelf/box/m3", "shelf/box/m4")
    return [top, *(f"{top}/{member}" for member in members)]


def check_gone(gateway: Gateway, client: S3Client, prefixes: list[str]) -> None:
    """Nothing of the tree is there for anybody, and what was committed is stored still."""
    top = prefixes[0]
    for prefix in prefixes:
        assert version_of(gateway, prefix) == 0, prefix
    for reader in (gateway.s3("read"), gateway.s3(), client):
        assert reader.list_objects_v2(Bucket=WORKSPACE, Prefix=f"{top}/")["KeyCount"] == 0
    stored = client.list_object_versions(Bucket=WORKSPACE, Prefix=f"{top}/m1/data.csv")
    assert [each["Size"] for each in stored["Versions"]] == [4]
    with refused("NoSuchArtifact", 404):
        gateway.rpc("delete", prefix=top, recursive=True)
    assert publish(gateway, top, {}) == 3


def test_everything_below_goes(gateway: Gateway, backend: Backend, prefix: str) -> None:
    beside = f"{prefix}-beside"
    publish(gateway, beside, FILES)
    prefixes = make_tree(gateway, prefix)
    with refused("CollectionNotEmpty", 409) as refusal:
        gateway.rpc("delete", prefix=prefix)
    assert set(refusal.details["members"]) == set(prefixes[1:])
    assert version_of(gateway, f"{prefix}/shelf/box/m4") == 1
    gateway.rpc("delete", prefix=prefix, recursive=True)
    check_gone(gateway, backend.client(), prefixes)
    assert version_of(gateway, beside) == 1


def is_empty(client: S3Client, prefix: str) -> bool:
    """Whether the backend shows no key below a prefix."""
    answer = client.list_objects_v2(Bucket=WORKSPACE, Prefix=f"{prefix}/")
    return bool(answer["KeyCount"] == 0)


@pytest.fixture
def fragile(
    backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, WireTap]]:
    """A gateway that may be killed, and its wire."""
    with WireTap(backend.endpoint_url) as tap:
        running = Gateway(
            backend,
            tmp_path_factory.mktemp("fragile"),
            settings={"system": {"bucket": "system-of-the-fragile", "prefix": ""}},
            endpoint_url=tap.url,
        )
        try:
            yield running.start(), tap
        finally:
            running.stop()


# Where the kill comes: at the nth request of the delete that looks so.
STOPS = {
    "a later tombstone": ("PUT", "system-of-the-fragile/.*records/", 4),
    "a member's file": ("DELETE", "shelf/box/m4/", 1),
    "the collection's own files": ("DELETE", "/cover.png|waits", 2),
    "the collection's manifest": ("DELETE", "shelf/manifest.yaml", 1),
}


def test_a_delete_that_is_killed_anywhere_can_be_repeated(
    fragile: tuple[Gateway, WireTap], backend: Backend
) -> None:
    gateway, tap = fragile
    client = backend.client()
    for method, target, nth in STOPS.values():
        prefix = gateway.new_prefix()
        prefixes = make_tree(gateway, prefix)
        pause = tap.pause_on(method, target, nth=nth, when="after")
        with ThreadPoolExecutor(1) as threads:
            deleting = threads.submit(gateway.rpc, "delete", prefix=prefix, recursive=True)
            pause.wait(60)
            gateway.kill()
            pause.drop()
            assert deleting.exception() is not None
        gateway.start()
        # Where the collection's own tombstone stood, the start has finished it.
        try:
            gateway.rpc("delete", prefix=prefix, recursive=True)
        except RpcError as error:
            if error.code != "NoSuchArtifact":
                raise
        assert wait_until(partial(is_empty, client, prefix)), (method, target)
        check_gone(gateway, client, prefixes)


def test_a_collection_with_many_members_goes_some_at_a_time(
    tapped: Gateway, tap: WireTap, backend: Backend
) -> None:
    prefix = tapped.new_prefix()
    make_gallery(tapped, prefix)
    client = tapped.s3()

    def make(number: int) -> None:
        put(client, f"{prefix}/{number}", {"a.csv": b"a", "manifest.yaml": manifest()})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(make, range(LARGE)))
    assert tapped.rpc("read", prefix=prefix)["_child_count"] == LARGE
    # Eight members stand still at once: they don't go one after the other.
    pauses = [tap.pause_on("DELETE", f"{prefix}/", nth=nth) for nth in range(1, 10)]
    with ThreadPoolExecutor(1) as threads:
        deleting = threads.submit(tapped.rpc, "delete", prefix=prefix, recursive=True)
        for pause in pauses[:8]:
            pause.wait(60)
        assert not pauses[8].reached
        for pause in pauses:
            pause.resume()
        pauses[8].wait(60)
        pauses[8].resume()
        deleting.result(100)
    assert version_of(tapped, f"{prefix}/7") == 0
    assert is_empty(backend.client(), prefix)
