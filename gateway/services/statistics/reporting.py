"""Report downloads over time: by day, and by month where days were rolled up."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import JsonValue
from gateway.artifact.weights import to_number
from gateway.config import Stats
from gateway.errors import InvalidArgument
from gateway.services.statistics.counting import Counting
from gateway.storage.series import PeriodCount, Series
from gateway.turns import turns

DEFAULT_DAYS = 30
MOST_ROWS = 100_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Reporting:
    """Reports the series of artifacts, and keeps them as long as the configuration says."""

    def __init__(self, counting: Counting, series: Series, rules: Stats) -> None:
        self._counting = counting
        self._series = series
        self._rules = rules

    async def report(
        self, artifact: Artifact, since: date | None, until: date | None, now: datetime
    ) -> dict[str, JsonValue]:
        """`since`, `until`, `series` of the artifact, and that of each file in `files`.

        Both days are included, in UTC; the last 30 days unless said. A series has, for each
        period with a download, `period`, `downloads`, `download_count` (weighted), `bytes`.
        What this host has counted until now is in it. InvalidArgument for a span that ends
        before it begins, or holds more than 100,000 counts.
        """
        until = until or max(now.date(), since or now.date())
        since = since or _days_before(until, DEFAULT_DAYS - 1)
        if since > until:
            raise InvalidArgument(
                f"since ({since}) comes after until ({until})", argument="since", value=str(since)
            )
        await self._counting.merge_now()
        counts = await self._series.counts(artifact.id, since, until, MOST_ROWS + 1)
        if len(counts) > MOST_ROWS:
            raise InvalidArgument(
                f"more than {MOST_ROWS:,} counts lie between {since} and {until}: ask for fewer "
                "days",
                argument="since",
            )
        periods: dict[str, list[PeriodCount]] = defaultdict(list)
        files: dict[str, list[JsonValue]] = defaultdict(list)
        async for some in turns(counts):
            for count in some:
                periods[count.period].append(count)
                files[count.path].append(_sum(count.period, [count]))
        return {
            "since": since.isoformat(),
            "until": until.isoformat(),
            "series": [
                _sum(period, group)
                async for some in turns(sorted(periods.items()), 1)
                for period, group in some
            ],
            "files": dict(sorted(files.items())),
        }

    async def keep_house(self, now: datetime) -> None:
        """Sum by months, and remove, what is older than the configuration wants it."""
        today = now.date()
        if self._rules.retention_days is not None:
            await self._series.forget(_days_before(today, self._rules.retention_days))
        if self._rules.daily_days is not None:
            await self._series.roll_up(_days_before(today, self._rules.daily_days))


def parse_day(name: str, text: str | None) -> date | None:
    """The day in a text such as 2025-06-07; None for none. InvalidArgument names the argument."""
    if text is None:
        return None
    try:
        # Weeks and other forms of ISO 8601 are left out.
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidArgument(
            f"{name} is a day in UTC, such as 2025-06-07", argument=name, value=text[:32]
        )
    return day


def _days_before(day: date, days: int) -> date:
    """So many days before a day, or the first one that there is."""
    return date.fromordinal(max(day.toordinal() - days, date.min.toordinal()))


def _sum(period: str, counts: Sequence[PeriodCount]) -> dict[str, JsonValue]:
    return {
        "period": period,
        "downloads": sum(count.downloads for count in counts),
        "download_count": to_number(sum(count.micros for count in counts)),
        "bytes": sum(count.bytes for count in counts),
    }
