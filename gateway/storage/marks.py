"""Steps of transactions on an artifact's edit: its mark, its intents, its staged files.

Each is a part of a transaction that the caller holds.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, StagedFile
from gateway.storage import tables
from gateway.storage.arrivals import await_what_is_left, release_files
from gateway.storage.database import insert_or_update
from gateway.storage.intents import WRITE, under_way
from gateway.storage.rows import PIN, WITHOUT_FIELDS, artifact_of, as_pin

NO_MANIFEST = {"staged_fields": None, "staged_etag": None, "staged_version_id": None}
UNMARKED = {"stage_id": None, "staged_at": None, "staged_by": None, **NO_MANIFEST}


async def row_id(connection: AsyncConnection, workspace_id: str, prefix: str) -> int:
    """The id of the row for a prefix, which is made where there is none."""
    table = tables.artifact
    row = {"workspace_id": workspace_id, "prefix": prefix}
    await insert_or_update(connection, table, [row], ["workspace_id", "prefix"], [])
    found = await connection.execute(
        select(table.c.id).where(table.c.workspace_id == workspace_id, table.c.prefix == prefix)
    )
    return int(found.scalar_one())


async def mark(
    connection: AsyncConnection,
    artifact_id: int,
    author: str,
    now: datetime,
    stage_id: str | None = None,
) -> None:
    """Open an edit, unless one is open; under a new id unless one is given."""
    table = tables.artifact
    await connection.execute(
        update(table)
        .where(table.c.id == artifact_id, table.c.stage_id.is_(None))
        .values(stage_id=stage_id or uuid4().hex, staged_at=now, staged_by=author)
    )


async def fresh(connection: AsyncConnection, artifact_id: int) -> Artifact:
    """The artifact as this transaction sees it, without what its manifests say."""
    rows = await connection.execute(
        select(*WITHOUT_FIELDS).where(tables.artifact.c.id == artifact_id)
    )
    return artifact_of(rows.mappings().one())


async def change(
    connection: AsyncConnection, artifact_id: int, values: Mapping[str, object]
) -> None:
    """Set columns of an artifact."""
    table = tables.artifact
    await connection.execute(update(table).where(table.c.id == artifact_id).values(**values))


async def is_pinned(connection: AsyncConnection, artifact_id: int, staged: StagedFile) -> bool:
    """Whether the current version has exactly this: the same file, or no file."""
    table = tables.pin
    rows = await connection.execute(
        select(*PIN).where(
            table.c.artifact_id == artifact_id,
            table.c.path == staged.path,
            table.c.until.is_(None),
        )
    )
    row = rows.first()
    return _equal(staged, None if row is None else as_pin(row))


def _equal(staged: StagedFile, pin: Pin | None) -> bool:
    if staged.removed or pin is None:
        return staged.removed and pin is None
    if pin.version_id is not None and pin.version_id == staged.version_id:
        return True
    same = (pin.etag, pin.size, pin.content_type) == (
        staged.etag,
        staged.size,
        staged.content_type,
    )
    return same and staged.weight in (None, pin.weight)


async def unstage_pinned(connection: AsyncConnection, artifact_id: int) -> None:
    """Forget of what is staged whatever the current version has exactly so."""
    staged, pin = tables.staged_file.c, tables.pin.c
    same = and_(
        pin.etag == staged.etag,
        pin.size == staged.size,
        pin.content_type == staged.content_type,
        or_(staged.weight.is_(None), staged.weight == pin.weight),
    )
    await unstage_paths(connection, artifact_id, _as_pinned(artifact_id, same))


async def unstage_held(connection: AsyncConnection, artifact_id: int) -> None:
    """Forget what the current version, just published, has of what was staged for it.

    Files that were announced have the weight that was announced.
    """
    staged, pin, announced = tables.staged_file.c, tables.pin.c, tables.announcement.c
    weighed = exists().where(
        announced.artifact_id == artifact_id,
        announced.path == staged.path,
        announced.weight.is_not(None),
    )
    same = and_(
        pin.etag == staged.etag,
        or_(staged.content_type.is_(None), staged.content_type == pin.content_type),
        or_(staged.weight.is_(None), staged.weight == pin.weight, weighed),
    )
    await unstage(connection, artifact_id, MANIFEST)
    await unstage_paths(connection, artifact_id, _as_pinned(artifact_id, same))


def _as_pinned(artifact_id: int, same: ColumnElement[bool]) -> Select[tuple[str]]:
    """The staged paths at which a pin of the current version is the `same`, or none is either."""
    staged, pin = tables.staged_file, tables.pin
    at_path = and_(
        pin.c.artifact_id == staged.c.artifact_id,
        pin.c.path == staged.c.path,
        pin.c.until.is_(None),
    )
    written = and_(staged.c.removed.is_(False), or_(pin.c.version_id == staged.c.version_id, same))
    return (
        select(staged.c.path)
        .join_from(staged, pin, at_path, isouter=True)
        .where(
            staged.c.artifact_id == artifact_id,
            or_(and_(staged.c.removed, pin.c.id.is_(None)), written),
        )
    )


async def unstage_paths(
    connection: AsyncConnection, artifact_id: int, paths: Select[tuple[str]]
) -> None:
    """Forget what is staged at these paths, and which versions it had."""
    table, before = tables.staged_file, tables.staged_version
    gone = await connection.execute(
        delete(table).where(table.c.artifact_id == artifact_id, table.c.path.in_(paths))
    )
    if gone.rowcount:
        left = select(table.c.path).where(table.c.artifact_id == artifact_id)
        await connection.execute(
            delete(before).where(before.c.artifact_id == artifact_id, before.c.path.not_in(left))
        )


async def stage(
    connection: AsyncConnection,
    artifact_id: int,
    staged: StagedFile,
    replaced: Collection[str] = (),
) -> None:
    """Keep what is staged at a path, in the place of what was; its version is remembered.

    So are those in `replaced`, which the edit wrote before that.
    """
    table, before = tables.staged_file, tables.staged_version
    rows = await connection.execute(
        select(table.c.version_id).where(
            table.c.artifact_id == artifact_id,
            table.c.path == staged.path,
            table.c.version_id != staged.version_id,
        )
    )
    earlier = [
        {"artifact_id": artifact_id, "path": staged.path, "version_id": version_id}
        for version_id in dict.fromkeys([*replaced, *(row[0] for row in rows)])
    ]
    if earlier:
        await insert_or_update(
            connection, before, earlier, ["artifact_id", "path", "version_id"], []
        )
    row = {
        "artifact_id": artifact_id,
        "path": staged.path,
        "removed": staged.removed,
        "size": staged.size,
        "etag": staged.etag,
        "version_id": staged.version_id,
        "content_type": staged.content_type,
        "weight": staged.weight,
    }
    rest = [name for name in row if name not in ("artifact_id", "path")]
    await insert_or_update(connection, tables.staged_file, [row], ["artifact_id", "path"], rest)


async def unstage(connection: AsyncConnection, artifact_id: int, path: str) -> None:
    """Forget what is staged at a path."""
    for table in (tables.staged_file, tables.staged_version):
        await connection.execute(
            delete(table).where(table.c.artifact_id == artifact_id, table.c.path == path)
        )


async def clear(connection: AsyncConnection, artifact_id: int) -> None:
    """Forget what is staged and announced."""
    for table in (tables.staged_file, tables.staged_version, tables.announcement):
        await connection.execute(delete(table).where(table.c.artifact_id == artifact_id))


async def close_if_clean(connection: AsyncConnection, artifact_id: int) -> None:
    """End an edit in which nothing differs from the last commit, nor is about to."""
    artifact = await fresh(connection, artifact_id)
    if artifact.stage is None or artifact.manifest_staged or artifact.unfinished:
        return
    if await under_way(connection, artifact_id, WRITE):
        return
    if not artifact.version:
        await _dissolve(connection, artifact_id)
        return
    staged = tables.staged_file
    rows = await connection.execute(
        select(staged.c.path).where(staged.c.artifact_id == artifact_id).limit(1)
    )
    if rows.first() is None:
        # What was announced in it was to be put to URLs that end with it.
        await clear(connection, artifact_id)
        await change(connection, artifact_id, UNMARKED)


async def _dissolve(connection: AsyncConnection, artifact_id: int) -> None:
    """An artifact that was only staged is none any more; its files are ordinary objects."""
    artifact = await fresh(connection, artifact_id)
    await clear(connection, artifact_id)
    await change(connection, artifact_id, UNMARKED | {"collection": False, "type": None})
    if artifact.collection:
        await release_files(connection, artifact)
    await await_what_is_left(connection, artifact)
