"""Steps of transactions on an artifact's edit: its mark, its intents, its staged files.

Each is a part of a transaction that the caller holds.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.storage import tables
from gateway.storage.arrivals import await_what_is_left, release_files
from gateway.storage.database import insert_or_update
from gateway.storage.intents import WRITE, under_way
from gateway.storage.rows import WITHOUT_FIELDS, artifact_of

NO_MANIFEST = {"staged_fields": None, "staged_etag": None, "staged_version_id": None}
UNMARKED = {"stage_id": None, "staged_at": None, "staged_by": None, **NO_MANIFEST}

# Made once: making a statement takes several times as long as running it.
_artifact, _staged = tables.artifact.c, tables.staged_file.c
_AT_PREFIX = select(_artifact.id).where(
    _artifact.workspace_id == bindparam("workspace_id"), _artifact.prefix == bindparam("prefix")
)
_FRESH = select(*WITHOUT_FIELDS).where(_artifact.id == bindparam("artifact_id"))
_CHANGE = update(tables.artifact).where(_artifact.id == bindparam("artifact_id"))
_MARK = _CHANGE.where(_artifact.stage_id.is_(None))
_ANY_STAGED = select(_staged.path).where(_staged.artifact_id == bindparam("artifact_id")).limit(1)
_UNSTAGE = tuple(
    delete(table).where(
        table.c.artifact_id == bindparam("artifact_id"), table.c.path == bindparam("path")
    )
    for table in (tables.staged_file, tables.staged_version)
)
_CLEAR = tuple(
    delete(table).where(table.c.artifact_id == bindparam("artifact_id"))
    for table in (tables.staged_file, tables.staged_version, tables.announcement)
)


async def row_id(connection: AsyncConnection, workspace_id: str, prefix: str) -> int:
    """The id of the row for a prefix, which is made where there is none."""
    row = {"workspace_id": workspace_id, "prefix": prefix}
    await insert_or_update(connection, tables.artifact, [row], ("workspace_id", "prefix"), ())
    return int((await connection.execute(_AT_PREFIX, row)).scalar_one())


async def mark(
    connection: AsyncConnection,
    artifact_id: int,
    author: str,
    now: datetime,
    stage_id: str | None = None,
) -> None:
    """Open an edit, unless one is open; under a new id unless one is given."""
    values = {"stage_id": stage_id or uuid4().hex, "staged_at": now, "staged_by": author}
    await connection.execute(_MARK, {"artifact_id": artifact_id, **values})


async def fresh(connection: AsyncConnection, artifact_id: int) -> Artifact:
    """The artifact as this transaction sees it, without what its manifests say."""
    rows = await connection.execute(_FRESH, {"artifact_id": artifact_id})
    return artifact_of(rows.mappings().one())


async def change(
    connection: AsyncConnection, artifact_id: int, values: Mapping[str, object]
) -> None:
    """Set columns of an artifact."""
    await connection.execute(_CHANGE, {"artifact_id": artifact_id, **values})


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


async def unstage(connection: AsyncConnection, artifact_id: int, path: str) -> None:
    """Forget what is staged at a path."""
    for statement in _UNSTAGE:
        await connection.execute(statement, {"artifact_id": artifact_id, "path": path})


async def clear(connection: AsyncConnection, artifact_id: int) -> None:
    """Forget what is staged and announced."""
    for statement in _CLEAR:
        await connection.execute(statement, {"artifact_id": artifact_id})


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
    rows = await connection.execute(_ANY_STAGED, {"artifact_id": artifact_id})
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
