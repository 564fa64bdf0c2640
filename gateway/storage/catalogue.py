"""The index, read: which artifact a key belongs to, what is pinned, what lies below."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text, true, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.artifact.layout import ancestors, place
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import Pin, Record, StagedFile
from gateway.storage import tables
from gateway.storage.database import Database
from gateway.storage.intents import COMMIT
from gateway.storage.questions import AT_PREFIXES, BY_ID, CURRENT_PIN, NODES_AT_PREFIXES
from gateway.storage.rows import (
    PIN,
    STAGED_FILE,
    artifact_of,
    as_pin,
    as_staged_file,
    below,
    in_turns,
    in_version,
    live,
    record_of,
)


class Catalogue:
    """Questions to the index. Each method is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def locate(self, workspace_id: str, key: str, *, recalled: bool = False) -> Location:
        """What `key` is: place, artifact, and the pin of its current version if it has one.

        The artifacts come without what their manifests say. With `recalled`, for readers, as it
        was while the database is away.
        """
        question = partial(self._locate, workspace_id, key)
        if recalled:
            return await self._database.recalled(("location", workspace_id, key), question)
        return await question()

    async def _locate(self, workspace_id: str, key: str) -> Location:
        async with self._database.reading() as connection:
            above = await self._above(connection, workspace_id, key, NODES_AT_PREFIXES)
            where = place(key, [artifact.node for artifact in above])
            artifact = next((a for a in above if a.prefix == where.prefix), None)
            pin = None
            if artifact is not None and artifact.version:
                pin = await self._pin(connection, artifact.id, where.path, None)
            return Location(key, where, artifact, pin, tuple(above))

    async def _above(
        self,
        connection: AsyncConnection,
        workspace_id: str,
        key: str,
        question: Select[Any] = AT_PREFIXES,
    ) -> list[Artifact]:
        asked = {"workspace_id": workspace_id, "prefixes": ancestors(key)}
        rows = await connection.execute(question, asked)
        found = [artifact_of(row) for row in rows.mappings()]
        return sorted(found, key=lambda artifact: len(artifact.prefix), reverse=True)

    async def _pin(
        self, connection: AsyncConnection, artifact_id: int, path: str, version: int | None
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

    async def artifact(
        self, workspace_id: str, prefix: str, *, recalled: bool = False
    ) -> Artifact | None:
        """The artifact under exactly this prefix, None when there is none now.

        With `recalled`, for readers, as it was while the database is away.
        """
        question = partial(self._artifact, workspace_id, prefix)
        if recalled:
            return await self._database.recalled(("artifact", workspace_id, prefix), question)
        return await question()

    async def _artifact(self, workspace_id: str, prefix: str) -> Artifact | None:
        asked = {"workspace_id": workspace_id, "prefixes": [prefix]}
        async with self._database.reading() as connection:
            rows = await connection.execute(AT_PREFIXES, asked)
            row = rows.mappings().first()
        return artifact_of(row) if row else None

    async def by_id(self, artifact_id: int) -> Artifact | None:
        """The artifact with this row id, whatever its state."""
        async with self._database.reading() as connection:
            rows = await connection.execute(BY_ID, {"artifact_id": artifact_id})
            row = rows.mappings().first()
        return artifact_of(row) if row else None

    async def these(self, workspace_id: str, ids: Collection[int]) -> list[Artifact]:
        """The workspace's artifacts with these row ids, whatever their state."""
        table = tables.artifact
        where = (table.c.workspace_id == workspace_id, table.c.id.in_(ids))
        async with self._database.reading() as connection:
            rows = await connection.execute(select(table).where(*where))
            return [artifact_of(row) for row in rows.mappings()]

    async def above(self, workspace_id: str, prefix: str) -> list[Artifact]:
        """The artifacts above `prefix`, nearest first, without the one at it."""
        async with self._database.reading() as connection:
            found = await self._above(connection, workspace_id, prefix)
        return [artifact for artifact in found if artifact.prefix != prefix]

    async def descendants(
        self, workspace_id: str, prefix: str, *, limit: int | None = None
    ) -> list[Artifact]:
        """Every live artifact below `prefix`, or the first few, sorted by prefix."""
        table = tables.artifact
        async with self._database.reading(long=limit is None) as connection:
            rows = await connection.execute(
                select(table)
                .where(
                    table.c.workspace_id == workspace_id,
                    below(table.c.prefix, f"{prefix}/" if prefix else ""),
                    table.c.prefix != prefix,
                    live(),
                )
                .order_by(table.c.prefix)
                .limit(limit)
            )
            return [artifact_of(row) for row in rows.mappings()]

    async def names(self, workspace_id: str, prefix: str, *, stage: bool) -> list[str]:
        """The names directly below `prefix` at or below which an artifact is committed.

        With `stage`, at or below which an edit is open. Each comes once.
        """
        table = tables.artifact
        folder = f"{prefix}/" if prefix else ""
        rest = func.substr(table.c.prefix, len(folder) + 1) + "/"
        if self._database.dialect == "sqlite":
            name = func.substr(rest, 1, func.instr(rest, "/") - 1)
        else:
            name = func.split_part(rest, "/", 1)
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(name)
                .where(
                    table.c.workspace_id == workspace_id,
                    text(f"({tables.MARKED if stage else tables.COMMITTED})"),
                    table.c.stage_id.is_not(None) if stage else true(),
                    below(table.c.prefix, folder) if folder else table.c.prefix > "",
                )
                .distinct()
            )
            return [row[0] async for some in in_turns(rows) for row in some]

    async def has_artifacts(self, workspace_id: str) -> bool:
        """Whether the workspace holds any artifact."""
        table = tables.artifact
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(table.c.id).where(table.c.workspace_id == workspace_id, live()).limit(1)
            )
            return found.first() is not None

    async def held_artifact(self, workspace_id: str, key: str) -> bool:
        """Whether an artifact that could own `key` is there, or ever was."""
        table = tables.artifact
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(table.c.id)
                .where(table.c.workspace_id == workspace_id, table.c.prefix.in_(ancestors(key)))
                .limit(1)
            )
            return found.first() is not None

    async def open_edits(self) -> int:
        """How many edits are open, in all workspaces."""
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(func.count()).where(tables.artifact.c.stage_id.is_not(None))
            )
            return int(found.scalar_one())

    async def pins(self, artifact_id: int, version: int | None = None) -> dict[str, Pin]:
        """The pins of a version by path, sorted; the current version's by default.

        The manifest's own pin is among them, under its file name.
        """
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(*PIN)
                .where(tables.pin.c.artifact_id == artifact_id, in_version(version))
                .order_by(tables.pin.c.path)
            )
            return {pin.path: pin async for some in in_turns(rows) for pin in map(as_pin, some)}

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
            rows = await connection.execute(
                select(*STAGED_FILE)
                .where(tables.staged_file.c.artifact_id == artifact_id)
                .order_by(tables.staged_file.c.path)
            )
            return {
                file.path: file
                async for some in in_turns(rows)
                for file in map(as_staged_file, some)
            }

    async def announcements(self, artifact_id: int) -> dict[str, int | None]:
        """The announced paths, with their weights in millionths where one was given."""
        table = tables.announcement
        async with self._database.reading(long=True) as connection:
            rows = await connection.execute(
                select(table.c.path, table.c.weight)
                .where(table.c.artifact_id == artifact_id)
                .order_by(table.c.path)
            )
            return {row[0]: row[1] async for some in in_turns(rows) for row in some}

    async def marked(self, workspace_id: str, prefix: str) -> list[Artifact]:
        """Artifacts that readers don't see as the bucket holds them, where a listing meets them.

        Those at, above and below `prefix` (any string that keys begin with) with an open
        edit, on their way out, or with a commit whose manifest may not have its plain key yet.
        """
        table, intent = tables.artifact, tables.intent
        here = and_(table.c.workspace_id == workspace_id, _meets(table.c.prefix, prefix))
        committing = select(intent.c.artifact_id).where(intent.c.action == COMMIT)
        # One statement: what goes from one to the other while it is asked for is in either.
        question = union_all(
            select(table).where(here, text(f"({tables.MARKED})")),
            select(table).where(here, table.c.version > 0, table.c.id.in_(committing)),
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(question)
            return list({row["id"]: artifact_of(row) for row in rows.mappings()}.values())

    async def arrivals(self, workspace_id: str, prefix: str) -> list[str]:
        """Directories below collections whose files wait for a manifest; met as in `marked`."""
        table = tables.arrival
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(table.c.prefix).where(
                    table.c.workspace_id == workspace_id, _meets(table.c.prefix, prefix)
                )
            )
            return [row[0] for row in rows]

    async def record(self, artifact: Artifact, number: int) -> Record | None:
        """The commit record of one version, with its pins, as the index holds it."""
        record = await self.version(artifact, number)
        if record is None:
            return None
        pins = await self.pins(artifact.id, number)
        return replace(record, pins=tuple(pins.values()))

    async def version(self, artifact: Artifact, number: int) -> Record | None:
        """As `record`, without the pins."""
        table = tables.version
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(table).where(table.c.artifact_id == artifact.id, table.c.number == number)
            )
            row = rows.mappings().first()
        return record_of(artifact, row) if row else None


def _meets(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Whether an artifact's prefix lies at or below a listing's prefix, or the other way."""
    return or_(below(column, prefix), column.in_(ancestors(prefix + "x")))
