import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import insert

from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.manifest import Stats
from gateway.artifact.version import ManifestObject, Pin, manifest_pin
from gateway.storage import tables, tally
from gateway.storage.counters import Counters, Worker
from gateway.storage.packed import ROWS
from gateway.storage.series import Series
from gateway.storage.tally import add_up
from gateway.turns import MANY, TURN
from tests.storage.index import (
    COLLECTION,
    DATASET,
    LATER,
    MANIFEST,
    NOW,
    STAGED,
    WORKSPACE,
    Index,
    next_record,
    pin,
    put,
    removal,
    staged_manifest,
    tombstone,
)


async def versions_of(index: Index, artifact: Artifact, number: int) -> Mapping[str, str | None]:
    """The backend versions that a version pins, without its manifest's."""
    pins = await index.catalogue.pins(artifact.id, number)
    assert MANIFEST in pins
    return {path: pin.version_id for path, pin in pins.items() if path != MANIFEST}


def test_a_manifest_is_pinned_by_its_record_until_its_key_is_written() -> None:
    artifact = Artifact(1, WORKSPACE, "a")
    assert manifest_pin(next_record(artifact)) == Pin(
        path=MANIFEST,
        size=14,
        etag='"3739f71fda84456303a73a20f6de91b5"',
        version_id=None,
        last_modified=NOW.replace(microsecond=0),
        content_type="text/yaml",
    )
    bare = replace(next_record(artifact), manifest=ManifestObject(b"", {}))
    assert manifest_pin(bare).content_type == "binary/octet-stream"
    with pytest.raises(ValueError, match="tombstone"):
        manifest_pin(tombstone(artifact))


async def test_a_published_version_is_what_everybody_reads(index: Index) -> None:
    staged = await index.new("a", DATASET, put("x"))
    record = next_record(staged, [pin("x", weight=3), pin("y/z")], consumed="m1")
    assert await index.commits.publish(staged.id, record, DATASET)
    artifact = await index.again(staged)
    assert artifact == Artifact(
        id=staged.id,
        workspace_id=WORKSPACE,
        prefix="a",
        number=1,
        version=1,
        type="dataset",
        fields=DATASET,
        created_at=NOW,
        modified_at=NOW,
    )
    assert await index.catalogue.pins(artifact.id) == {
        MANIFEST: manifest_pin(record),
        "x": pin("x", weight=3),
        "y/z": pin("y/z"),
    }
    assert await index.catalogue.versions(artifact) == [
        replace(record, pins=(), staged_manifest=None)
    ]


async def test_publishing_again_changes_nothing(index: Index) -> None:
    staged = await index.new("a")
    record = next_record(staged, [pin("x")])
    assert await index.commits.publish(staged.id, record, DATASET)
    await index.write(await index.again(staged), put("x", "v2"))
    before = await index.again(staged)
    assert not await index.commits.publish(staged.id, record, COLLECTION)
    assert not await index.commits.publish(staged.id, replace(record, number=0), COLLECTION)
    assert await index.again(staged) == before
    assert await index.files(staged) == {"x": put("x", "v2")}
    assert await index.count(tables.pin) == 2
    assert await index.count(tables.version) == 1


async def test_of_those_that_publish_a_number_at_once_one_wins(index: Index, other: Index) -> None:
    artifact = await index.new("a")
    records = [replace(next_record(artifact, [pin(f"{n}")]), author=f"{n}") for n in range(6)]
    outcomes = await asyncio.gather(
        *(
            each.commits.publish(artifact.id, record, {**DATASET, "name": record.author})
            for each, record in zip([index, other] * 3, records, strict=True)
        )
    )
    assert sorted(outcomes) == [False] * 5 + [True]
    winner = f"{outcomes.index(True)}"
    artifact = await index.again(artifact)
    assert (artifact.number, artifact.fields) == (1, {**DATASET, "name": winner})
    assert (await index.catalogue.pins(artifact.id)).keys() == {MANIFEST, winner}
    (version,) = await index.catalogue.versions(artifact)
    assert version.author == winner


async def test_commits_of_many_artifacts_at_once_all_stand(index: Index, other: Index) -> None:
    artifacts = [await index.new(f"{n}") for n in range(6)]
    published = await asyncio.gather(
        *(
            each.commit(artifact, pin("x"))
            for each, artifact in zip([index, other] * 3, artifacts, strict=True)
        )
    )
    assert [(artifact.version, artifact.state) for artifact in published] == [
        (1, State.COMMITTED)
    ] * 6


async def test_a_version_writes_what_it_changes_and_each_keeps_its_own_pins(index: Index) -> None:
    first = [pin(f"{n}") for n in range(10)]
    artifact = await index.committed("a", *first)
    rows = await index.count(tables.pin)
    changed = [pin("0", "v2"), pin("1", weight=5), *first[3:], pin("new")]
    await index.commit(artifact, *changed)
    # Two that changed, a new one, and the manifest.
    assert await index.count(tables.pin) == rows + 4
    await index.commit(artifact, *changed[1:])
    await index.commit(artifact, *changed)
    one = {f"{n}": "v1" for n in range(10)}
    two = {"0": "v2", "1": "v1", **{f"{n}": "v1" for n in range(3, 10)}, "new": "v1"}
    three = {path: version for path, version in two.items() if path != "0"}
    for number, expected in enumerate([one, two, three, two], 1):
        assert await versions_of(index, artifact, number) == expected
    assert await versions_of(index, artifact, 4) == {
        path: each.version_id
        for path, each in (await index.catalogue.pins(artifact.id)).items()
        if path != MANIFEST
    }
    weights = [await index.catalogue.pin(artifact.id, "1", number) for number in (1, 2, 4)]
    assert [each.weight for each in weights if each] == [0, 5, 5]
    assert await index.catalogue.pins(artifact.id, 5) == await index.catalogue.pins(artifact.id)


async def test_an_artifact_keeps_its_age_until_it_is_deleted(index: Index) -> None:
    artifact = await index.committed("a")
    record = replace(next_record(artifact), time=LATER)
    await index.commits.publish(artifact.id, record, DATASET)
    artifact = await index.again(artifact)
    assert (artifact.created_at, artifact.modified_at) == (NOW, LATER)
    artifact = await index.deleted(artifact)
    assert (artifact.created_at, artifact.modified_at) == (None, None)
    artifact = await index.committed("a")
    assert (artifact.created_at, artifact.modified_at) == (NOW, NOW)


async def test_a_commit_ends_an_edit_that_it_holds_whole(index: Index) -> None:
    artifact = await index.committed("a", pin("x"), pin("y"))
    await index.new("a", DATASET, put("x", "v2"), removal("y"), removal(MANIFEST), version="m2")
    await index.announcements.announce(artifact, "x", 5, NOW)
    artifact = await index.commit(artifact, pin("x", "v2", weight=5))
    assert (artifact.version, artifact.stage) == (2, None)
    assert await index.files(artifact) == {}
    assert await index.catalogue.announcements(artifact.id) == {}


async def test_what_was_put_since_stays_staged_under_another_stage(index: Index) -> None:
    staged = await index.new("a", DATASET, put("kept"), put("again"), put("gone"))
    intent = await index.worker_intents.intend(staged, "commit", number=1, now=NOW)
    for since in (put("again", "v2"), removal("gone"), put("new")):
        await index.write(staged, since)
    pins = [pin(path) for path in ("again", "gone", "kept")]
    artifact = await index.commit(staged, *pins)
    await index.endings.finish(intent)
    assert artifact.state is State.EDITING
    assert artifact.stage is not None
    assert staged.stage is not None
    assert artifact.stage.id != staged.stage.id
    assert artifact.stage.opened_by == staged.stage.opened_by
    assert not artifact.manifest_staged
    left = {"again": put("again", "v2"), "gone": removal("gone"), "new": put("new")}
    assert await index.files(artifact) == left
    artifact = await index.commit(artifact, pin("again", "v2"), pin("kept"), pin("new"))
    assert artifact.state is State.COMMITTED


async def test_equal_bytes_put_since_as_something_else_stay_staged(index: Index) -> None:
    artifact = await index.new("a")
    since = replace(put("x"), version_id="v2", weight=5)
    for changed in (replace(since, content_type="text/plain"), replace(since, weight=6)):
        await index.write(artifact, changed)
        artifact = await index.commit(artifact, pin("x", weight=5))
        assert await index.files(artifact) == {"x": changed}
    await index.write(artifact, since)
    assert (await index.again(artifact)).state is State.COMMITTED


async def test_what_a_pin_kept_from_before_equals_is_staged_no_longer(index: Index) -> None:
    staged = await index.new("a")
    files = [
        replace(put("examined"), version_id="v2"),
        replace(put("untyped"), version_id="v2", content_type=None),
        replace(put("unversioned"), version_id=None),
        replace(put("announced"), version_id="v2", weight=6),
    ]
    for file in files:
        await index.write(staged, file)
    await index.announcements.announce(staged, "announced", 5, NOW)
    artifact = await index.commit(staged, *(pin(file.path, weight=5) for file in files))
    assert await index.files(artifact) == {}
    assert artifact.state is State.COMMITTED


async def test_what_the_bucket_was_asked_about_is_staged_no_longer(index: Index) -> None:
    # Two writes of one key that overlapped were settled in the other order.
    staged = await index.new("a", DATASET, put("x", "v2"), put("x", "v1"), put("y", "v1"))
    record = next_record(staged, [pin("x", "v2"), pin("y", "v2")], consumed="m1")
    assert await index.commits.publish(staged.id, record, DATASET, settled=[put("x", "v1")])
    assert await index.files(staged) == {"y": put("y", "v1")}
    assert (await index.again(staged)).state is State.EDITING
    assert await index.count(tables.staged_version) == 0


async def test_a_manifest_put_since_stays_staged(index: Index) -> None:
    staged = await index.new("a")
    record = next_record(staged, consumed="m1")
    await index.settle_manifest(await index.begin(staged, STAGED), staged_manifest("m2"))
    await index.commits.publish(staged.id, record, DATASET)
    artifact = await index.again(staged)
    assert artifact.manifest_staged
    artifact = await index.commit(artifact)
    assert artifact.state is State.COMMITTED


async def test_without_versions_a_staged_manifest_is_known_by_its_etag(index: Index) -> None:
    bare = replace(staged_manifest(), version_id=None)
    staged = await index.new("a")
    await index.settle_manifest(await index.begin(staged, STAGED), bare)
    await index.commits.publish(staged.id, next_record(staged), DATASET)
    artifact = await index.again(staged)
    assert artifact.manifest_staged, "the commit knew of no staged manifest"
    record = next_record(artifact, consumed=bare.etag)
    await index.commits.publish(artifact.id, record, DATASET)
    assert (await index.again(artifact)).state is State.COMMITTED


async def test_a_write_under_way_keeps_an_edit_open_past_the_commit(index: Index) -> None:
    staged = await index.new("a")
    intent = await index.begin(staged, "x")
    artifact = await index.commit(staged)
    assert artifact.state is State.EDITING
    await index.stages.drop(intent)
    assert (await index.again(artifact)).state is State.COMMITTED


async def test_a_commit_ends_the_waiting_at_its_prefix(index: Index) -> None:
    await index.committed("c", fields=COLLECTION)
    for prefix in ("c/a", "c/b"):
        await index.announcements.arrive(WORKSPACE, prefix)
    await index.announcements.arrive("another", "c/a")
    await index.committed("c/a", fields=COLLECTION)
    assert sorted(await index.catalogue.arrivals(WORKSPACE, "")) == ["c/a", "c/b"]
    await index.committed("c/a")
    assert await index.catalogue.arrivals(WORKSPACE, "") == ["c/b"]
    assert await index.catalogue.arrivals("another", "") == ["c/a"]


async def test_an_edit_that_came_to_nothing_ends(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    edited = await index.new("a", DATASET, put("y"), version="m2")
    await index.write(edited, removal("x"))
    record = next_record(edited, [pin("x")], consumed="m2")
    await index.commits.unchanged(edited, record)
    edited = await index.again(edited)
    assert await index.files(edited) == {"x": removal("x"), "y": put("y")}
    assert edited.state is State.EDITING
    assert not edited.manifest_staged
    for path, file in {"x": put("x"), "y": None}.items():
        await index.settle(await index.begin(edited, path), file)
    await index.new("a", DATASET, version="m3")
    await index.commits.unchanged(edited, replace(record, staged_manifest="m3"))
    assert await index.again(artifact) == artifact


async def test_an_edit_is_left_alone_when_another_commit_came_first(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.commit(artifact, pin("x", "v2"))
    await index.write(artifact, put("x"))
    await index.commits.unchanged(artifact, next_record(artifact, [pin("x")]))
    assert await index.files(artifact) == {"x": put("x")}
    assert (await index.again(artifact)).state is State.EDITING


async def test_a_tombstone_takes_everything_from_readers_and_the_counters(index: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    counters = Counters(index.database)
    await counters.register(Worker("w1", "host", NOW, 0))
    day = date(2025, 6, 7)
    batch = add_up([tally.download(artifact.id, 0, "x", 5, day), tally.view(artifact.id, 0)])
    await counters.merge("w1", 0, 1, batch)
    await index.new("a", DATASET, put("x", "v2"))
    await index.announcements.announce(artifact, "y", None, NOW)
    edited = await index.again(artifact)
    assert edited.stats == Stats(5, 1)
    record = tombstone(edited)
    assert await index.commits.bury(artifact.id, record)
    gone = await index.again(artifact)
    assert gone == Artifact(
        artifact.id, WORKSPACE, "a", number=2, buried=2, unfinished="deleting", epoch=1
    )
    assert await index.catalogue.pins(artifact.id) == {}
    assert await versions_of(index, artifact, 1) == {"x": "v1"}
    assert await index.files(artifact) == {}
    assert await index.catalogue.announcements(artifact.id) == {}
    assert await Series(index.database).counts(artifact.id, day, day) == []
    assert not await index.commits.bury(artifact.id, record)
    assert not await index.commits.publish(artifact.id, next_record(artifact), DATASET)
    assert await index.again(artifact) == gone


async def test_of_a_commit_and_a_delete_of_one_number_one_wins(index: Index, other: Index) -> None:
    for n in range(4):
        artifact = await index.committed(f"{n}", pin("x"))
        published, buried = await asyncio.gather(
            index.commits.publish(artifact.id, next_record(artifact, [pin("y")]), DATASET),
            other.commits.bury(artifact.id, tombstone(artifact)),
        )
        assert published != buried
        artifact = await index.again(artifact)
        assert (artifact.version, artifact.buried) == ((2, 0) if published else (0, 2))


async def test_a_new_artifact_at_the_prefix_of_a_deleted_one_goes_on_numbering(
    index: Index,
) -> None:
    old = await index.committed("a", pin("x"))
    await index.deleted(old)
    artifact = await index.committed("a", pin("y"))
    assert artifact.id == old.id
    assert (artifact.number, artifact.version, artifact.buried) == (3, 3, 2)
    assert (await index.catalogue.pins(artifact.id)).keys() == {MANIFEST, "y"}
    assert await index.catalogue.pins(artifact.id, 2) == {}


async def test_a_manifest_is_published_once_under_the_version_that_its_key_got(
    index: Index,
) -> None:
    new = await index.new("a")
    assert await index.commits.is_published(new, 0)
    artifact = await index.commit(new, pin("x"))
    assert not await index.commits.is_published(artifact, 1)
    stored = Pin(MANIFEST, 14, '"e"', "mv1", LATER, "text/yaml")
    await index.commits.published(artifact.id, 2, stored)
    assert not await index.commits.is_published(artifact, 1)
    await index.commits.published(artifact.id, 1, stored)
    assert await index.commits.is_published(artifact, 1)
    await index.commits.published(artifact.id, 1, replace(stored, version_id="mv2"))
    assert await index.catalogue.pin(artifact.id, MANIFEST) == stored
    assert await index.catalogue.pin(artifact.id, "x") == pin("x")
    artifact = await index.commit(artifact, pin("x"))
    assert not await index.commits.is_published(artifact, 2)
    assert await index.commits.is_published(artifact, 1)
    assert await index.catalogue.pin(artifact.id, MANIFEST, 1) == stored
    assert await index.catalogue.pinned_ids(WORKSPACE, f"a/{MANIFEST}") == {"mv1"}


async def test_ten_thousand_files_are_published_and_changed(index: Index) -> None:
    count = 10_000
    staged = await index.new("a")
    async with index.database.writing() as connection:
        await connection.execute(
            insert(tables.staged_file),
            [
                {
                    "artifact_id": staged.id,
                    "path": f"{n}",
                    "removed": False,
                    "etag": '"v1"',
                    "version_id": "v1",
                }
                for n in range(count)
            ],
        )
    pins = [pin(f"{n}") for n in range(count)]
    artifact = await index.commit(staged, *pins)
    assert artifact.state is State.COMMITTED
    assert len(await index.catalogue.pins(artifact.id)) == count + 1
    artifact = await index.commit(artifact, *pins[:5_000], pin("0x"))
    assert len(await versions_of(index, artifact, 2)) == 5_001
    assert len(await versions_of(index, artifact, 1)) == count
    assert await index.count(tables.pin) == count + 3


async def test_no_text_that_somebody_wrote_stops_a_commit(index: Index) -> None:
    for number, (text, kept) in enumerate(
        {"a\0b": "a\ufffdb", "\ud800": "?", "ä\U0010ffff": "ä\U0010ffff"}.items()
    ):
        fields = {"type": "t\0"}
        artifact, intent = await index.stages.begin_new(
            WORKSPACE, f"{number}", STAGED, fields, author=text, now=NOW
        )
        artifact = await index.settle_manifest(intent, staged_manifest(fields=fields))
        untyped = replace(pin("x"), content_type=text)
        record = replace(next_record(artifact, [untyped], consumed="m1"), author=text, message=text)
        assert await index.commits.publish(artifact.id, record, fields)
        artifact = await index.again(artifact)
        assert (artifact.state, artifact.fields) == (State.COMMITTED, fields)
        (version,) = await index.catalogue.versions(artifact)
        assert (version.author, version.message) == (kept, kept)
        pinned = await index.catalogue.pin(artifact.id, "x")
        assert pinned is not None
        assert pinned.content_type == kept


async def test_others_have_their_turns_while_many_pins_are_published(index: Index) -> None:
    pins = [pin(f"{number:05d}") for number in range(10 * TURN + MANY)]
    artifact = await index.new("a")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    committed = await index.commit(artifact, *pins)
    before, turns = turns, 0
    assert len(await index.catalogue.pins(committed.id)) == len(pins) + 1
    counting.cancel()
    assert before >= len(pins) // ROWS
    assert turns >= len(pins) // TURN


async def test_a_version_that_changes_one_of_many_pins_writes_two_rows(index: Index) -> None:
    pins = [pin(f"{number:05d}") for number in range(ROWS + 1)]
    artifact = await index.committed("a", *pins)
    assert await index.count(tables.pin) == len(pins) + 1
    await index.new("a")
    await index.commit(artifact, pin(pins[0].path, "v2"), *pins[1:])
    assert await index.count(tables.pin) == len(pins) + 3
    found = await versions_of(index, artifact, 2)
    assert found == {each.path: each.version_id for each in pins} | {pins[0].path: "v2"}
    assert set((await versions_of(index, artifact, 1)).values()) == {"v1"}


async def test_few_pins_follow_many_and_many_few(index: Index) -> None:
    pins = [pin(f"{number:05d}") for number in range(MANY + 1)]
    artifact = await index.new("a")
    for number, some in enumerate((pins, pins[:1], pins, pins[1:3]), start=1):
        if number > 1:
            await index.new("a")
        artifact = await index.commit(artifact, *some)
        found = await versions_of(index, artifact, number)
        assert set(found) == {each.path for each in some}
    assert len(await versions_of(index, artifact, 1)) == len(pins)
