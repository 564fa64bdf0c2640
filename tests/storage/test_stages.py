import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.version import StagedFile
from gateway.storage import tables
from gateway.storage.database import Database
from gateway.storage.marks import Intent
from tests.storage.index import (
    COLLECTION,
    DATASET,
    LATER,
    MANIFEST,
    NOW,
    STAGED,
    WORKSPACE,
    Index,
    pin,
    put,
    removal,
    staged_manifest,
    tombstone,
)


@pytest.fixture
def index(database: Database) -> Index:
    return Index(database)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Index]:
    """Another worker, with connections of its own."""
    async with Database(database_url) as database:
        yield Index(database, "w2")


def stage_id(artifact: Artifact) -> str:
    assert artifact.stage is not None
    return artifact.stage.id


async def test_a_write_that_begins_leaves_a_mark_and_an_intent(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    assert await index.catalogue.open_edits() == 0
    marked, intent = await index.stages.begin(artifact, "x", author="bob", now=LATER)
    assert marked == await index.again(artifact)
    assert marked.state is State.EDITING
    assert marked.stage is not None
    assert (marked.stage.opened_by, marked.stage.opened_at) == ("bob", LATER)
    assert not marked.manifest_staged
    assert intent == Intent(intent.id, artifact.id, "write", "x")
    async with index.database.reading() as connection:
        row = (await connection.execute(select(tables.intent))).mappings().one()
    assert dict(row) == {
        "id": intent.id,
        "worker_id": "w1",
        "artifact_id": artifact.id,
        "action": "write",
        "path": "x",
        "number": 0,
        "created_at": LATER,
    }
    assert await index.catalogue.open_edits() == 1


async def test_writes_that_begin_at_once_set_one_mark(index: Index, other: Index) -> None:
    artifact = await index.committed("a")
    begun = await asyncio.gather(
        *(
            each.stages.begin(artifact, f"{n}", author=f"{n}", now=NOW)
            for n, each in enumerate([index, other] * 4)
        )
    )
    assert len({stage_id(marked) for marked, _ in begun}) == 1
    assert len({marked.stage.opened_by for marked, _ in begun if marked.stage}) == 1
    assert len({intent.id for _, intent in begun}) == await index.intents() == 8


async def test_first_manifests_put_at_once_make_one_artifact(index: Index, other: Index) -> None:
    begun = await asyncio.gather(*(each.begin_new("a") for each in [index, other] * 3))
    assert len({(marked.id, stage_id(marked)) for marked, _ in begun}) == 1
    artifact = begun[0][0]
    assert (artifact.state, artifact.type, artifact.collection) == (State.NEW, "dataset", False)
    assert await index.intents() == 6


async def test_a_second_manifest_does_not_say_yet_what_an_artifact_is(index: Index) -> None:
    artifact = await index.committed("a", fields=COLLECTION)
    marked, intent = await index.begin_new("a", DATASET)
    assert (marked.id, marked.type, marked.collection) == (artifact.id, "collection", True)
    marked = await index.settle_manifest(intent, staged_manifest(fields=DATASET))
    assert (marked.type, marked.collection) == ("collection", True)
    assert marked.stage is not None
    assert marked.stage.fields == DATASET
    marked = await index.commit(marked, fields=DATASET)
    assert (marked.type, marked.collection) == ("dataset", False)


async def test_an_artifact_that_is_new_is_what_its_staged_manifest_says(index: Index) -> None:
    artifact = await index.new("a", COLLECTION)
    assert artifact.collection
    _, intent = await index.begin_new("a", DATASET)
    artifact = await index.settle_manifest(intent, staged_manifest("m2"))
    assert (artifact.type, artifact.collection) == ("dataset", False)
    assert artifact.stage is not None
    assert (artifact.stage.etag, artifact.stage.version_id) == ('"m2"', "m2")


async def test_an_intent_stands_until_it_is_carried_out(index: Index) -> None:
    artifact = await index.new("a")
    intent = await index.stages.intend(artifact, "commit", number=1, now=NOW)
    assert intent == Intent(intent.id, artifact.id, "commit", number=1)
    assert await index.intents() == 1
    for _ in range(2):
        await index.stages.finish(intent)
        assert await index.intents() == 0
    assert await index.again(artifact) == artifact


async def test_a_write_that_came_to_nothing_ends_its_edit(index: Index) -> None:
    artifact = await index.committed("a")
    intents = [await index.begin(artifact, path) for path in ("x", "y")]
    await index.stages.drop(intents[0])
    assert (await index.again(artifact)).state is State.EDITING
    await index.stages.drop(intents[1])
    assert await index.again(artifact) == artifact
    await index.stages.drop(intents[1])
    assert await index.again(artifact) == artifact


async def test_a_write_that_came_to_nothing_leaves_what_else_is_staged(index: Index) -> None:
    artifact = await index.committed("a")
    await index.write(artifact, put("x"))
    before = await index.again(artifact)
    await index.stages.drop(await index.begin(artifact, "y"))
    assert await index.again(artifact) == before
    assert before.state is State.EDITING


async def test_a_first_manifest_that_came_to_nothing_leaves_no_artifact(index: Index) -> None:
    artifact, intent = await index.begin_new("a")
    assert await index.catalogue.artifact(WORKSPACE, "a") == artifact
    await index.stages.drop(intent)
    assert await index.catalogue.artifact(WORKSPACE, "a") is None
    assert (await index.again(artifact)).state is State.NOTHING
    assert await index.intents() == 0


async def test_what_was_put_is_staged_and_the_last_of_a_path_counts(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    file = StagedFile("x", size=1 << 40, etag='"e"', version_id="v2", weight=500_000)
    await index.write(artifact, put("x", "v3"))
    await index.write(artifact, file)
    await index.write(artifact, removal("none"))
    assert await index.files(artifact) == {"x": file}
    await index.write(artifact, removal("x"))
    assert await index.files(artifact) == {"x": removal("x")}
    assert (await index.again(artifact)).state is State.EDITING


@pytest.mark.parametrize(
    "staged",
    [
        StagedFile("x", version_id="v1"),
        replace(put("x"), version_id="v2"),
        replace(put("x"), version_id="v2", weight=5),
    ],
    ids=["the-pinned-version", "equal-bytes", "equal-weight"],
)
async def test_what_equals_its_pin_is_not_staged(index: Index, staged: StagedFile) -> None:
    artifact = await index.committed("a", pin("x", weight=5))
    await index.write(artifact, put("x", "v9"))
    intent = await index.begin(artifact, "x")
    await index.settle(intent, staged)
    assert await index.files(artifact) == {}
    assert await index.again(artifact) == artifact
    assert await index.intents() == 0


@pytest.mark.parametrize(
    "changed",
    [{"etag": '"e"'}, {"size": 8}, {"content_type": "text/plain"}, {"weight": 6}, {"weight": 0}],
    ids=str,
)
async def test_what_differs_from_its_pin_is_staged(
    index: Index, changed: dict[str, object]
) -> None:
    artifact = await index.committed("a", pin("x", weight=5))
    staged = replace(put("x"), version_id="v2", **changed)
    await index.write(artifact, staged)
    assert await index.files(artifact) == {"x": staged}


async def test_what_is_gone_is_staged_where_it_is_pinned(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    for path in ("x", "y", MANIFEST):
        await index.settle(await index.begin(artifact, path), None)
    assert await index.files(artifact) == {"x": removal("x")}


async def test_what_a_commit_pinned_meanwhile_is_not_staged(index: Index) -> None:
    artifact = await index.new("a")
    intent = await index.begin(artifact, "x")
    artifact = await index.commit(artifact, pin("x"))
    assert artifact.state is State.EDITING
    await index.settle(intent, put("x"))
    artifact = await index.again(artifact)
    assert artifact.state is State.COMMITTED
    assert await index.files(artifact) == {}


async def test_what_was_put_after_a_commit_opens_the_edit_again(index: Index) -> None:
    artifact = await index.new("a")
    intent = await index.begin(artifact, "x")
    artifact = await index.commit(artifact, pin("x"))
    await index.settle(intent, put("x", "v2"))
    assert await index.files(artifact) == {"x": put("x", "v2")}
    assert (await index.again(artifact)).state is State.EDITING


@pytest.mark.parametrize("committed", [False, True])
async def test_what_is_undone_while_a_commit_is_under_way_stays_staged(
    index: Index, *, committed: bool
) -> None:
    if committed:
        await index.committed("a", pin("x"))
    artifact = await index.new("a", DATASET, put("x", "v2"), put("y"))
    intent = await index.stages.intend(artifact, "commit", number=artifact.number + 1, now=NOW)
    back = put("x") if committed else None
    await index.settle(await index.begin(artifact, "x"), back)
    await index.settle(await index.begin(artifact, "y"), None)
    artifact = await index.commit(artifact, pin("x", "v2"), pin("y"))
    await index.stages.finish(intent)
    assert (await index.again(artifact)).state is State.EDITING
    assert await index.files(artifact) == {"x": back or removal("x"), "y": removal("y")}


async def test_a_commit_that_failed_leaves_no_edit_without_a_difference(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.write(artifact, put("x", "v2"))
    await index.write(artifact, put("y"))
    intent = await index.stages.intend(artifact, "commit", number=2, now=NOW)
    await index.settle(await index.begin(artifact, "x"), replace(put("x"), version_id="v3"))
    await index.settle(await index.begin(artifact, "y"), None)
    assert (await index.again(artifact)).state is State.EDITING
    await index.stages.finish(intent)
    assert await index.again(artifact) == artifact
    assert await index.files(artifact) == {}


async def test_without_its_staged_manifest_a_new_artifact_is_none(index: Index) -> None:
    artifact = await index.new("a", DATASET, put("x"))
    await index.announcements.announce(artifact, "y", None, NOW)
    gone = await index.settle_manifest(await index.begin(artifact, STAGED), None)
    assert gone.state is State.NOTHING
    assert gone.type is None
    assert await index.catalogue.artifact(WORKSPACE, "a") is None
    assert await index.files(artifact) == {}
    assert await index.catalogue.announcements(artifact.id) == {}
    assert await index.catalogue.arrivals(WORKSPACE, "") == []


async def test_without_its_staged_manifest_a_committed_artifact_is_edited_by_its_files(
    index: Index,
) -> None:
    artifact = await index.committed("a")
    staged = await index.new("a")
    assert staged.manifest_staged
    await index.write(artifact, put("x"))
    left = await index.settle_manifest(await index.begin(artifact, STAGED), None)
    assert stage_id(left) == stage_id(staged)
    assert not left.manifest_staged
    await index.write(artifact, removal("x"))
    assert await index.again(artifact) == artifact


@pytest.mark.parametrize("late", [False, True], ids=["under-way", "begun-after"])
async def test_a_file_that_settles_in_what_is_no_artifact_any_more_is_not_staged(
    index: Index, *, late: bool
) -> None:
    artifact = await index.new("a")
    intents = [] if late else [await index.begin(artifact, "x")]
    await index.settle_manifest(await index.begin(artifact, STAGED), None)
    intents = intents or [await index.begin(artifact, "x")]
    await index.settle(intents[0], put("x"))
    assert await index.catalogue.artifact(WORKSPACE, "a") is None
    assert await index.files(artifact) == {}
    assert await index.intents() == 0
    await index.settle(intents[0], put("x"))
    assert await index.catalogue.artifact(WORKSPACE, "a") is None


async def test_a_file_put_beside_a_first_manifest_waits_for_it(index: Index) -> None:
    artifact, manifest = await index.begin_new("a")
    await index.write(artifact, put("x"))
    assert (await index.again(artifact)).state is State.NEW
    await index.settle_manifest(manifest, staged_manifest())
    assert await index.files(artifact) == {"x": put("x")}


@pytest.mark.parametrize(
    ("prefix", "waiting"), [("c/a", "c/a"), ("c/a/b", "c/a"), ("d/a", None), ("ca", None)]
)
async def test_below_a_collection_the_files_of_what_is_no_artifact_wait_for_a_manifest(
    index: Index, prefix: str, waiting: str | None
) -> None:
    await index.committed("c", fields=COLLECTION)
    await index.committed("d")
    artifact = await index.new(prefix, DATASET, put("x"))
    await index.settle_manifest(await index.begin(artifact, STAGED), None)
    expected = [] if waiting is None else [waiting]
    assert await index.catalogue.arrivals(WORKSPACE, "") == expected


async def test_below_a_root_that_is_a_collection_the_first_directory_waits(index: Index) -> None:
    await index.committed("", fields=COLLECTION)
    artifact = await index.new("ä/b")
    await index.settle_manifest(await index.begin(artifact, STAGED), None)
    assert await index.catalogue.arrivals(WORKSPACE, "") == ["ä"]


async def test_an_artifact_is_emptied_when_every_pin_is_removed_and_nothing_put(
    index: Index,
) -> None:
    artifact = await index.committed("a", pin("x"), pin("y"))
    assert not await index.stages.emptied(artifact)
    for path in ("x", "y", MANIFEST):
        assert not await index.stages.emptied(artifact)
        await index.write(artifact, removal(path))
    assert await index.stages.emptied(artifact)
    await index.write(artifact, put("z"))
    assert not await index.stages.emptied(artifact)
    await index.settle(await index.begin(artifact, "z"), None)
    assert await index.stages.emptied(artifact)
    await index.new("a")
    assert not await index.stages.emptied(artifact)


async def test_a_discard_ends_upload_urls_at_once_and_the_edit_at_its_end(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    staged = await index.new("a", DATASET, put("x", "v2"), removal("y"))
    await index.announcements.announce(artifact, "z", None, NOW)
    intent = await index.stages.begin_discard(staged, LATER)
    under_way = await index.again(artifact)
    assert under_way.unfinished == "discarding"
    assert stage_id(under_way) != stage_id(staged)
    assert (intent.action, await index.intents()) == ("discard", 1)
    for _ in range(2):
        await index.stages.end_discard(intent)
        assert await index.again(artifact) == artifact
        assert await index.files(artifact) == {}
        assert await index.catalogue.announcements(artifact.id) == {}
        assert await index.intents() == 0


async def test_a_discard_of_what_was_never_committed_leaves_nothing(index: Index) -> None:
    await index.committed("c", fields=COLLECTION)
    artifact = await index.new("c/a", DATASET, put("x"))
    await index.stages.end_discard(await index.stages.begin_discard(artifact, NOW))
    assert await index.catalogue.artifact(WORKSPACE, "c/a") is None
    assert await index.files(artifact) == {}
    assert await index.catalogue.arrivals(WORKSPACE, "") == []


@pytest.mark.parametrize("committed", [False, True])
async def test_a_discard_leaves_the_mark_to_a_write_under_way(
    index: Index, *, committed: bool
) -> None:
    if committed:
        await index.committed("a")
    artifact = await index.new("a")
    intent = await index.begin(artifact, "x")
    await index.stages.end_discard(await index.stages.begin_discard(artifact, NOW))
    under_way = await index.again(artifact)
    assert under_way.stage is not None
    assert not under_way.manifest_staged
    assert under_way.unfinished == ""
    await index.settle(intent, put("x"))
    assert await index.files(artifact) == ({"x": put("x")} if committed else {})
    expected = State.EDITING if committed else State.NOTHING
    assert (await index.again(artifact)).state is expected


async def test_the_end_of_a_delete_takes_its_intents_and_nothing_else_away(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    write = await index.begin(artifact, "x")
    for _ in range(2):
        await index.stages.intend(artifact, "delete", number=2, now=NOW)
    await index.commits.bury(artifact.id, tombstone(artifact))
    assert (await index.again(artifact)).unfinished == "deleting"
    assert await index.catalogue.artifact(WORKSPACE, "a") is not None
    for _ in range(2):
        await index.stages.end_delete(artifact.id)
        assert await index.intents() == 1
        assert await index.catalogue.artifact(WORKSPACE, "a") is None
    await index.settle(write, put("x", "v2"))
    assert await index.intents() == 0
    assert await index.catalogue.artifact(WORKSPACE, "a") is None


@pytest.mark.parametrize("settled_first", [False, True])
async def test_a_write_that_begins_during_a_delete_makes_no_artifact(
    index: Index, *, settled_first: bool
) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.commits.bury(artifact.id, tombstone(artifact))
    write = await index.begin(artifact, "x")
    if settled_first:
        await index.settle(write, put("x", "v2"))
        await index.stages.end_delete(artifact.id)
    else:
        await index.stages.end_delete(artifact.id)
        await index.settle(write, put("x", "v2"))
    assert (await index.again(artifact)).state is State.NOTHING
    assert await index.catalogue.artifact(WORKSPACE, "a") is None
    assert await index.files(artifact) == {}


async def test_intents_of_the_dead_are_taken_over_oldest_first_and_once(
    index: Index, other: Index
) -> None:
    artifact = await index.committed("a")
    dead = [Index(index.database, f"dead{n}") for n in range(2)]
    begun: list[Intent] = []
    for n in range(6):
        now = NOW + timedelta(microseconds=n)
        stages = dead[n % 2].stages
        begun.append((await stages.begin(artifact, f"{n}", author="a", now=now))[1])
    mine = await index.begin(artifact, "mine")
    await Index(index.database, "alive").begin(artifact, "theirs")
    assert await index.stages.abandoned([]) == []
    assert await index.stages.abandoned(["dead0", "w1"]) == begun[::2]
    taken = await asyncio.gather(
        *(each.stages.abandoned(["dead0", "dead1"]) for each in [index, other] * 2)
    )
    assert sorted(taken, key=len) == [[], [], [], begun[1::2]]
    await index.stages.finish(mine)
    assert await index.intents() == 7
