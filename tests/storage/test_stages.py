import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.version import StagedFile
from gateway.errors import OperationAborted
from gateway.storage import tables
from gateway.storage.intents import Intent
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


def stage_id(artifact: Artifact) -> str:
    assert artifact.stage is not None
    return artifact.stage.id


async def test_a_write_that_begins_leaves_a_mark_and_an_intent(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    assert await index.catalogue.open_edits() == 0
    marked, intent = await index.stages.begin(artifact, "x", author="bob", now=LATER)
    assert marked == replace(await index.again(artifact), fields=None)
    assert marked.state is State.EDITING
    assert marked.stage is not None
    assert (marked.stage.opened_by, marked.stage.opened_at) == ("bob", LATER)
    assert not marked.manifest_staged
    assert intent == Intent(intent.id, artifact.id, "write", "x", number=1)
    async with index.database.reading() as connection:
        row = (await connection.execute(select(tables.intent))).mappings().one()
    assert dict(row) == {
        "id": intent.id,
        "worker_id": "w1",
        "artifact_id": artifact.id,
        "action": "write",
        "path": "x",
        "number": 1,
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
    await index.settle_manifest(intent, staged_manifest(fields=DATASET))
    marked = await index.again(artifact)
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
    intent = await index.worker_intents.intend(artifact, "commit", number=1, now=NOW)
    assert intent == Intent(intent.id, artifact.id, "commit", number=1)
    assert await index.intents() == 1
    for _ in range(2):
        await index.endings.finish(intent)
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


async def test_what_equals_its_pin_is_not_staged(index: Index) -> None:
    artifact = await index.committed("a", pin("x", weight=5))
    for staged in (
        StagedFile("x", version_id="v1"),
        replace(put("x"), version_id="v2"),
        replace(put("x"), version_id="v2", weight=5),
    ):
        await index.write(artifact, put("x", "v9"))
        await index.write(artifact, staged)
        assert await index.files(artifact) == {}
        assert await index.again(artifact) == artifact
        assert await index.intents() == 0


async def test_what_differs_from_its_pin_is_staged(index: Index) -> None:
    artifact = await index.committed("a", pin("x", weight=5))
    other = replace(put("x"), version_id="v2")
    for staged in (
        replace(other, etag='"e"'),
        replace(other, size=8),
        replace(other, content_type="text/plain"),
        replace(other, weight=6),
        replace(other, weight=0),
    ):
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
    intent = await index.worker_intents.intend(
        artifact, "commit", number=artifact.number + 1, now=NOW
    )
    back = put("x") if committed else None
    await index.settle(await index.begin(artifact, "x"), back)
    await index.settle(await index.begin(artifact, "y"), None)
    artifact = await index.commit(artifact, pin("x", "v2"), pin("y"))
    await index.endings.finish(intent)
    assert (await index.again(artifact)).state is State.EDITING
    assert await index.files(artifact) == {"x": back or removal("x"), "y": removal("y")}


async def test_a_commit_that_failed_leaves_no_edit_without_a_difference(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.write(artifact, put("x", "v2"))
    await index.write(artifact, put("y"))
    intent = await index.worker_intents.intend(artifact, "commit", number=2, now=NOW)
    await index.settle(await index.begin(artifact, "x"), replace(put("x"), version_id="v3"))
    await index.settle(await index.begin(artifact, "y"), None)
    assert (await index.again(artifact)).state is State.EDITING
    await index.endings.finish(intent)
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


async def test_a_file_that_settles_in_what_is_no_artifact_any_more_is_not_staged(
    index: Index,
) -> None:
    artifact = await index.new("a")
    intent = await index.begin(artifact, "x")
    await index.settle_manifest(await index.begin(artifact, STAGED), None)
    for _ in range(2):
        await index.settle(intent, put("x"))
        assert await index.catalogue.artifact(WORKSPACE, "a") is None
        assert await index.files(artifact) == {}
        assert await index.intents() == 0


async def test_no_write_begins_in_what_is_no_artifact_any_more(index: Index) -> None:
    artifact = await index.new("a")
    await index.settle_manifest(await index.begin(artifact, STAGED), None)
    with pytest.raises(OperationAborted):
        await index.begin(artifact, "x")
    assert (await index.again(artifact)).state is State.NOTHING
    assert await index.intents() == 0


async def test_a_file_put_beside_a_first_manifest_waits_for_it(index: Index) -> None:
    artifact, manifest = await index.begin_new("a")
    await index.write(artifact, put("x"))
    assert (await index.again(artifact)).state is State.NEW
    await index.settle_manifest(manifest, staged_manifest())
    assert await index.files(artifact) == {"x": put("x")}


async def test_below_a_collection_the_files_of_what_is_no_artifact_wait_for_a_manifest(
    index: Index,
) -> None:
    await index.committed("c", fields=COLLECTION)
    await index.committed("d")
    for prefix, waiting in {"d/a": [], "ca": [], "c/a": ["c/a"], "c/b/c": ["c/a", "c/b"]}.items():
        artifact = await index.new(prefix, DATASET, put("x"))
        await index.settle_manifest(await index.begin(artifact, STAGED), None)
        assert sorted(await index.catalogue.arrivals(WORKSPACE, "")) == waiting


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


async def test_an_edit_that_comes_to_nothing_takes_its_announcements_along(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.write(artifact, put("x", "v2"))
    await index.announcements.announce(await index.again(artifact), "promised", None, NOW)
    await index.write(artifact, put("x", "v1"))
    assert (await index.again(artifact)).state is State.COMMITTED
    assert await index.catalogue.announcements(artifact.id) == {}


async def test_a_discard_ends_upload_urls_at_once_and_the_edit_at_its_end(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    staged = await index.new("a", DATASET, put("x", "v2"), removal("y"))
    await index.announcements.announce(artifact, "z", None, NOW)
    intent = await index.endings.begin_discard(staged, LATER)
    under_way = await index.again(artifact)
    assert under_way.unfinished == "discarding"
    assert stage_id(under_way) != stage_id(staged)
    assert (intent.action, await index.intents()) == ("discard", 1)
    assert staged.stage is not None
    for _ in range(2):
        await index.endings.end_discard(intent, staged.stage, [put("x", "v2"), removal("y")])
        assert await index.again(artifact) == artifact
        assert await index.files(artifact) == {}
        assert await index.catalogue.announcements(artifact.id) == {}
        assert await index.intents() == 0


async def test_a_discard_of_what_was_never_committed_leaves_no_artifact(index: Index) -> None:
    artifact = await index.new("a", DATASET, put("x"))
    await index.discard(artifact)
    assert await index.catalogue.artifact(WORKSPACE, "a") is None
    assert await index.files(artifact) == {}


async def test_what_is_put_during_a_discard_stays_staged(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    staged = await index.new("a", DATASET, put("x", "v2"), put("y"), version="m2")
    assert staged.stage is not None
    assert await index.endings.untouched(artifact, "x", put("x", "v2"))
    assert await index.endings.untouched(artifact, "z", None)
    intent = await index.endings.begin_discard(staged, NOW)
    begun = await index.begin(artifact, "x")
    assert not await index.endings.untouched(artifact, "x", put("x", "v2"))
    await index.settle(begun, put("x", "v3"))
    assert not await index.endings.untouched(artifact, "x", put("x", "v2"))
    await index.write(artifact, put("z"))
    await index.new("a", DATASET, version="m3")
    await index.endings.end_discard(intent, staged.stage, [put("x", "v2"), put("y")])
    assert await index.files(artifact) == {"x": put("x", "v3"), "z": put("z")}
    edited = await index.again(artifact)
    assert edited.manifest_staged
    await index.discard(edited)
    assert await index.again(artifact) == artifact


@pytest.mark.parametrize("committed", [False, True])
async def test_a_discard_leaves_the_mark_to_a_write_under_way(
    index: Index, *, committed: bool
) -> None:
    if committed:
        await index.committed("a")
    artifact = await index.new("a")
    intent = await index.begin(artifact, "x")
    await index.discard(artifact)
    under_way = await index.again(artifact)
    assert under_way.stage is not None
    assert not under_way.manifest_staged
    assert under_way.unfinished == ""
    await index.settle(intent, put("x"))
    assert await index.files(artifact) == ({"x": put("x")} if committed else {})
    expected = State.EDITING if committed else State.NOTHING
    assert (await index.again(artifact)).state is expected


@pytest.mark.parametrize("settled_first", [False, True])
async def test_a_write_under_way_when_its_artifact_is_deleted_is_in_none(
    index: Index, *, settled_first: bool
) -> None:
    artifact = await index.committed("a", pin("x"))
    file, manifest = await index.begin(artifact, "x"), await index.begin(artifact, STAGED)
    for _ in range(2):
        await index.worker_intents.intend(artifact, "delete", number=2, now=NOW)
    await index.commits.bury(artifact.id, tombstone(artifact))
    assert (await index.again(artifact)).unfinished == "deleting"
    for ended in (settled_first, not settled_first):
        if ended:
            await index.settle(file, put("x", "v2"))
            await index.settle_manifest(manifest, staged_manifest())
        else:
            await index.endings.end_delete(artifact.id)
    assert await index.catalogue.artifact(WORKSPACE, "a") is None
    assert await index.files(artifact) == {}
    assert await index.intents() == 0


async def test_no_write_begins_until_a_delete_has_ended(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.commits.bury(artifact.id, tombstone(artifact))
    with pytest.raises(OperationAborted):
        await index.begin(artifact, "x")
    with pytest.raises(OperationAborted):
        await index.begin_new("a")
    for _ in range(2):
        await index.endings.end_delete(artifact.id)
        assert await index.again(artifact) == Artifact(
            artifact.id, WORKSPACE, "a", number=2, buried=2, epoch=1
        )
    with pytest.raises(OperationAborted):
        await index.begin(artifact, "x")
    again, intent = await index.begin_new("a")
    assert (again.id, again.state, intent.number) == (artifact.id, State.NEW, 2)
    await index.settle_manifest(intent, staged_manifest())
    await index.write(artifact, put("x"))
    assert await index.files(artifact) == {"x": put("x")}


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
    assert await index.worker_intents.abandoned([]) == []
    first = await index.worker_intents.abandoned(["dead0", "w1"])
    assert first == begun[::2]
    taken = await asyncio.gather(
        *(each.worker_intents.abandoned(["dead0", "dead1"]) for each in [index, other] * 2)
    )
    assert sorted(taken, key=len) == [[], [], [], begun[1::2]]
    await index.endings.finish(mine)
    assert await index.intents() == 7


async def test_intents_that_their_own_worker_has_let_go_of_are_found_again(index: Index) -> None:
    artifact = await index.committed("a")
    held, dropped = await index.begin(artifact, "x"), [await index.begin(artifact, "y")]
    assert await index.worker_intents.abandoned([]) == []
    expected = Intent(dropped[0].id, artifact.id, "write", "y", number=1)
    dropped.clear()
    found: list[Intent] = []
    async with asyncio.timeout(20):
        while not found:
            # The writer's thread, and what woke this task up, may still hold what they told.
            await asyncio.sleep(0.01)
            found = await index.worker_intents.abandoned([])
    assert found == [expected]
    await index.stages.drop(expected)
    await index.stages.drop(held)
    assert await index.again(artifact) == artifact
