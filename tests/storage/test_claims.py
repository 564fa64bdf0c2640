"""Who lays claim to a key: pins, tombstones, open edits, and whoever is about to do something."""

import pytest

from gateway.storage.claims import Claimants, Claims, Hold
from gateway.storage.intents import COMMIT, DISCARD, ERASE, WEIGH, WRITE
from tests.storage.index import COLLECTION, NOW, STAGED, WORKSPACE, Index, pin, put, removal

KEY = "c/d/a.csv"


async def claims(index: Index, key: str = KEY) -> Claims:
    return await Claimants(index.database).claims(WORKSPACE, key)


async def test_holds_are_the_pins_of_all_commits_and_tombstones_end_them(index: Index) -> None:
    artifact = await index.committed("c/d", pin("a.csv", "v1"), pin("b.csv"))
    artifact = await index.commit(artifact, pin("a.csv", "v2"))
    assert (await claims(index)).tombstones == ()
    artifact = await index.deleted(artifact)
    artifact = await index.commit(await index.new("c/d"), pin("a.csv", "v4"))
    found = await claims(index)
    assert set(found.holds) == {
        Hold(artifact.id, "v1", 1),
        Hold(artifact.id, "v2", 2),
        Hold(artifact.id, "v4", 4),
    }
    assert [(stone.artifact_id, stone.number, stone.time) for stone in found.tombstones] == [
        (artifact.id, 3, NOW)
    ]


async def test_a_manifest_that_is_not_at_its_key_yet_is_held_without_a_version(
    index: Index,
) -> None:
    artifact = await index.committed("c/d")
    assert (await claims(index, "c/d/manifest.yaml")).holds == (Hold(artifact.id, None, 1),)


async def test_artifacts_are_those_above_the_key_that_are_or_were(index: Index) -> None:
    await index.committed("c", fields=COLLECTION)
    await index.deleted(await index.committed("c/d"))
    await index.new("c/d/e")
    await index.committed("other")
    assert [artifact.prefix for artifact in (await claims(index)).artifacts] == ["c/d", "c"]


async def test_staged_is_what_the_open_edit_wrote_and_wrote_over(index: Index) -> None:
    artifact = await index.new("c/d", version="m7")
    for version in ("v1", "v2"):
        await index.write(artifact, put("a.csv", version))
        await index.write(artifact, put("b.csv", f"other-{version}"))
    assert (await claims(index)).staged == {"v1", "v2"}
    assert (await claims(index, f"c/d/{STAGED}")).staged == {"m7"}
    artifact = await index.commit(artifact, pin("a.csv", "v2"), pin("b.csv", "other-v2"))
    assert (await claims(index)).staged == frozenset()
    await index.write(artifact, put("a.csv", "v3"))
    await index.write(artifact, removal("a.csv"))
    assert "v3" in (await claims(index)).staged


@pytest.mark.parametrize(
    ("action", "path", "busy"),
    [
        (WRITE, "a.csv", True),
        (WRITE, "b.csv", False),
        (WEIGH, "b.csv", False),
        (ERASE, "a.csv", True),
        (COMMIT, "", True),
        (DISCARD, "", True),
    ],
)
async def test_a_key_is_busy_while_somebody_is_at_it_or_ends_its_edit(
    index: Index, other: Index, action: str, path: str, *, busy: bool
) -> None:
    artifact = await index.committed("c/d", pin("a.csv"))
    assert not (await claims(index)).busy

    async with index.database.writing() as connection:
        await other.worker_intents.add(connection, artifact.id, action, path, 2, NOW)

    assert (await claims(index)).busy is busy


async def test_what_is_deleted_just_now_is_busy(index: Index) -> None:
    artifact = await index.new("c/d")
    await index.endings.begin_discard(artifact, NOW)
    assert (await claims(index)).busy


async def test_pinned_paths_come_once_each_and_in_pages(index: Index) -> None:
    artifact = await index.committed("c/d", pin("a.csv", "v1"), pin("b.csv"), pin("ä"))
    artifact = await index.commit(artifact, pin("a.csv", "v2"))
    claimants = Claimants(index.database)
    first = await claimants.pinned_paths(artifact, "", 2)
    assert first == ["a.csv", "b.csv"]
    assert await claimants.pinned_paths(artifact, first[-1], 9) == ["manifest.yaml", "ä"]


async def test_rows_come_in_pages_whatever_their_state(index: Index) -> None:
    ids = [(await index.committed(prefix)).id for prefix in ("b", "a")]
    ids.append((await index.deleted(await index.committed("c"))).id)
    claimants = Claimants(index.database)
    first = await claimants.page(WORKSPACE, 0, 2)
    rest = await claimants.page(WORKSPACE, first[-1].id, 2)
    assert [artifact.id for artifact in (*first, *rest)] == ids
    assert await claimants.recorded(WORKSPACE) == 3
