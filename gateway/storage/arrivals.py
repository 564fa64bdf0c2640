"""Steps of transactions on directories below collections whose files wait for a manifest.

Each is a part of a transaction that the caller holds.
"""

from datetime import UTC, datetime

from sqlalchemy import delete, func, select

from gateway.artifact.layout import ancestors
from gateway.artifact.lifecycle import Artifact
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import insert_or_update
from gateway.storage.rows import below, live


async def await_files(
    connection: Connection, workspace_id: str, prefix: str, now: datetime | None
) -> None:
    """Mark a directory in which files wait for their member's manifest, or will from `now` on."""
    row = {"workspace_id": workspace_id, "prefix": prefix, "since": now}
    later = [] if now is None else ["since"]
    await insert_or_update(connection, tables.arrival, [row], ["workspace_id", "prefix"], later)


async def release_files(connection: Connection, artifact: Artifact) -> bool:
    """Whether directories were marked directly below a collection that is none any more.

    Nothing waits for it: their marks are gone.
    """
    table = tables.arrival
    folder = f"{artifact.prefix}/" if artifact.prefix else ""
    mine = table.c.workspace_id == artifact.workspace_id
    rows = await connection.execute(
        select(table.c.prefix).where(mine, below(table.c.prefix, folder))
    )
    # Deeper ones are other collections'.
    marked = [prefix for prefix in rows.scalars() if "/" not in prefix[len(folder) :]]
    for prefix in marked:
        await connection.execute(delete(table).where(mine, table.c.prefix == prefix))
    return bool(marked)


async def await_what_is_left(connection: Connection, artifact: Artifact) -> None:
    """What is left of an artifact below a collection waits there for another manifest."""
    waiting = await _first_below_collection(connection, artifact)
    if waiting is not None:
        await await_files(connection, artifact.workspace_id, waiting, datetime.now(UTC))


async def _first_below_collection(connection: Connection, artifact: Artifact) -> str | None:
    """Where, below a collection, an artifact's files wait for a manifest; None below none."""
    table = tables.artifact
    above = [prefix for prefix in ancestors(artifact.prefix) if prefix != artifact.prefix]
    rows = await connection.execute(
        select(table.c.prefix, table.c.collection)
        .where(table.c.workspace_id == artifact.workspace_id, table.c.prefix.in_(above), live())
        .order_by(func.length(table.c.prefix).desc())
    )
    nearest = rows.first()
    if nearest is None or not nearest.collection:
        return None
    cut = len(nearest.prefix) + 1 if nearest.prefix else 0
    return artifact.prefix[:cut] + artifact.prefix[cut:].split("/", 1)[0]
