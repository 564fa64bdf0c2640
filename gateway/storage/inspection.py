"""The index, read by those who hold it against the bucket: rows in whatever state."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import and_, func, or_, select

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import Stats
from gateway.artifact.version import NULL_VERSION, Pin, StagedFile
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.intents import Intent
from gateway.storage.rows import WITHOUT_FIELDS, artifact_of, pin_of, staged_file_of

PAGE = 500


@dataclass(frozen=True, slots=True)
class Undertaking:
    """An intent, and the worker that has it."""

    intent: Intent
    worker_id: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the index says of one artifact's edit at one moment: two that are equal mean quiet.

    The artifact comes without what its manifests say, and without its counters.
    """

    artifact: Artifact
    staged: tuple[StagedFile, ...]
    announced: tuple[str, ...]
    undertakings: tuple[Undertaking, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A pin, and the versions that have it: from `first` to before `until`, None for no end."""

    pin: Pin
    first: int
    until: int | None
    published: bool

    def versions(self, newest: int) -> range:
        """The numbers of these versions, `newest` being the artifact's current one."""
        return range(self.first, newest + 1 if self.until is None else self.until)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The mark of a directory; `since` is when a file was last put there, None where unknown."""

    prefix: str
    since: datetime | None


class Inspection:
    """Questions about rows as they are. Each method is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def snapshot(self, workspace_id: str, prefix: str) -> Snapshot | None:
        """The artifact at `prefix` in whatever state; None where it has no row."""
        table = tables.artifact
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(*WITHOUT_FIELDS).where(
                    table.c.workspace_id == workspace_id, table.c.prefix == prefix
                )
            )
            row = rows.mappings().first()
            if row is None:
                return None
            artifact = replace(artifact_of(row), stats=Stats(), epoch=0)
            staged, announced = tables.staged_file, tables.announcement
            files = await connection.execute(
                select(staged).where(staged.c.artifact_id == artifact.id).order_by(staged.c.path)
            )
            paths = await connection.execute(
                select(announced.c.path)
                .where(announced.c.artifact_id == artifact.id)
                .order_by(announced.c.path)
            )
            return Snapshot(
                artifact,
                tuple(staged_file_of(each) for each in files.mappings()),
                tuple(paths.scalars()),
                await _undertakings(connection, artifact.id),
            )

    async def prefixes(self, workspace_id: str) -> AsyncIterator[list[str]]:
        """The prefixes of all rows that say anything, in pages, sorted."""
        table = tables.artifact
        says = or_(
            table.c.number > 0,
            table.c.stage_id.is_not(None),
            table.c.unfinished != "",
            table.c.id.in_(select(tables.intent.c.artifact_id)),
        )
        after: str | None = None
        while True:
            later = [] if after is None else [table.c.prefix > after]
            async with self._database.reading(long=True) as connection:
                rows = await connection.execute(
                    select(table.c.prefix)
                    .where(table.c.workspace_id == workspace_id, says, *later)
                    .order_by(table.c.prefix)
                    .limit(PAGE)
                )
                page = list(rows.scalars())
            if page:
                yield page
                after = page[-1]
            if len(page) < PAGE:
                return

    async def count(self, workspace_id: str) -> int:
        """How many rows of artifacts a workspace has."""
        table = tables.artifact
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(func.count()).where(table.c.workspace_id == workspace_id)
            )
            return int(found.scalar_one())

    async def numbers(self, artifact_id: int) -> set[int]:
        """The numbers of an artifact's versions and tombstones."""
        table = tables.version
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(table.c.number).where(table.c.artifact_id == artifact_id)
            )
            return set(rows.scalars())

    async def spans(self, artifact_id: int, *, since: int) -> list[Span]:
        """The pins of all versions after the number `since`."""
        table = tables.pin
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(table)
                .where(table.c.artifact_id == artifact_id, table.c.first > since)
                .order_by(table.c.path, table.c.first)
            )
            return [
                Span(pin_of(row), row["first"], row["until"], row["published"])
                for row in rows.mappings()
            ]

    async def arrival(self, workspace_id: str, prefix: str) -> Arrival | None:
        """The mark of exactly this directory."""
        table = tables.arrival
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(table.c.since).where(
                    table.c.workspace_id == workspace_id, table.c.prefix == prefix
                )
            )
            row = found.first()
            return None if row is None else Arrival(prefix, row[0])

    async def names_versions(self, workspace_id: str) -> bool:
        """Whether any pin of the workspace names a version that only a versioned bucket keeps."""
        table = tables.pin
        named = and_(table.c.version_id.is_not(None), table.c.version_id != NULL_VERSION)
        async with self._database.reading(long=True) as connection:
            found = await connection.execute(
                select(table.c.id).where(table.c.workspace_id == workspace_id, named).limit(1)
            )
            return found.first() is not None


async def _undertakings(connection: Connection, artifact_id: int) -> tuple[Undertaking, ...]:
    table = tables.intent
    rows = await connection.execute(
        select(table).where(table.c.artifact_id == artifact_id).order_by(table.c.created_at)
    )
    return tuple(
        Undertaking(
            Intent(row["id"], row["artifact_id"], row["action"], row["path"], row["number"]),
            row["worker_id"],
        )
        for row in rows.mappings()
    )
