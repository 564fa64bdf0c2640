import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert, select, update

from gateway.storage import tables, tally
from gateway.storage.counters import Counters, Worker
from gateway.storage.database import Database
from gateway.storage.registry import MAKING, Entry, Registry
from gateway.storage.series import PeriodCount, Series
from gateway.storage.tally import Tally, add_up

NewArtifact = Callable[[], Awaitable[int]]
NOW = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
DAY = date(2025, 6, 7)
HIGHEST = (1 << 63) - 1


@pytest.fixture
async def counters(database: Database) -> Counters:
    counters = Counters(database)
    await counters.register(Worker("w1", "host", NOW, 0))
    return counters


async def totals(database: Database, artifact_id: int) -> tuple[int, int, int]:
    """Micros, views and epoch of an artifact."""
    table = tables.artifact
    async with database.reading() as connection:
        rows = await connection.execute(
            select(table.c.download_micros, table.c.views, table.c.epoch).where(
                table.c.id == artifact_id
            )
        )
        micros, views, epoch = rows.one()
        return micros, views, epoch


def some(artifact_id: int, epoch: int = 0) -> Tally:
    return add_up(
        [
            tally.download(artifact_id, epoch, "a", 500_000, DAY),
            tally.download(artifact_id, epoch, "a", 500_000, DAY),
            tally.sent(artifact_id, epoch, "a", 4_096, DAY),
            tally.view(artifact_id, epoch),
        ]
    )


async def test_a_batch_is_added_once_and_moves_the_offset(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()
    assert await counters.merge("w1", 0, 100, some(artifact_id))
    assert not await counters.merge("w1", 0, 100, some(artifact_id))
    assert await counters.merge("w1", 100, 200, some(artifact_id))
    assert await counters.merged("w1") == 200
    assert await totals(database, artifact_id) == (2_000_000, 2, 0)
    assert await Series(database).counts(artifact_id, DAY, DAY) == [
        PeriodCount("2025-06-07", "a", downloads=4, micros=2_000_000, bytes=8_192)
    ]


async def test_of_those_that_merge_a_batch_at_once_one_does(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()
    added = await asyncio.gather(
        *(counters.merge("w1", 0, 100, some(artifact_id)) for _ in range(10))
    )
    assert sorted(added) == [False] * 9 + [True]
    assert await totals(database, artifact_id) == (1_000_000, 1, 0)


async def test_many_workers_that_merge_the_same_artifacts_at_once_lose_nothing(
    database_url: str, database: Database, new_artifact: NewArtifact
) -> None:
    artifacts = [await new_artifact() for _ in range(5)]
    batch = add_up(
        tally.download(artifact_id, 0, path, 100_000, DAY)
        for artifact_id in artifacts
        for path in "abc"
    )

    async def work(worker_id: str, counters: Counters) -> None:
        await counters.register(Worker(worker_id, "host", NOW, 0))
        for offset in range(10):
            assert await counters.merge(worker_id, offset, offset + 1, batch)

    async with Database(database_url) as other:
        both = [Counters(database), Counters(other)]
        await asyncio.gather(*(work(f"{n}", both[n % 2]) for n in range(4)))
    for artifact_id in artifacts:
        assert await totals(database, artifact_id) == (4 * 10 * 3 * 100_000, 0, 0)
    series = await Series(database).counts(artifacts[0], DAY, DAY)
    assert [(each.path, each.downloads) for each in series] == [("a", 40), ("b", 40), ("c", 40)]


async def test_a_batch_of_an_unknown_worker_is_not_added(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()
    assert not await counters.merge("w2", 0, 100, some(artifact_id))
    assert await counters.merged("w2") is None
    assert await totals(database, artifact_id) == (0, 0, 0)


async def test_what_was_under_way_at_a_reset_does_not_come_back(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id, other = await new_artifact(), await new_artifact()
    for each in (artifact_id, other):
        offset = await counters.merged("w1") or 0
        assert await counters.merge("w1", offset, offset + 1, some(each))
    await counters.reset(artifact_id)
    assert await totals(database, artifact_id) == (0, 0, 1)
    assert await Series(database).counts(artifact_id, DAY, DAY) == []
    assert await counters.merge("w1", 2, 3, some(artifact_id, epoch=0))
    assert await totals(database, artifact_id) == (0, 0, 1)
    assert await Series(database).counts(artifact_id, DAY, DAY) == []
    assert await counters.merge("w1", 3, 4, some(artifact_id, epoch=1))
    assert await totals(database, artifact_id) == (1_000_000, 1, 1)
    assert await totals(database, other) == (1_000_000, 1, 0)


async def test_resets_among_merges_leave_only_what_came_after(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()

    async def merge(worker_id: str) -> None:
        await counters.register(Worker(worker_id, "host", NOW, 0))
        for offset in range(8):
            assert await counters.merge(worker_id, offset, offset + 1, some(artifact_id))

    async def reset() -> None:
        await asyncio.sleep(0.02)
        await counters.reset(artifact_id)

    await asyncio.gather(*(merge(f"m{n}") for n in range(4)), reset())
    assert await totals(database, artifact_id) == (0, 0, 1)
    assert await Series(database).counts(artifact_id, DAY, DAY) == []


async def test_what_counts_for_an_artifact_that_is_gone_is_dropped(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()
    batch = some(artifact_id)
    gone = some(artifact_id + 1)
    batch.totals.update(gone.totals)
    batch.days.update(gone.days)
    assert await counters.merge("w1", 0, 100, batch)
    assert await totals(database, artifact_id) == (1_000_000, 1, 0)


async def test_a_sum_that_no_column_holds_stays_at_the_highest(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()
    async with database.writing() as connection:
        await connection.execute(
            update(tables.artifact).values(download_micros=HIGHEST - 10, views=HIGHEST)
        )
    assert await counters.merge("w1", 0, 100, some(artifact_id))
    assert await totals(database, artifact_id) == (HIGHEST, HIGHEST, 0)


async def test_a_large_batch_is_added(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifacts = [await new_artifact() for _ in range(20)]
    batch = add_up(
        tally.download(artifact_id, 0, f"path {n}", 1, DAY)
        for artifact_id in artifacts
        for n in range(200)
    )
    for missing in range(5_000):
        batch.totals[10_000 + missing, 0].micros = 1
    assert await counters.merge("w1", 0, 100, batch)
    assert await totals(database, artifacts[-1]) == (200, 0, 0)


async def test_registering_again_moves_the_time_and_not_the_offset(counters: Counters) -> None:
    assert await counters.merge("w1", 0, 50, Tally())
    later = NOW.replace(minute=30)
    await counters.register(Worker("w1", "host", later, 7))
    assert await counters.workers() == [Worker("w1", "host", later, 50)]
    await counters.forget(["w1", "w2"])
    assert await counters.workers() == []
    await counters.forget([])


async def test_orphans_are_workers_that_left_something_to_do_and_no_row(
    database: Database, counters: Counters, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()
    intents = [
        {
            "id": str(n),
            "worker_id": worker_id,
            "artifact_id": artifact_id,
            "action": "write",
            "path": "p",
            "number": 0,
            "created_at": NOW,
        }
        for n, worker_id in enumerate(["w1", "w2", "w2"])
    ]
    async with database.writing() as connection:
        await connection.execute(insert(tables.intent), intents)
    assert await counters.orphans() == {"w2"}
    registry = Registry(database)
    for worker_id in ("w1", "w2", "w3", None):
        name = f"of-{worker_id}"
        await registry.reserve(Entry(name, name, name, "", NOW, "AK", MAKING, worker_id))
    assert await counters.orphans() == {"w2", "w3"}
