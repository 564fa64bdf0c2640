"""The index, asked by what removes old versions: who lays claim to a key, at one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from gateway.artifact.layout import STAGED_MANIFEST, ancestors, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import NULL_VERSION
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.intents import COMMIT, DELETE, ERASE, UPLOAD, WEIGH, WRITE
from gateway.storage.rows import WITHOUT_FIELDS, artifact_of

OF_ONE_PATH = frozenset((WRITE, WEIGH, UPLOAD, ERASE))


@dataclass(frozen=True, slots=True)
class Hold:
    """A pin of a key: the backend version that it names, and the first commit that has it.

    `version_id` is None for a manifest whose plain key is not written yet.
    """

    artifact_id: int
    version_id: str | None
    first: int


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The end of all claims that an artifact's commits of lower numbers laid."""

    artifact_id: int
    number: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """What the index says of one key, in one snapshot.

    `artifacts` are those that are or were at the prefixes above it, nearest first; `staged`
    the backend versions that open edits wrote there, as far as the index was told. `busy`:
    somebody is about to write the key, or to end an edit that could hold it.
    """

    artifacts: tuple[Artifact, ...]
    holds: tuple[Hold, ...]
    tombstones: tuple[Tombstone, ...]
    staged: frozenset[str]
    busy: bool


class Claimants:
    """Questions to the index about whole workspaces. Each method is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claims(self, workspace_id: str, key: str) -> Claims:
        """Everything that lays claim to a key, in one snapshot."""
        table, pin = tables.artifact, tables.pin
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(*WITHOUT_FIELDS).where(
                    table.c.workspace_id == workspace_id, table.c.prefix.in_(ancestors(key))
                )
            )
            found = [artifact_of(row) for row in rows.mappings()]
            artifacts = sorted(found, key=lambda one: len(one.prefix), reverse=True)
            pins = await connection.execute(
                select(pin.c.artifact_id, pin.c.version_id, pin.c.first).where(
                    pin.c.workspace_id == workspace_id, pin.c.key == key
                )
            )
            return Claims(
                tuple(artifacts),
                tuple(Hold(*row) for row in pins),
                await self._tombstones(connection, artifacts),
                await self._staged(connection, artifacts, key),
                await self._busy(connection, artifacts, key),
            )

    async def _tombstones(
        self, connection: Connection, artifacts: Sequence[Artifact]
    ) -> tuple[Tombstone, ...]:
        buried = [artifact.id for artifact in artifacts if artifact.buried]
        table = tables.version
        rows = await connection.execute(
            select(table.c.artifact_id, table.c.number, table.c.created_at)
            .where(table.c.artifact_id.in_(buried), table.c.manifest.is_(None))
            .order_by(table.c.number)
        )
        return tuple(Tombstone(*row) for row in rows)

    async def _staged(
        self, connection: Connection, artifacts: Sequence[Artifact], key: str
    ) -> frozenset[str]:
        found: set[str] = set()
        for artifact in artifacts:
            if artifact.stage is None:
                continue
            path = _path(artifact, key)
            if path == STAGED_MANIFEST:
                found.add(artifact.stage.version_id or NULL_VERSION)
            for table in (tables.staged_file, tables.staged_version):
                rows = await connection.execute(
                    select(table.c.version_id).where(
                        table.c.artifact_id == artifact.id, table.c.path == path
                    )
                )
                found.update(row[0] or NULL_VERSION for row in rows)
        return frozenset(found)

    async def _busy(self, connection: Connection, artifacts: Sequence[Artifact], key: str) -> bool:
        if any(artifact.unfinished for artifact in artifacts):
            return True
        table = tables.intent
        rows = await connection.execute(
            select(table.c.artifact_id, table.c.action, table.c.path).where(
                table.c.artifact_id.in_([artifact.id for artifact in artifacts])
            )
        )
        paths = {artifact.id: _path(artifact, key) for artifact in artifacts}
        return any(
            action not in OF_ONE_PATH or path == paths[owner] for owner, action, path in rows
        )

    async def recorded(self, workspace_id: str) -> int:
        """How many artifacts of a workspace were committed ever."""
        table = tables.artifact
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(func.count()).where(table.c.workspace_id == workspace_id, table.c.number > 0)
            )
            return int(rows.scalar_one())

    async def page(self, workspace_id: str, after: int, limit: int) -> list[Artifact]:
        """Up to `limit` artifacts that are or were in a workspace, of row ids above `after`."""
        table = tables.artifact
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(*WITHOUT_FIELDS)
                .where(table.c.workspace_id == workspace_id, table.c.id > after)
                .order_by(table.c.id)
                .limit(limit)
            )
            return [artifact_of(row) for row in rows.mappings()]

    async def at(self, workspace_id: str, prefix: str) -> Artifact | None:
        """The artifact that is or was at exactly this prefix."""
        table = tables.artifact
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(*WITHOUT_FIELDS).where(
                    table.c.workspace_id == workspace_id, table.c.prefix == prefix
                )
            )
            row = rows.mappings().first()
        return artifact_of(row) if row else None

    async def under_way(self, artifact: Artifact, number: int) -> bool:
        """Whether somebody is about to commit, or delete, under this number."""
        table = tables.intent
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(table.c.id).where(
                    table.c.artifact_id == artifact.id,
                    table.c.number == number,
                    or_(table.c.action == COMMIT, table.c.action == DELETE),
                )
            )
            return rows.first() is not None

    async def pinned_paths(self, artifact: Artifact, after: str, limit: int) -> list[str]:
        """Up to `limit` paths that any commit of the artifact pinned, in order, after a path."""
        table = tables.pin
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(table.c.path)
                .distinct()
                .where(table.c.artifact_id == artifact.id, table.c.path > after)
                .order_by(table.c.path)
                .limit(limit)
            )
            return [row[0] for row in rows]


def _path(artifact: Artifact, key: str) -> str:
    return key[len(join(artifact.prefix, "")) :] if artifact.prefix else key
