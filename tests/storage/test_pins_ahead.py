"""Pins of a large version are in the index before it is: nobody's, until all are its own."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, Record
from gateway.storage import pins, publications, tables
from gateway.storage.packed import ROWS
from tests.storage.index import DATASET, WORKSPACE, Index, next_record, pin

MANY = [pin(f"{number:05d}") for number in range(ROWS + 1)]
BEFORE = [pin(each.path, "v0") for each in MANY]


async def make_ahead(index: Index, artifact: Artifact, record: Record, texts: slice) -> None:
    """Put some of the pins of a record into the index, as whoever died did."""
    async with index.database.reading() as connection:
        change = await pins.replacement(connection, artifact, record)
    assert len(change.made) > 1
    for text in change.made[texts]:
        await index.database.transaction(
            partial(pins.make_ahead, artifact=artifact, record=record, text=text)
        )


async def check_committed(index: Index, artifact: Artifact, expected: Sequence[Pin]) -> None:
    """Exactly these files are pinned by the second version, BEFORE by the first; no row besides."""
    found = await index.catalogue.pins(artifact.id, 2)
    assert [found[each.path] for each in expected] == list(expected)
    assert len(found) == len(expected) + 1
    assert len(await index.catalogue.pins(artifact.id, 1)) == len(BEFORE) + 1
    assert await index.count(tables.pin) == len(BEFORE) + len(expected) + 2


async def test_pins_made_ahead_are_nobodys(index: Index) -> None:
    artifact = await index.committed("a", *BEFORE)
    generation = index.database.generation()
    await make_ahead(index, artifact, next_record(artifact, MANY), slice(None))
    assert index.database.generation() == generation
    for number in (None, 1, 2):
        found = await index.catalogue.pins(artifact.id, number)
        assert {each.version_id for each in found.values()} <= {"v0", None}
    (first, *_) = BEFORE
    located = await index.catalogue.locate(WORKSPACE, f"a/{first.path}")
    assert located.pin == first


@pytest.mark.parametrize("left", [slice(0), slice(1), slice(1, None), slice(None)])
async def test_what_one_who_died_has_left_does_no_harm(index: Index, left: slice) -> None:
    artifact = await index.committed("a", *BEFORE)
    record = next_record(artifact, MANY)
    await make_ahead(index, artifact, record, left)
    await index.new("a")
    generation = index.database.generation()
    assert await index.commits.publish(artifact.id, record, DATASET)
    assert index.database.dialect != "sqlite" or index.database.generation() != generation
    await check_committed(index, artifact, MANY)


async def test_two_that_make_the_same_ahead_make_it_once(
    index: Index, other: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = await index.committed("a", *BEFORE)
    record = next_record(artifact, MANY)
    await index.new("a")
    await make_ahead(other, artifact, record, slice(1, None))
    # As if the other had made them only after this one had looked for what is left.
    monkeypatch.setattr(pins, "forget_ahead", _nothing)
    assert await index.commits.publish(artifact.id, record, DATASET)
    await check_committed(index, artifact, MANY)


async def _nothing(connection: object, artifact_id: int) -> None:
    del connection, artifact_id


async def test_what_was_made_for_another_version_before_it_goes(index: Index) -> None:
    artifact = await index.committed("a", *BEFORE)
    await index.new("a")
    later = replace(next_record(artifact, MANY), number=3)
    async with index.database.reading() as connection:
        change = await pins.replacement(connection, artifact, later)
    assert await index.commits.publish(artifact.id, next_record(artifact, BEFORE), DATASET)
    between = await index.again(artifact)
    await make_ahead(index, between, later, slice(None))
    async with index.database.writing() as connection:
        stale = replace(change, ahead=True)
        await publications.publish(connection, between, later, DATASET, prepared=stale)
    found = await index.catalogue.pins(artifact.id, 3)
    assert [found[each.path] for each in MANY] == MANY
    # Two versions' manifests, and the third's.
    assert await index.count(tables.pin) == len(BEFORE) + len(MANY) + 3


async def test_of_many_that_publish_the_same_at_once_one_does(index: Index, other: Index) -> None:
    artifact = await index.committed("a", *BEFORE)
    record = next_record(artifact, MANY)
    await index.new("a")
    outcomes = await asyncio.gather(
        *(each.commits.publish(artifact.id, record, DATASET) for each in (index, other) * 3)
    )
    assert sorted(outcomes) == [False] * 5 + [True]
    await check_committed(index, artifact, MANY)
