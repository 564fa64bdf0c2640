from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

import pytest

from gateway.storage import tally
from gateway.storage.counters import Counters, Worker
from gateway.storage.database import Database
from gateway.storage.series import PeriodCount, Series
from gateway.storage.tally import add_up

NewArtifact = Callable[[], Awaitable[int]]
EVER = (date(2000, 1, 1), date(2100, 1, 1))


@pytest.fixture
async def counted(database: Database, new_artifact: NewArtifact) -> int:
    """An artifact with a download of `a` and one of `b` on each of eight days."""
    artifact_id = await new_artifact()
    counters = Counters(database)
    await counters.register(Worker("w1", "host", datetime(2025, 6, 7, tzinfo=UTC), 0))
    days = [date(2025, month, day) for month in (4, 5) for day in (1, 15, 28, 30)]
    lines = [tally.download(artifact_id, 0, path, 500_000, day) for day in days for path in "ba"]
    sizes = [tally.sent(artifact_id, 0, "a", 10, day) for day in days]
    assert await counters.merge("w1", 0, 1, add_up([*lines, *sizes]))
    return artifact_id


async def test_a_series_has_the_days_that_were_asked_for_in_order(
    database: Database, counted: int
) -> None:
    found = await Series(database).counts(counted, date(2025, 4, 15), date(2025, 4, 28))
    assert found == [
        PeriodCount("2025-04-15", "a", downloads=1, micros=500_000, bytes=10),
        PeriodCount("2025-04-15", "b", downloads=1, micros=500_000, bytes=0),
        PeriodCount("2025-04-28", "a", downloads=1, micros=500_000, bytes=10),
        PeriodCount("2025-04-28", "b", downloads=1, micros=500_000, bytes=0),
    ]
    assert (
        await Series(database).counts(counted, *EVER, limit=3)
        == (await Series(database).counts(counted, *EVER))[:3]
    )


async def test_old_days_become_months_and_no_download_is_lost(
    database: Database, counted: int
) -> None:
    series = Series(database)
    for _ in range(2):  # again changes nothing
        await series.roll_up(date(2025, 5, 20))
        found = await series.counts(counted, *EVER)
        assert [each for each in found if each.path == "a"] == [
            PeriodCount("2025-04", "a", downloads=4, micros=2_000_000, bytes=40),
            *(PeriodCount(f"2025-05-{day}", "a", 1, 500_000, 10) for day in ("01", 15, 28, 30)),
        ]
        assert sum(each.downloads for each in found) == 16
    touching = await series.counts(counted, date(2025, 4, 29), date(2025, 5, 1))
    assert [each.period for each in touching if each.path == "b"] == ["2025-04", "2025-05-01"]
    assert await series.counts(counted, date(2025, 3, 1), date(2025, 3, 31)) == []


async def test_what_is_counted_late_joins_its_month(database: Database, counted: int) -> None:
    series = Series(database)
    await series.roll_up(date(2025, 5, 1))
    late = add_up([tally.download(counted, 0, "a", 500_000, date(2025, 4, 15))])
    assert await Counters(database).merge("w1", 1, 2, late)
    await series.roll_up(date(2025, 5, 1))
    found = await series.counts(counted, date(2025, 4, 1), date(2025, 4, 30))
    assert found[0] == PeriodCount("2025-04", "a", downloads=5, micros=2_500_000, bytes=40)


async def test_what_is_too_old_goes(database: Database, counted: int) -> None:
    series = Series(database)
    await series.roll_up(date(2025, 5, 1))
    await series.forget(date(2025, 4, 20))
    assert len(await series.counts(counted, *EVER)) == 2 + 8
    await series.forget(date(2025, 5, 15))
    assert [each.period for each in await series.counts(counted, *EVER) if each.path == "a"] == [
        "2025-05-15",
        "2025-05-28",
        "2025-05-30",
    ]
