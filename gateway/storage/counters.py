"""Download counters in the database: journals merged exactly once, and the workers they are of.

A batch's sums and the offset that its journal is merged to are committed together, and only
by whoever finds the offset where the batch starts: of two that merge the same, one does.
"""

from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import BigInteger, UpdateBase, bindparam, delete, select, union, update

from gateway.artifact.manifest import Stats
from gateway.storage import tables
from gateway.storage.clicks import separate
from gateway.storage.connection import Connection
from gateway.storage.database import Database, insert_or_update, insertion, raised
from gateway.storage.prepared import Change, Prepared
from gateway.storage.tally import Tally

SILENCE = timedelta(seconds=60)
"""A worker of another host that was not seen for so long counts as dead."""

LAG = timedelta(minutes=1)
"""By so much a journal may come later than the others: clicks are held against each other."""


MOVE = Change(
    update(tables.worker)
    .where(tables.worker.c.id == bindparam("worker"), tables.worker.c.merged == bindparam("start"))
    .values(merged=bindparam("end"))
)
OF_NOW = (
    tables.artifact.c.id == bindparam("of"),
    tables.artifact.c.epoch == bindparam("of_epoch"),
)
"""Whether a sum's epoch is its artifact's by now: others are dropped."""

RAISE = Change(
    update(tables.artifact)
    .where(*OF_NOW)
    .values(
        download_micros=raised(
            tables.artifact.c.download_micros, bindparam("more_micros", type_=BigInteger)
        ),
        views=raised(tables.artifact.c.views, bindparam("more_views", type_=BigInteger)),
    )
)


def _raise_day(dialect: str) -> UpdateBase:
    """Add to the day of a file, which may be its first."""
    daily, sums = tables.daily, ("downloads", "micros", "bytes")
    new = select(
        tables.artifact.c.id,
        bindparam("of_path", type_=daily.c.path.type),
        bindparam("of_day", type_=daily.c.day.type),
        *(bindparam(f"more_{name}", type_=BigInteger) for name in sums),
    ).where(*OF_NOW)
    statement = insertion(dialect, daily).from_select(["artifact_id", "path", "day", *sums], new)
    return statement.on_conflict_do_update(
        index_elements=["artifact_id", "path", "day"],
        set_={name: raised(daily.c[name], statement.excluded[name]) for name in sums},
    )


RAISE_DAY = Change(_raise_day("sqlite"), partial(_raise_day, "postgresql"))
_LEFT = union(
    select(tables.intent.c.worker_id),
    select(tables.workspace.c.worker_id).where(tables.workspace.c.worker_id.is_not(None)),
).subquery()
ORPHANS = Prepared(
    select(_LEFT.c.worker_id).where(_LEFT.c.worker_id.not_in(select(tables.worker.c.id)))
)
WORKERS = Prepared(select(tables.worker))
EPOCHS = select(tables.artifact.c.id, tables.artifact.c.epoch).where(
    tables.artifact.c.id.in_(bindparam("artifacts", expanding=True))
)
STANDING = Prepared(
    select(
        tables.artifact.c.epoch,
        tables.artifact.c.download_micros,
        tables.artifact.c.views,
        tables.worker.c.merged,
    )
    .select_from(
        tables.artifact.outerjoin(tables.worker, tables.worker.c.id == bindparam("worker"))
    )
    .where(tables.artifact.c.id == bindparam("artifact"))
)


@dataclass(frozen=True, slots=True)
class Standing:
    """An artifact's counters and epoch, and how far a worker's journal is merged into them."""

    epoch: int
    stats: Stats
    merged: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A row of the workers' table: `merged` is the offset its journal is merged to."""

    id: str
    host: str
    seen_at: datetime
    merged: int


class Counters:
    """Counters of artifacts and files. Each method is one transaction."""

    def __init__(self, database: Database, double_click: timedelta = timedelta(0)) -> None:
        """`double_click` is how near two downloads of one client are one; 0: never."""
        self._database = database
        self._double_click = double_click

    async def register(self, worker: Worker) -> None:
        """Note that the worker lives; its merged offset is set where it is unknown alone."""

        async def work(connection: Connection) -> None:
            row = {
                "id": worker.id,
                "host": worker.host,
                "seen_at": worker.seen_at,
                "merged": worker.merged,
            }
            await insert_or_update(connection, tables.worker, [row], ["id"], ["seen_at"])

        await self._database.transaction(work)

    async def workers(self) -> list[Worker]:
        """Every worker of every host that has not been removed."""
        rows = await self._database.glance(WORKERS, {})
        return [Worker(row["id"], row["host"], row["seen_at"], row["merged"]) for row in rows]

    async def merged(self, worker_id: str) -> int | None:
        """The offset that a worker's journal is merged to; None for an unknown worker."""
        table = tables.worker
        async with self._database.reading() as connection:
            found = await connection.execute(select(table.c.merged).where(table.c.id == worker_id))
            offset: int | None = found.scalar_one_or_none()
            return offset

    async def standing(self, artifact_id: int, worker_id: str) -> Standing:
        """How an artifact's counters stand; at nothing where there is no such artifact."""
        return await self._database.current(
            ("standing", artifact_id, worker_id),
            partial(self._standing, artifact_id, worker_id),
            counters=True,
        )

    async def _standing(self, artifact_id: int, worker_id: str) -> Standing:
        # Whatever a later merge adds to this artifact changes its counters, and so the answer.
        asked = {"artifact": artifact_id, "worker": worker_id}
        for row in await self._database.glance(STANDING, asked):
            stats = Stats(row["download_micros"], row["views"])
            return Standing(row["epoch"], stats, row["merged"] or 0)
        return Standing(0, Stats(), 0)

    async def orphans(self) -> set[str]:
        """The ids of workers that left an intent or an unfinished workspace, and no row."""
        return {row["worker_id"] for row in await self._database.glance(ORPHANS, {})}

    async def merge(self, worker_id: str, start: int, end: int, tally: Tally) -> bool:
        """Whether the sums were added: False where the journal is not merged to `start`."""

        async def work(connection: Connection) -> bool:
            journal = {"worker": worker_id, "start": start, "end": end}
            if not await MOVE.once(connection, journal):
                return False
            sums = tally
            if tally.clicks:
                # A transaction that has to run again begins with the batch as it was.
                sums = deepcopy(tally)
                epochs = await _epochs(connection, tally.artifacts)
                await separate(connection, sums, epochs, self._double_click)
            await _add(connection, sums)
            return True

        return await self._database.transaction(work)

    async def harden(self) -> None:
        """Return when what was merged survives a power failure."""
        await self._database.harden()

    async def reset(self, artifact_id: int) -> None:
        """Set an artifact's counters and series to zero; raise its epoch, so that they stay."""
        artifact, daily = tables.artifact, tables.daily

        async def work(connection: Connection) -> None:
            await connection.execute(
                update(artifact)
                .where(artifact.c.id == artifact_id)
                .values(epoch=artifact.c.epoch + 1, download_micros=0, views=0)
            )
            for table in (daily, tables.click):
                await connection.execute(delete(table).where(table.c.artifact_id == artifact_id))

        await self._database.transaction(work)

    async def forget_clicks(self, now: datetime) -> None:
        """Forget clients whose window is over, and the journals merged that may speak of them."""
        before = now - self._double_click - LAG

        async def work(connection: Connection) -> None:
            await connection.execute(delete(tables.click).where(tables.click.c.at <= before))

        await self._database.transaction(work)

    async def forget(self, workers: Collection[str]) -> None:
        """Remove workers whose journals are gone."""

        async def work(connection: Connection) -> None:
            await connection.execute(delete(tables.worker).where(tables.worker.c.id.in_(workers)))

        if workers:
            await self._database.transaction(work)


async def _add(connection: Connection, tally: Tally) -> None:
    """Add the sums whose epoch is the artifact's now."""
    # In one order everywhere, so that two that merge do not lock each other out.
    await RAISE.each(
        connection,
        [
            {"of": of, "of_epoch": epoch, "more_micros": total.micros, "more_views": total.views}
            for (of, epoch), total in sorted(tally.totals.items())
        ],
    )
    await RAISE_DAY.each(
        connection,
        [
            {
                "of": of,
                "of_epoch": epoch,
                "of_path": path,
                "of_day": day,
                "more_downloads": count.downloads,
                "more_micros": count.micros,
                "more_bytes": count.bytes,
            }
            for (of, epoch, path, day), count in sorted(tally.days.items())
        ],
    )


async def _epochs(connection: Connection, artifacts: Collection[int]) -> dict[int, int]:
    rows = await connection.execute(EPOCHS, {"artifacts": list(artifacts)})
    return {row.id: row.epoch for row in rows}
