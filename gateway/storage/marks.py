"""Steps of transactions on an artifact's edit: its mark, its intents, its staged files.

Each is a part of a transaction that the caller holds.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.storage import tables
from gateway.storage.arrivals import await_what_is_left, release_files
from gateway.storage.connection import Connection
from gateway.storage.database import insert_or_update
from gateway.storage.intents import WRITE, under_way
from gateway.storage.prepared import Change
from gateway.storage.rows import artifact_of
from gateway.storage.statements import (
    ANY_STAGED,
    AT_PREFIX,
    CLEAR,
    FORGET_VERSIONS,
    FRESH,
    MARK,
    UNSTAGE,
    UNSTAGE_HELD,
    UNSTAGE_PINNED,
    changing,
)

NO_MANIFEST = {"staged_fields": None, "staged_etag": None, "staged_version_id": None}
UNMARKED = {"stage_id": None, "staged_at": None, "staged_by": None, **NO_MANIFEST}


async def row_id(connection: Connection, workspace_id: str, prefix: str) -> int:
    """The id of the row for a prefix, which is made where there is none."""
    row = {"workspace_id": workspace_id, "prefix": prefix}
    await insert_or_update(connection, tables.artifact, [row], ("workspace_id", "prefix"), ())
    return int((await connection.execute(AT_PREFIX, row)).scalar_one())


async def mark(
    connection: Connection,
    artifact_id: int,
    author: str,
    now: datetime,
    stage_id: str | None = None,
) -> None:
    """Open an edit, unless one is open; under a new id unless one is given."""
    values = {"stage_id": stage_id or uuid4().hex, "staged_at": now, "staged_by": author}
    await MARK.once(connection, {"artifact_id": artifact_id, **values})


async def fresh(connection: Connection, artifact_id: int) -> Artifact:
    """The artifact as this transaction sees it, without what its manifests say."""
    (row,) = await FRESH.asked(connection, {"artifact_id": artifact_id})
    return artifact_of(row)


async def change(connection: Connection, artifact_id: int, values: Mapping[str, object]) -> None:
    """Set columns of an artifact."""
    await changing(*values).once(connection, {"artifact_id": artifact_id, **values})


async def unstage_pinned(connection: Connection, artifact_id: int) -> None:
    """Forget of what is staged whatever the current version has exactly so."""
    await unstage_paths(connection, artifact_id, UNSTAGE_PINNED)


async def unstage_held(connection: Connection, artifact_id: int) -> None:
    """Forget what the current version, just published, has of what was staged for it.

    Files that were announced have the weight that was announced.
    """
    await unstage(connection, artifact_id, MANIFEST)
    await unstage_paths(connection, artifact_id, UNSTAGE_HELD)


async def unstage_paths(
    connection: Connection, artifact_id: int, statement: Change, packed: str | None = None
) -> None:
    """Forget what is staged at the paths of an `unstaging`, and which versions it had."""
    asked = {"artifact_id": artifact_id}
    given = asked if packed is None else asked | {"packed": packed}
    if await statement.once(connection, given):
        await FORGET_VERSIONS.once(connection, asked)


async def unstage(connection: Connection, artifact_id: int, path: str) -> None:
    """Forget what is staged at a path."""
    for statement in UNSTAGE:
        await statement.once(connection, {"artifact_id": artifact_id, "path": path})


async def clear(connection: Connection, artifact_id: int) -> None:
    """Forget what is staged and announced."""
    for statement in CLEAR:
        await statement.once(connection, {"artifact_id": artifact_id})


async def close_if_clean(connection: Connection, artifact_id: int) -> None:
    """End an edit in which nothing differs from the last commit, nor is about to."""
    artifact = await fresh(connection, artifact_id)
    if artifact.stage is None or artifact.manifest_staged or artifact.unfinished:
        return
    if await under_way(connection, artifact_id, WRITE):
        return
    if not artifact.version:
        await _dissolve(connection, artifact_id)
        return
    if not await ANY_STAGED.asked(connection, {"artifact_id": artifact_id}):
        # What was announced in it was to be put to URLs that end with it.
        await clear(connection, artifact_id)
        await change(connection, artifact_id, UNMARKED)


async def _dissolve(connection: Connection, artifact_id: int) -> None:
    """An artifact that was only staged is none any more; its files are ordinary objects."""
    artifact = await fresh(connection, artifact_id)
    await clear(connection, artifact_id)
    await change(connection, artifact_id, UNMARKED | {"collection": False, "type": None})
    if artifact.collection:
        await release_files(connection, artifact)
    await await_what_is_left(connection, artifact)
