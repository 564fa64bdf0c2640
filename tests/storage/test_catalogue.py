import asyncio
from dataclasses import replace

from gateway.artifact.layout import Role
from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.version import Pin
from tests.storage.index import (
    COLLECTION,
    DATASET,
    LATER,
    MANIFEST,
    NOW,
    WORKSPACE,
    Index,
    next_record,
    pin,
    put,
    removal,
    tombstone,
)

# In the order of their bytes. U+D7FF and U+E000 are neighbours, and U+10FFFF is the last of all.
NAMES = ["!", "-", "0", "B", "a", "a b", "a!", "é", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff"]


def bare(artifact: Artifact) -> Artifact:
    """The artifact without what its manifest says."""
    return replace(artifact, fields=None)


def prefixes(artifacts: list[Artifact]) -> list[str]:
    return [artifact.prefix for artifact in artifacts]


async def test_a_key_is_located_in_the_nearest_artifact(index: Index) -> None:
    root = await index.committed("", fields=COLLECTION)
    gallery = await index.committed("g", fields=COLLECTION)
    member = await index.committed("g/a", pin("x/y"))
    location = await index.catalogue.locate(WORKSPACE, "g/a/x/y")
    assert (location.place.role, location.place.path) == (Role.FILE, "x/y")
    assert (location.artifact, location.pin) == (bare(member), pin("x/y"))
    assert location.above == (bare(member), bare(gallery), bare(root))
    location = await index.catalogue.locate(WORKSPACE, f"g/{MANIFEST}")
    assert location.place.role is Role.MANIFEST
    assert location.artifact == bare(gallery)
    assert location.pin is not None
    location = await index.catalogue.locate(WORKSPACE, "g/b/x")
    assert (location.place.role, location.place.prefix) == (Role.ARRIVING, "g/b")
    assert (location.artifact, location.pin, location.above) == (
        None,
        None,
        (bare(gallery), bare(root)),
    )
    location = await index.catalogue.locate("another", "g/a/x/y")
    assert (location.place.role, location.artifact, location.above) == (Role.ORDINARY, None, ())


async def test_a_key_that_is_staged_or_was_deleted_has_no_pin(index: Index) -> None:
    staged = await index.new("a", DATASET, put("x"))
    location = await index.catalogue.locate(WORKSPACE, "a/x")
    assert staged.stage is not None
    there = replace(staged, stage=replace(staged.stage, fields=None))
    assert (location.artifact, location.pin) == (there, None)
    artifact = await index.commit(staged, pin("x"))
    await index.write(artifact, removal("x"))
    assert (await index.catalogue.locate(WORKSPACE, "a/x")).pin == pin("x")
    await index.commits.bury(artifact.id, tombstone(artifact))
    location = await index.catalogue.locate(WORKSPACE, "a/x")
    assert location.artifact is not None, "its files are still to be removed"
    assert location.pin is None
    await index.endings.end_delete(artifact.id)
    location = await index.catalogue.locate(WORKSPACE, "a/x")
    assert (location.artifact, location.place.role) == (None, Role.ORDINARY)


async def test_an_artifact_is_there_from_its_mark_to_its_end(index: Index) -> None:
    catalogue = index.catalogue
    assert await catalogue.by_id(1) is None
    assert not await catalogue.has_artifacts(WORKSPACE)
    artifact = await index.new("a")
    assert await catalogue.artifact(WORKSPACE, "a") == artifact
    assert await catalogue.artifact("another", "a") is None
    assert await catalogue.artifact(WORKSPACE, "") is None
    assert await catalogue.has_artifacts(WORKSPACE)
    assert not await catalogue.has_artifacts("another")
    assert await catalogue.open_edits() == 1
    artifact = await index.commit(artifact)
    assert await catalogue.open_edits() == 0
    artifact = await index.deleted(artifact)
    assert await catalogue.artifact(WORKSPACE, "a") is None
    assert not await catalogue.has_artifacts(WORKSPACE)
    assert await catalogue.by_id(artifact.id) == artifact


async def test_above_are_the_artifacts_on_the_way_to_the_root_nearest_first(index: Index) -> None:
    for prefix in ("", "g", "g/h/i", "g/h/i/j", "h"):
        await index.committed(prefix, fields=COLLECTION)
    above = index.catalogue.above
    assert prefixes(await above(WORKSPACE, "g/h/i/j")) == ["g/h/i", "g", ""]
    assert prefixes(await above(WORKSPACE, "g/h")) == ["g", ""]
    assert prefixes(await above(WORKSPACE, "g")) == [""]
    assert await above(WORKSPACE, "") == []
    assert await above("another", "g") == []


async def test_descendants_are_what_lies_below_and_lives_in_bytewise_order(index: Index) -> None:
    below = [f"a/{name}" for name in NAMES] + ["a/\U0010ffff/\U0010ffff"]
    for prefix in [*reversed(below), "a", "a-", "a0", "ab", "b"]:
        await index.committed(prefix, fields=COLLECTION)
    await index.new("a/new")
    await index.deleted(await index.committed("a/old"))
    descendants = index.catalogue.descendants
    expected = sorted([*below, "a/new"], key=str.encode)
    assert prefixes(await descendants(WORKSPACE, "a")) == expected
    assert prefixes(await descendants(WORKSPACE, "a/\U0010ffff")) == below[-1:]
    assert await descendants(WORKSPACE, "b") == []
    assert await descendants("another", "") == []
    assert len(await descendants(WORKSPACE, "")) == len(expected) + 5
    await index.committed("")
    assert len(await descendants(WORKSPACE, "")) == len(expected) + 5


async def test_pins_are_sorted_by_the_bytes_of_their_paths(index: Index) -> None:
    artifact = await index.committed("a", *(pin(name) for name in reversed(NAMES)))
    pins = await index.catalogue.pins(artifact.id)
    assert list(pins) == sorted([*NAMES, MANIFEST], key=str.encode)
    assert pins["é"] == pin("é")
    assert await index.catalogue.pin(artifact.id, "é") == pin("é")
    assert await index.catalogue.pin(artifact.id, "e") is None
    assert await index.catalogue.pins(artifact.id + 1) == {}


async def test_the_versions_since_the_last_delete_are_an_artifacts_history(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.deleted(artifact)
    artifact = await index.committed("a", pin("y"))
    record = replace(next_record(artifact, [pin("y", "v2"), pin("z")]), message="ü", time=LATER)
    await index.commits.publish(artifact.id, record, DATASET)
    artifact = await index.again(artifact)
    catalogue = index.catalogue
    history = await catalogue.versions(artifact)
    assert [(each.number, each.parent, each.message) for each in history] == [
        (4, 3, "ü"),
        (3, 0, "why"),
    ]
    assert history[0] == replace(record, pins=())
    assert [await catalogue.has_version(artifact, number) for number in range(6)] == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]
    newest = await catalogue.record(artifact, 4)
    assert newest is not None
    assert newest.manifest == record.manifest
    assert [each for each in newest.pins if each.path != MANIFEST] == list(record.pins)
    grave = await catalogue.record(artifact, 2)
    assert grave is not None
    assert (grave.manifest, grave.pins) == (None, ())
    assert await catalogue.record(artifact, 5) is None
    assert await catalogue.pin(artifact.id, "y", 3) == pin("y")
    assert await catalogue.pin(artifact.id, "x", 1) == pin("x")


async def test_a_backend_version_is_found_in_whatever_commit_pins_it(index: Index) -> None:
    artifact = await index.committed("a", pin("x", "v1"), pin("y", "v2"))
    artifact = await index.commit(artifact, pin("x", "v3"), pin("y", "v2", weight=5))
    catalogue = index.catalogue
    assert await catalogue.pinned_ids(WORKSPACE, "a/x") == {"v1", "v3"}
    assert await catalogue.pinned_ids(WORKSPACE, "a/y") == {"v2"}
    assert await catalogue.pinned_ids(WORKSPACE, f"a/{MANIFEST}") == set()
    assert await catalogue.pinned_ids("another", "a/x") == set()
    assert await catalogue.pinned(WORKSPACE, "a/x", "v1") == pin("x", "v1")
    assert await catalogue.pinned(WORKSPACE, "a/x", "v1", since=1) is None
    assert await catalogue.pinned(WORKSPACE, "a/x", "v3", since=1) == pin("x", "v3")
    assert await catalogue.pinned(WORKSPACE, "a/x", "v2") is None
    assert await catalogue.pinned("another", "a/x", "v1") is None
    await index.deleted(artifact)
    assert await catalogue.pinned(WORKSPACE, "a/x", "v1") == pin("x", "v1")
    assert await catalogue.pinned_ids(WORKSPACE, "a/x") == {"v1", "v3"}


async def test_a_page_of_pins_is_in_the_order_of_the_keys_bytes(index: Index) -> None:
    artifact = await index.committed("a", *(pin(name) for name in NAMES))
    other = await index.committed("a-", pin("x"))
    await index.committed("b", pin("x"))
    await index.commit(other, pin("x", "v2"))
    keys = sorted(
        [f"a/{name}" for name in [*NAMES, MANIFEST]] + [f"a-/{MANIFEST}", "a-/x"], key=str.encode
    )

    async def page(prefix: str, after: str, limit: int, *ids: int) -> list[str]:
        found = await index.catalogue.pin_page(WORKSPACE, prefix, after, limit, ids or None)
        return [key for key, _ in found]

    assert await page("a", "", 100) == keys
    read: list[str] = []
    while more := await page("a", read[-1] if read else "", 4):
        assert len(more) <= 4
        read += more
    assert read == keys
    assert await page("a/a", "", 100) == ["a/a", "a/a b", "a/a!"]
    assert await page("a/\ud7ff", "", 100) == ["a/\ud7ff"]
    assert await page("a/\U0010ffff", "", 100) == ["a/\U0010ffff"]
    assert await page("\U0010ffff", "", 100) == []
    assert await page("a", "a/\U0001f600", 100) == ["a/\U0010ffff"]
    assert await page("", "a/\U0010ffff", 1) == [f"b/{MANIFEST}"]
    assert await page("", "", 100, other.id) == [f"a-/{MANIFEST}", "a-/x"]
    assert await page("", "", 3, artifact.id, other.id) == keys[:3]
    assert await page("a", "", 0) == []
    assert await index.catalogue.pin_page("another", "", "", 100) == []
    assert await index.catalogue.pin_page(WORKSPACE, "a-/x", "", 100) == [("a-/x", pin("x", "v2"))]
    assert await index.catalogue.pin_page(WORKSPACE, "", "", 100, []) == []


async def test_no_string_that_is_asked_for_is_an_error(index: Index) -> None:
    artifact = await index.committed("a", pin("b"))
    await index.new("a")
    catalogue = index.catalogue
    for prefix, there in {"a": 2, "a/b\0": 0, "\0": 0, "a/" * 500: 0}.items():
        assert len(await catalogue.pin_page(WORKSPACE, prefix, "\0", 9)) == there
        assert len(await catalogue.marked(WORKSPACE, prefix)) == (prefix != "\0")
        assert await catalogue.arrivals(WORKSPACE, prefix) == []
    assert len(await catalogue.pin_page(WORKSPACE, "", "a/b\0", 9)) == 1
    assert await catalogue.artifact(WORKSPACE, "a\0") is None
    assert await catalogue.descendants(WORKSPACE, "a\0") == []
    assert await catalogue.pinned(WORKSPACE, "a/b", "v1\0") is None
    assert await catalogue.pin(artifact.id, "b\0") is None


async def test_large_numbers_are_kept(index: Index) -> None:
    large = Pin("x", (1 << 63) - 1, '"e"', "v1", NOW, "text/csv", 1_000_000_000_000)
    artifact = await index.committed("a", large)
    assert await index.catalogue.pin(artifact.id, "x") == large


async def test_staged_files_are_sorted_by_the_bytes_of_their_paths(index: Index) -> None:
    artifact = await index.new("a", DATASET, *(put(name) for name in reversed(NAMES)))
    files = await index.files(artifact)
    assert list(files) == NAMES
    assert files["é"] == put("é")


async def test_a_listing_meets_the_marks_at_above_and_below_its_prefix(index: Index) -> None:
    for place in ["", "g", "g/a", "g/a/b", "g/ä", "h"]:
        await index.begin_new(place)
        await index.announcements.arrive(WORKSPACE, place)
    for prefix, met in {
        "": ["", "g", "g/a", "g/a/b", "g/ä", "h"],
        "g": ["", "g", "g/a", "g/a/b", "g/ä"],
        "g/": ["", "g", "g/a", "g/a/b", "g/ä"],
        "g/a": ["", "g", "g/a", "g/a/b"],
        "g/a/": ["", "g", "g/a", "g/a/b"],
        "g/a/x": ["", "g", "g/a"],
        "g/a/b/x/y/": ["", "g", "g/a", "g/a/b"],
        "g/\U0010ffff": ["", "g"],
        "i": [""],
        "i/\n/j": [""],
    }.items():
        marked = await index.catalogue.marked(WORKSPACE, prefix)
        assert sorted(prefixes(marked)) == met, prefix
        assert sorted(await index.catalogue.arrivals(WORKSPACE, prefix)) == met, prefix
        assert await index.catalogue.marked("another", prefix) == []
        assert await index.catalogue.arrivals("another", prefix) == []


async def test_marked_is_what_is_edited_discarded_or_deleted(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    assert await index.catalogue.marked(WORKSPACE, "") == []
    await index.write(artifact, put("x", "v2"))
    assert await index.catalogue.marked(WORKSPACE, "") == [await index.again(artifact)]
    await index.endings.begin_discard(artifact, NOW)
    (edited,) = await index.catalogue.marked(WORKSPACE, "")
    assert edited.unfinished == "discarding"
    await index.discard(artifact)
    assert await index.catalogue.marked(WORKSPACE, "") == []
    await index.commits.bury(artifact.id, tombstone(artifact))
    (gone,) = await index.catalogue.marked(WORKSPACE, "")
    assert (gone.unfinished, gone.state) == ("deleting", State.NOTHING)
    await index.endings.end_delete(artifact.id)
    assert await index.catalogue.marked(WORKSPACE, "") == []


async def test_a_commit_is_marked_until_its_plain_keys_are_written(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    intent = await index.worker_intents.intend_to_commit(artifact, number=2, now=NOW)
    assert intent is not None
    await index.write(artifact, put("x", "v2"))
    assert prefixes(await index.catalogue.marked(WORKSPACE, "a/")) == ["a"]
    after = await index.commit(artifact, pin("x", "v2"))
    assert (after.version, after.stage) == (2, None)
    assert await index.catalogue.marked(WORKSPACE, "a/") == [after]
    await index.endings.finish(intent)
    assert await index.catalogue.marked(WORKSPACE, "a/") == []


async def test_an_announced_file_is_awaited_until_it_is_renounced(index: Index) -> None:
    artifact, other = await index.new("a"), await index.new("b")
    announcements = index.announcements
    for path, weight in {"é": 5, "z": None, "a": 0}.items():
        await announcements.announce(artifact, path, weight, NOW)
    await announcements.announce(artifact, "z", 1_000_000_000_000, LATER)
    found = await index.catalogue.announcements(artifact.id)
    assert list(found.items()) == [("a", 0), ("z", 1_000_000_000_000), ("é", 5)]
    assert await index.catalogue.announcements(other.id) == {}
    assert not await announcements.renounce(other, "z")
    assert await announcements.renounce(artifact, "z")
    assert not await announcements.renounce(artifact, "z")
    assert (await index.catalogue.announcements(artifact.id)).keys() == {"a", "é"}


async def test_announcements_and_arrivals_at_once_are_kept_once(index: Index, other: Index) -> None:
    artifact = await index.new("a")
    await asyncio.gather(
        *(each.announcements.announce(artifact, "x", 5, NOW) for each in [index, other] * 3),
        *(each.announcements.arrive(WORKSPACE, "g/a") for each in [index, other] * 3),
    )
    assert await index.catalogue.announcements(artifact.id) == {"x": 5}
    assert await index.catalogue.arrivals(WORKSPACE, "") == ["g/a"]


async def test_keys_of_every_spelling_are_located_with_their_pins(index: Index) -> None:
    """The one statement that locates finds what each place is, for whatever characters."""
    paths = [f"{name}/{name}.csv" for name in NAMES if name != "é"] + ["é.csv"]
    root = await index.committed("", *map(pin, paths))
    for path in paths:
        location = await index.catalogue.locate(WORKSPACE, path)
        assert (location.artifact, location.pin) == (bare(root), pin(path)), path
    nested = await index.committed("ä/é", *map(pin, paths))
    for path in paths:
        location = await index.catalogue.locate(WORKSPACE, f"ä/é/{path}")
        assert (location.artifact, location.pin) == (bare(nested), pin(path)), path
    deep = "/".join("d" * 400)
    assert (await index.catalogue.locate(WORKSPACE, f"{deep}/x")).artifact == bare(root)
    assert (await index.catalogue.locate(WORKSPACE, "a\0/x")).pin is None
