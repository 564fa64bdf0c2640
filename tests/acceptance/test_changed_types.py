"""An artifact that becomes a collection, or is one no longer: whose the deeper files are then."""

import pytest

from tests.acceptance.harness import Gateway
from tests.acceptance.steps import refused
from tests.acceptance.views import MANIFEST, STAGED, Artifact

DATASET, COLLECTION = b"type: dataset\n", b"type: collection\n"
DEEP, OWN = "book/x.csv", "own.csv"
FILES = {DEEP: b"deep", OWN: b"own"}


def changed(gateway: Gateway, prefix: str, way: str) -> Artifact:
    """A collection that was a dataset with a deeper file, and became one in this way."""
    artifact = Artifact(gateway, prefix)
    for path, body in FILES.items():
        artifact.put(path, body)
    artifact.put(MANIFEST, DATASET)
    if way == "put":
        artifact.put(MANIFEST, COLLECTION)
    else:
        artifact.put(STAGED, COLLECTION)
        artifact.rename()
    return artifact


@pytest.mark.parametrize("way", ["put", "rename"])
def test_deeper_files_of_what_becomes_a_collection_wait_for_a_member(
    gateway: Gateway, public_prefix: str, way: str
) -> None:
    shelf = changed(gateway, public_prefix, way)

    assert shelf.seen_by("read") == {OWN: b"own", MANIFEST: COLLECTION}
    assert shelf.seen_by("write") == {**FILES, MANIFEST: COLLECTION}

    shelf.put(f"book/{MANIFEST}", DATASET)
    assert shelf.seen_by("read") == shelf.seen_by("write")


@pytest.mark.parametrize("back", ["rollback", "put"])
def test_deeper_files_of_what_is_no_collection_any_more_are_its_own(
    gateway: Gateway, public_prefix: str, back: str
) -> None:
    shelf = changed(gateway, public_prefix, "rename")

    if back == "rollback":
        shelf.rpc("rollback", version=1)
    else:
        shelf.put(MANIFEST, DATASET)

    assert shelf.seen_by("read") == shelf.seen_by("write") == {**FILES, MANIFEST: DATASET}


def test_rollback_to_a_type_that_members_forbid_touches_no_members_file(
    gateway: Gateway, public_prefix: str
) -> None:
    shelf = changed(gateway, public_prefix, "put")
    shelf.put(f"book/{MANIFEST}", DATASET)
    member = Artifact(gateway, f"{public_prefix}/book")
    member.put("x.csv", b"the member's")
    member.rpc("commit")

    with refused("NestedArtifact", 409):
        shelf.rpc("rollback", version=1)

    assert member.held() == {"x.csv": b"the member's", MANIFEST: DATASET}
    assert gateway.rpc("list", prefix=public_prefix, stage=True) == []
    with refused("NotStaged", 409):
        shelf.rpc("discard")
