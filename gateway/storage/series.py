"""Downloads of each file, a day at a time; long ago, a month at a time."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select

from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database, insert_or_update
from gateway.turns import turns

DAY_CHARACTERS = len("2025-06-07")
MONTH_CHARACTERS = len("2025-06")
KEYS = ("artifact_id", "path", "day")
SUMS = ("downloads", "micros", "bytes")


@dataclass(frozen=True, slots=True)
class PeriodCount:
    """One file's downloads in a day ("2025-06-07") or a month ("2025-06"), in UTC.

    `micros` are weights in millionths.
    """

    period: str
    path: str
    downloads: int
    micros: int
    bytes: int


class Series:
    """The series of every artifact. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(
        self, artifact_id: int, since: date, until: date, limit: int | None = None
    ) -> list[PeriodCount]:
        """Each file's counts in the periods that touch `since` to `until`, both included.

        In order of period and path; the first `limit` of them.
        """
        daily = tables.daily.c
        async with self._database.reading(long=True) as connection:
            found = await connection.execute(
                select(daily.day, daily.path, daily.downloads, daily.micros, daily.bytes)
                .where(daily.artifact_id == artifact_id, _touches(since, until))
                .order_by(daily.day, daily.path)
                .limit(limit)
            )
            return [PeriodCount(*row) async for some in turns(found) for row in some]

    async def roll_up(self, before: date) -> None:
        """Sum the days before a day by months; those of its own month stay days."""
        daily = tables.daily

        async def work(connection: Connection) -> None:
            rows = await connection.execute(
                delete(daily)
                .where(_is_day(), daily.c.day < before.replace(day=1).isoformat())
                .returning(*daily.c)
            )
            months: dict[tuple[object, ...], dict[str, Any]] = {}
            for row in rows.mappings():
                month = row["day"][:MONTH_CHARACTERS]
                key = (row["artifact_id"], row["path"], month)
                sums = months.setdefault(key, {**row, "day": month, **dict.fromkeys(SUMS, 0)})
                for name in SUMS:
                    sums[name] += row[name]
            ordered = [months[key] for key in sorted(months)]
            await insert_or_update(connection, daily, ordered, KEYS, [], add=SUMS)

        await self._database.transaction(work)

    async def forget(self, before: date) -> None:
        """Remove what was counted in days before a day, and in months that ended before it."""
        daily = tables.daily
        month = before.isoformat()[:MONTH_CHARACTERS]

        async def work(connection: Connection) -> None:
            await connection.execute(
                delete(daily).where(
                    or_(
                        and_(_is_day(), daily.c.day < before.isoformat()),
                        and_(~_is_day(), daily.c.day < month),
                    )
                )
            )

        await self._database.transaction(work)


def _is_day() -> ColumnElement[bool]:
    return func.length(tables.daily.c.day) == DAY_CHARACTERS


def _touches(since: date, until: date) -> ColumnElement[bool]:
    """Days from `since` to `until`, and months that have some of them."""
    day, first, last = tables.daily.c.day, since.isoformat(), until.isoformat()
    months = (first[:MONTH_CHARACTERS], last[:MONTH_CHARACTERS])
    return or_(and_(_is_day(), day.between(first, last)), and_(~_is_day(), day.between(*months)))
