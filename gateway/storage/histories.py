"""The index, written from records: what was committed, deleted and weighed under a prefix."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select

from gateway.artifact.layout import MANIFEST, ancestors, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.record import WeightChange
from gateway.artifact.value import Fields
from gateway.artifact.version import Pin, Record
from gateway.storage import pins, publications, tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.marks import change, fresh, row_id
from gateway.storage.rows import WITHOUT_FIELDS, artifact_of, below, live

PAGE = 500


@dataclass(frozen=True, slots=True)
class History:
    """Some records that follow each other under one prefix, and what else is known of them.

    `fields` are what manifests say, by number: the last one's, and that of whatever a tombstone
    follows. `manifests` are the pins of manifests whose
    backend version is known, by number. `weights` are all weight changes of the prefix. `whole`:
    no record comes after these. `buried`: the last is a tombstone, and the files are gone.
    """

    records: Sequence[Record]
    fields: Mapping[int, Fields] = field(default_factory=dict)
    manifests: Mapping[int, Pin] = field(default_factory=dict)
    weights: Sequence[WeightChange] = ()
    whole: bool = True
    buried: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the index knows a prefix: its newest record, and what is left to do.

    `published`: the current manifest's plain key is known to be written.
    """

    artifact: Artifact
    published: bool


@dataclass(frozen=True, slots=True)
class Census:
    """How much of a workspace is committed; `members` are artifacts below a collection."""

    artifacts: int
    members: int
    versions: int
    pins: int
    staged: int


class Histories:
    """The index as records make it. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replay(
        self, workspace_id: str, prefix: str, history: History
    ) -> tuple[Artifact, int]:
        """The artifact as its records make it, and how many things the index did not know."""

        async def work(connection: Connection) -> tuple[Artifact, int]:
            artifact = await fresh(connection, await row_id(connection, workspace_id, prefix))
            news = 0
            for record in history.records:
                if record.number <= artifact.number:
                    continue
                await _weigh(connection, artifact, history.weights)
                await _apply(connection, artifact, record, history)
                artifact = await fresh(connection, artifact.id)
                news += 1
            for number, pin in history.manifests.items():
                news += await pins.note_published(connection, artifact.id, number, pin)
            if history.whole:
                news += await _weigh(connection, artifact, history.weights)
            return artifact, news

        return await self._database.transaction(work)

    async def standing(self, workspace_id: str, prefix: str) -> Standing | None:
        """How far the index knows this prefix; None when it never heard of it."""
        table, pin = tables.artifact, tables.pin
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(*WITHOUT_FIELDS).where(
                    table.c.workspace_id == workspace_id, table.c.prefix == prefix
                )
            )
            row = rows.mappings().first()
            if row is None:
                return None
            open_pins = await connection.execute(
                select(pin.c.id).where(
                    pin.c.artifact_id == row["id"],
                    pin.c.path == MANIFEST,
                    pin.c.until.is_(None),
                    pin.c.published.is_(False),
                )
            )
            return Standing(artifact_of(row), open_pins.first() is None)

    async def live(self, workspace_id: str, after: str | None) -> list[Artifact]:
        """A page of the artifacts that there are now, by prefix, without what they say."""
        table = tables.artifact
        where = [table.c.workspace_id == workspace_id, live()]
        if after is not None:
            where.append(table.c.prefix > after)
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(*WITHOUT_FIELDS).where(*where).order_by(table.c.prefix).limit(PAGE)
            )
            return [artifact_of(row) for row in rows.mappings()]

    async def live_below(self, workspace_id: str, prefix: str) -> set[str]:
        """The prefixes of the artifacts that there are now below a prefix."""
        column = tables.artifact.c
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(column.prefix).where(
                    column.workspace_id == workspace_id, below(column.prefix, f"{prefix}/"), live()
                )
            )
            return {row[0] for row in rows}

    async def live_among(self, workspace_id: str, prefixes: Collection[str]) -> set[str]:
        """Which of the prefixes are artifacts now."""
        column, ordered = tables.artifact.c, sorted(prefixes)
        found: set[str] = set()
        async with self._database.reading() as connection:
            for start in range(0, len(ordered), PAGE):
                rows = await connection.execute(
                    select(column.prefix).where(
                        column.workspace_id == workspace_id,
                        column.prefix.in_(ordered[start : start + PAGE]),
                        live(),
                    )
                )
                found.update(row[0] for row in rows)
        return found

    async def census(self, workspace_id: str) -> Census:
        """How much of a workspace is in the index."""
        artifact, version, pin = tables.artifact, tables.version, tables.pin
        here = artifact.c.workspace_id == workspace_id
        mine = select(artifact.c.id).where(here)
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(artifact.c.prefix, artifact.c.collection).where(here, artifact.c.version > 0)
            )
            committed = {row[0]: bool(row[1]) for row in rows}
            counted = [
                select(func.count()).where(
                    version.c.artifact_id.in_(mine), version.c.manifest.is_not(None)
                ),
                select(func.count()).where(pin.c.workspace_id == workspace_id),
                select(func.count()).where(here, artifact.c.stage_id.is_not(None)),
            ]
            versions, pins, staged = [
                int((await connection.execute(each)).scalar_one()) for each in counted
            ]
        members = sum(
            any(committed.get(above) for above in ancestors(join(prefix, "x")) if above != prefix)
            for prefix in committed
        )
        return Census(len(committed), members, versions, pins, staged)


async def _apply(
    connection: Connection, artifact: Artifact, record: Record, history: History
) -> None:
    last = record is history.records[-1]
    if record.manifest is not None:
        fields = history.fields.get(record.number)
        await publications.publish(connection, artifact, record, fields)
        return
    await publications.bury(connection, artifact, record)
    if history.buried or not last:
        await change(connection, artifact.id, {"unfinished": ""})


async def _weigh(
    connection: Connection, artifact: Artifact, weights: Sequence[WeightChange]
) -> int:
    """How many pins of the current version weighed otherwise than was set in its time."""
    news = 0
    for each in weights:
        if artifact.version and each.version == artifact.version:
            news += await pins.weigh(
                connection, artifact.id, artifact.version, each.path, each.weight
            )
    return news
