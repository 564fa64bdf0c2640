"""The index, read: what the versions of an artifact pin, and what its edit stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, Record, StagedFile
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.questions import (
    CURRENT_PIN,
    FEW_ANNOUNCEMENTS,
    FEW_PINS,
    FEW_STAGED_FILES,
    VERSION,
)
from gateway.storage.rows import (
    PIN,
    STAGED_FILE,
    as_pin,
    as_staged_file,
    below,
    in_turns,
    in_version,
    pin_of,
    record_of,
    staged_file_of,
)
from gateway.turns import MANY

NEWEST = (1 << 31) - 1
"""No version has a number so high: what it pins, the current one does."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the index knows of an edit's files, by path.

    `announced` has weights in millionths, None where none was given.
    """

    pinned: Mapping[str, Pin]
    staged: Mapping[str, StagedFile]
    announced: Mapping[str, int | None]


class Versions:
    """Questions about one artifact's versions, pins and staged files. Each is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.generation = database.generation

    async def _pin(
        self, connection: Connection, artifact_id: int, path: str, version: int | None
    ) -> Pin | None:
        if version is None:
            asked = {"artifact_id": artifact_id, "path": path}
            rows = await connection.execute(CURRENT_PIN, asked)
        else:
            rows = await connection.execute(
                select(*PIN).where(
                    tables.pin.c.artifact_id == artifact_id,
                    tables.pin.c.path == path,
                    in_version(version),
                )
            )
        row = rows.first()
        return as_pin(row) if row else None

    async def pins(self, artifact_id: int, version: int | None = None) -> dict[str, Pin]:
        """The pins of a version by path, sorted; the current version's by default.

        The manifest's own pin is among them, under its file name.
        """
        asked = {"artifact_id": artifact_id, "version": NEWEST if version is None else version}
        few = await self._database.glance(FEW_PINS, asked)
        if len(few) <= MANY:
            return {row["path"]: pin_of(row) for row in few}
        async with self._database.reading(long=True) as connection:
            return await _pins(connection, artifact_id, version)

    async def known(self, artifact: Artifact) -> Known:
        """What is known of the files of an edit, and of the version before it."""
        asked = {"artifact_id": artifact.id}
        staged = await self._database.glance(FEW_STAGED_FILES, asked)
        announced = await self._database.glance(FEW_ANNOUNCEMENTS, asked)
        pins: Sequence[Mapping[str, Any]] = ()
        if artifact.version:
            pins = await self._database.glance(FEW_PINS, asked | {"version": artifact.version})
        if max(map(len, (staged, announced, pins))) <= MANY:
            return Known(
                {row["path"]: pin_of(row) for row in pins},
                {row["path"]: staged_file_of(row) for row in staged},
                {row["path"]: row["weight"] for row in announced},
            )
        async with self._database.reading(long=True) as connection:
            return Known(
                await _pins(connection, artifact.id, artifact.version) if artifact.version else {},
                await _staged_files(connection, artifact.id),
                await _announcements(connection, artifact.id),
            )

    async def pin(self, artifact_id: int, path: str, version: int | None = None) -> Pin | None:
        """The pin of one path in a version; in the current one by default."""
        async with self._database.reading() as connection:
            return await self._pin(connection, artifact_id, path, version)

    async def has_version(self, artifact: Artifact, number: int) -> bool:
        """Whether the artifact has a version of this number, since it was last deleted."""
        table = tables.version
        if number <= artifact.buried:
            return False
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(table.c.number).where(
                    table.c.artifact_id == artifact.id, table.c.number == number
                )
            )
            return found.first() is not None

    async def versions(self, artifact: Artifact) -> list[Record]:
        """The artifact's versions since it was last deleted, newest first, without their pins."""
        table = tables.version
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(table)
                .where(table.c.artifact_id == artifact.id, table.c.number > artifact.buried)
                .order_by(table.c.number.desc())
            )
            return [record_of(artifact, row) for row in rows.mappings()]

    async def pinned(
        self, workspace_id: str, key: str, version_id: str, *, since: int = 0
    ) -> Pin | None:
        """The pin that names this backend version, of any commit of a number above `since`."""
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(*PIN)
                .where(
                    tables.pin.c.workspace_id == workspace_id,
                    tables.pin.c.key == key,
                    tables.pin.c.version_id == version_id,
                    tables.pin.c.first > since,
                )
                .limit(1)
            )
            row = rows.first()
            return as_pin(row) if row else None

    async def pinned_ids(self, workspace_id: str, key: str) -> set[str]:
        """The backend versions of `key` that any commit pins."""
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(tables.pin.c.version_id).where(
                    tables.pin.c.workspace_id == workspace_id,
                    tables.pin.c.key == key,
                    tables.pin.c.version_id.is_not(None),
                )
            )
            return {row[0] for row in rows}

    async def pin_page(
        self,
        workspace_id: str,
        prefix: str,
        after: str,
        limit: int,
        artifact_ids: Sequence[int] | None = None,
    ) -> list[tuple[str, Pin]]:
        """Up to `limit` current pins with their keys, in bytewise order, after a key.

        Of the artifacts named, or of all.
        """
        table = tables.pin
        where = [
            table.c.workspace_id == workspace_id,
            below(table.c.key, prefix),
            table.c.key > after,
            table.c.until.is_(None),
        ]
        if artifact_ids is not None:
            where.append(table.c.artifact_id.in_(artifact_ids))
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(table.c.key, *PIN).where(*where).order_by(table.c.key).limit(limit)
            )
            return [(row[0], as_pin(row[1:])) for row in rows]

    async def staged_files(self, artifact_id: int) -> dict[str, StagedFile]:
        """The staged files and removals by path, as far as the index knows them."""
        async with self._database.reading(long=True) as connection:
            return await _staged_files(connection, artifact_id)

    async def announcements(self, artifact_id: int) -> dict[str, int | None]:
        """The announced paths, with their weights in millionths where one was given."""
        async with self._database.reading(long=True) as connection:
            return await _announcements(connection, artifact_id)

    async def record(self, artifact: Artifact, number: int) -> Record | None:
        """The commit record of one version, with its pins, as the index holds it."""
        record = await self.version(artifact, number)
        if record is None:
            return None
        pins = await self.pins(artifact.id, number)
        return replace(record, pins=tuple(pins.values()))

    async def version(self, artifact: Artifact, number: int) -> Record | None:
        """As `record`, without the pins."""
        rows = await self._database.glance(VERSION, {"artifact_id": artifact.id, "number": number})
        return record_of(artifact, rows[0]) if rows else None


async def _pins(connection: Connection, artifact_id: int, version: int | None) -> dict[str, Pin]:
    rows = await connection.execute(
        select(*PIN)
        .where(tables.pin.c.artifact_id == artifact_id, in_version(version))
        .order_by(tables.pin.c.path)
    )
    return {pin.path: pin async for some in in_turns(rows) for pin in map(as_pin, some)}


async def _staged_files(connection: Connection, artifact_id: int) -> dict[str, StagedFile]:
    rows = await connection.execute(
        select(*STAGED_FILE)
        .where(tables.staged_file.c.artifact_id == artifact_id)
        .order_by(tables.staged_file.c.path)
    )
    return {file.path: file async for some in in_turns(rows) for file in map(as_staged_file, some)}


async def _announcements(connection: Connection, artifact_id: int) -> dict[str, int | None]:
    table = tables.announcement
    rows = await connection.execute(
        select(table.c.path, table.c.weight)
        .where(table.c.artifact_id == artifact_id)
        .order_by(table.c.path)
    )
    return {row[0]: row[1] async for some in in_turns(rows) for row in some}
