"""Reports of many files are made in turns, and begin no earlier than time does."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest

from gateway.artifact.lifecycle import Artifact
from gateway.config import Stats
from gateway.services.statistics.counting import Counting
from gateway.services.statistics.reporting import Reporting
from gateway.storage.series import PeriodCount, Series
from gateway.turns import TURN

NOW = datetime(2025, 6, 7, tzinfo=UTC)
ARTIFACT = cast("Artifact", type("Artifact", (), {"id": 1}))


class Known:
    """Counts that are known at once, and what was asked of them."""

    def __init__(self, counts: list[PeriodCount]) -> None:
        self._counts = counts
        self.before: list[date] = []

    async def merge_now(self) -> None:
        """Nothing is counted meanwhile."""

    async def counts(self, *_: object) -> list[PeriodCount]:
        """All of them."""
        return self._counts

    async def forget(self, before: date) -> None:
        """Note the day."""
        self.before.append(before)

    roll_up = forget


def reporting(known: Known, rules: Stats | None = None) -> Reporting:
    return Reporting(cast("Counting", known), cast("Series", known), rules or Stats())


async def test_others_have_their_turn_while_many_counts_are_reported() -> None:
    days = [(NOW - timedelta(day)).date().isoformat() for day in range(10)]
    counts = [
        PeriodCount(day, f"{n:05}", downloads=2, micros=500_000, bytes=3)
        for day in sorted(days)
        for n in range(TURN)
    ]
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    report = await reporting(Known(counts)).report(ARTIFACT, None, None, NOW)
    counting.cancel()
    assert turns >= len(counts) // TURN
    assert report["series"] == [
        {"period": day, "downloads": 2 * TURN, "download_count": TURN / 2, "bytes": 3 * TURN}
        for day in sorted(days)
    ]
    files = report["files"]
    assert isinstance(files, dict)
    assert list(files) == [f"{n:05}" for n in range(TURN)]
    assert files["00007"] == [
        {"period": day, "downloads": 2, "download_count": 0.5, "bytes": 3} for day in sorted(days)
    ]


@pytest.mark.parametrize("days", [10**6, 10**18])
async def test_what_is_kept_for_ever_is_kept(days: int) -> None:
    known = Known([])
    await reporting(known, Stats(daily_days=days, retention_days=days)).keep_house(NOW)
    assert known.before == [date.min, date.min]
