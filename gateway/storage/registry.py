"""The table of workspaces: where each lies, under which id, and what is being done with it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, bindparam, delete, or_, select, update

from gateway.s3.address import valid_bucket_name
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.prepared import Prepared

MAKING, REMOVING = "making", "removing"


@dataclass(frozen=True, slots=True)
class Entry:
    """A workspace as the database knows it.

    `created_by` is the access key that made it at run time; None for those of the
    configuration. `unfinished` is MAKING or REMOVING while the backend bucket comes or goes,
    by the hand of the worker `worker_id`; else they are "" and None.
    """

    id: str
    name: str
    bucket: str
    prefix: str
    created_at: datetime
    created_by: str | None = None
    unfinished: str = ""
    worker_id: str | None = None

    @property
    def configured(self) -> bool:
        """Whether it was not made at run time."""
        return self.created_by is None


class Overlap(Exception):
    """A workspace made at run time, `entry`, has the name or the place that was to be taken."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name)
        self.entry = entry


_COLUMNS = tuple(field.name for field in fields(Entry))
_table = tables.workspace
_made = _table.c.created_by.is_not(None)
_BY_NAME = Prepared(select(_table).where(_table.c.name == bindparam("name")))


class Registry:
    """Workspaces by name and by id. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Entry]:
        """Every known workspace, by name."""
        return [*await self._database.current(("workspaces",), self._all)]

    async def _all(self) -> list[Entry]:
        async with self._database.reading() as connection:
            rows = await connection.execute(select(_table).order_by(_table.c.name))
            return [_entry_of(row) for row in rows.mappings()]

    async def named(self, name: str) -> Entry | None:
        """The workspace called `name`, finished or not; as it was while the database is away."""
        # Requests hold any text in its place, which not every database takes.
        if not valid_bucket_name(name):
            return None
        return await self._database.current(
            ("workspace", name), partial(self._named, name), recalled=True
        )

    async def _named(self, name: str) -> Entry | None:
        rows = await self._database.glance(_BY_NAME, {"name": name})
        return _entry_of(rows[0]) if rows else None

    async def with_id(self, workspace_id: str) -> Entry | None:
        """The workspace whose records lie under this id, finished or not."""
        return await self._one(_table.c.id == workspace_id)

    async def remember(self, entry: Entry) -> Entry:
        """Keep a workspace of the configuration; one of its name that lay elsewhere is forgotten.

        Returns what stands now. Of two that were made at once for one place the first keeps
        its id: records lie under it; so does one that was made there at run time. `Overlap`
        where such a one has the name or the bucket otherwise, or is not finished.
        """
        here = and_(_table.c.bucket == entry.bucket, _table.c.prefix == entry.prefix)

        async def work(connection: Connection) -> Entry:
            standing = None
            for each in await _meeting(connection, entry):
                same = _place(each) == _place(entry)
                if not each.configured and (not same or each.unfinished):
                    raise Overlap(each)
                standing = each if same else standing
            if standing is not None:
                return standing
            await connection.execute(delete(_table).where(_table.c.name == entry.name, ~here))
            await connection.execute(_table.insert().values(_row_of(entry)))
            return entry

        return await self._database.transaction(work)

    async def restore(self, entry: Entry) -> bool:
        """Whether a workspace that was made at run time is known again, and was not before.

        `Overlap` where its name or its bucket is another's now.
        """

        async def work(connection: Connection) -> bool:
            for each in await _meeting(connection, entry):
                if each.id == entry.id:
                    return False
                raise Overlap(each)
            await connection.execute(_table.insert().values(_row_of(entry)))
            return True

        return await self._database.transaction(work)

    async def reserve(self, entry: Entry) -> bool:
        """Whether a workspace that is to be made now has its name, and a whole bucket.

        A workspace that was configured once, and lay elsewhere, loses the name.
        """

        async def work(connection: Connection) -> bool:
            if any(not each.configured for each in await _meeting(connection, entry)):
                return False
            await connection.execute(delete(_table).where(_table.c.name == entry.name))
            await connection.execute(_table.insert().values(_row_of(entry)))
            return True

        return await self._database.transaction(work)

    async def move(self, entry: Entry, unfinished: str, worker_id: str | None) -> Entry | None:
        """The entry in another state, or by another hand; None where it has changed meanwhile."""

        async def work(connection: Connection) -> bool:
            changed = await connection.execute(
                update(_table)
                .where(_still(entry))
                .values(unfinished=unfinished, worker_id=worker_id)
            )
            return changed.rowcount > 0

        moved = await self._database.transaction(work)
        return replace(entry, unfinished=unfinished, worker_id=worker_id) if moved else None

    async def forget(self, entry: Entry) -> None:
        """Nothing; the entry is gone, unless it has changed meanwhile."""

        async def work(connection: Connection) -> None:
            await connection.execute(delete(_table).where(_still(entry)))

        await self._database.transaction(work)

    async def _one(self, where: ColumnElement[bool]) -> Entry | None:
        async with self._database.reading() as connection:
            rows = await connection.execute(select(_table).where(where))
            row = rows.mappings().first()
        return None if row is None else _entry_of(row)


async def _meeting(connection: Connection, entry: Entry) -> list[Entry]:
    """The entries of the same name, and those made at run time in the same bucket."""
    overlapping = and_(_made, _table.c.bucket == entry.bucket)
    rows = await connection.execute(
        select(_table).where(or_(_table.c.name == entry.name, overlapping))
    )
    return [_entry_of(row) for row in rows.mappings()]


def _still(entry: Entry) -> ColumnElement[bool]:
    hand = (
        _table.c.worker_id.is_(None)
        if entry.worker_id is None
        else _table.c.worker_id == entry.worker_id
    )
    return and_(_table.c.id == entry.id, _table.c.unfinished == entry.unfinished, hand)


def _place(entry: Entry) -> tuple[str, str, str]:
    return entry.name, entry.bucket, entry.prefix


def _entry_of(row: RowMapping | Mapping[str, Any]) -> Entry:
    return Entry(**{name: row[name] for name in _COLUMNS})


def _row_of(entry: Entry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in _COLUMNS}
