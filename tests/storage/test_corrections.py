"""A version in the index is made to say what its record does, and no other version changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, Record
from gateway.storage.corrections import Corrections
from gateway.storage.inspection import Inspection
from tests.storage.index import DATASET, MANIFEST, NOW, WORKSPACE, Index, next_record, pin

VERSIONS: Sequence[Sequence[Pin]] = (
    (pin("x"), pin("y")),
    (pin("x", "v2"), pin("y")),
    (pin("x", "v2"), pin("y"), pin("z")),
)
DAMAGES = {
    "changed": "UPDATE pin SET size = 99 WHERE path = 'y'",
    "gone": "DELETE FROM pin",
    "one-gone": "DELETE FROM pin WHERE path = 'x' AND until IS NULL",
    "too-short": "UPDATE pin SET until = 3 WHERE path = 'y'",
    "too-early": "UPDATE pin SET first = 1 WHERE path = 'z'",
    "manifest": "UPDATE version SET manifest = NULL WHERE number = 2",
    "version": "DELETE FROM version WHERE number = 2",
}


async def three_versions(index: Index) -> tuple[Artifact, list[Record]]:
    """An artifact, and the records of its versions."""
    artifact, records = await index.new("a"), []
    for pins in VERSIONS:
        records.append(next_record(await index.again(artifact), pins))
        await index.commit(artifact, *pins)
    return await index.again(artifact), records


async def said(index: Index, artifact: Artifact) -> Mapping[int, object]:
    """What the index says of each version, but for where manifests lie."""
    found: dict[int, object] = {}
    for number in range(1, len(VERSIONS) + 1):
        record = await index.catalogue.record(artifact, number)
        pins = await index.catalogue.pins(artifact.id, number)
        manifest = None if record is None or record.manifest is None else record.manifest.data
        found[number] = (manifest, [pins[path] for path in sorted(pins) if path != MANIFEST])
    return found


async def damage(index: Index, statement: str) -> None:
    async with index.database.writing() as connection:
        changed = await connection.execute(text(statement))
        assert changed.rowcount


@pytest.mark.parametrize("statement", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("first", [2, 3])
async def test_a_version_is_corrected_and_no_other(
    index: Index, statement: str, first: int
) -> None:
    artifact, records = await three_versions(index)
    right = await said(index, artifact)
    await damage(index, statement)
    wrong = await said(index, artifact)
    assert wrong != right
    corrections = Corrections(index.database)

    await corrections.correct(artifact.id, records[first - 1], DATASET)

    assert await said(index, artifact) == {**wrong, first: right[first]}
    for record in (*records, *records):
        await corrections.correct(artifact.id, record, DATASET)
    assert await said(index, artifact) == right
    for number in right:
        assert MANIFEST in await index.catalogue.pins(artifact.id, number)


async def test_weights_that_were_set_since_stay(index: Index) -> None:
    artifact, records = await three_versions(index)
    await damage(index, "UPDATE pin SET weight = 5 WHERE path = 'y'")
    await Corrections(index.database).correct(artifact.id, records[2], DATASET)
    found = await index.catalogue.pin(artifact.id, "y")
    assert found is not None
    assert found.weight == 5


async def test_a_version_that_the_index_lacks_is_left_to_commits(index: Index) -> None:
    artifact, records = await three_versions(index)
    before = await said(index, artifact)
    later = replace(records[2], number=4, pins=())
    await Corrections(index.database).correct(artifact.id, later, DATASET)
    assert await said(index, artifact) == before
    assert (await index.again(artifact)).number == 3


async def test_rows_are_inspected_whatever_their_state(index: Index) -> None:
    inspection, corrections = Inspection(index.database), Corrections(index.database)
    artifact, _ = await three_versions(index)
    await index.deleted(artifact)
    await index.new("b/c")
    await corrections.enter(WORKSPACE, "nothing")
    await index.announcements.arrive(WORKSPACE, "b/d", NOW)

    assert [page async for page in inspection.prefixes(WORKSPACE)] == [["a", "b/c"]]
    assert await inspection.count(WORKSPACE) == 3
    buried = await inspection.snapshot(WORKSPACE, "a")
    assert buried is not None
    assert (buried.artifact.number, buried.artifact.version) == (4, 0)
    assert await inspection.numbers(artifact.id) == {1, 2, 3, 4}
    assert await inspection.spans(artifact.id, since=4) == []
    spans = await inspection.spans(artifact.id, since=0)
    assert [(s.pin.path, s.first, s.until) for s in spans if s.pin.path == "x"] == [
        ("x", 1, 2),
        ("x", 2, 4),
    ]
    assert await inspection.names_versions(WORKSPACE)
    assert not await inspection.names_versions("another")
    arrival = await inspection.arrival(WORKSPACE, "b/d")
    assert arrival is not None
    assert arrival.since == NOW
    await corrections.forget_arrival(WORKSPACE, "b/d")
    assert await inspection.arrival(WORKSPACE, "b/d") is None
