"""The table of workspaces."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import RowMapping, and_, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.identity import Workspace
from gateway.storage import tables
from gateway.storage.database import Database, insert_or_update


class Registry:
    """Workspaces with their ids, as the database remembers them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def workspaces(self) -> dict[str, tuple[Workspace, datetime]]:
        """Every known workspace by name, and when it was made."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(tables.workspace))
            return {row["name"]: _workspace_of(row) for row in rows.mappings()}

    async def remember(
        self, workspace: Workspace, created_at: datetime
    ) -> tuple[Workspace, datetime]:
        """Keep the workspace; one of the same name that lay elsewhere is forgotten.

        Returns it as it stands now, and when it was made. Of two that were made at once for
        one place the first keeps its id: records lie under it.
        """
        table = tables.workspace
        here = and_(table.c.bucket == workspace.bucket, table.c.prefix == workspace.prefix)
        named = table.c.name == workspace.name

        async def work(connection: AsyncConnection) -> tuple[Workspace, datetime]:
            rows = await connection.execute(select(table).where(named, here))
            row = rows.mappings().first()
            identity, made = (row["id"], row["created_at"]) if row else (workspace.id, created_at)
            await connection.execute(delete(table).where(named, table.c.id != identity))
            standing = replace(workspace, id=identity)
            values = _row_of(standing, made)
            rest = [name for name in values if name != "id"]
            await insert_or_update(connection, table, [values], ["id"], rest)
            return standing, made

        return await self._database.transaction(work)


def _workspace_of(row: RowMapping) -> tuple[Workspace, datetime]:
    workspace = Workspace(
        row["id"],
        row["name"],
        row["bucket"],
        row["prefix"],
        row["public"],
        row["backend_settings"],
        row["versioning"],
    )
    return workspace, row["created_at"]


def _row_of(workspace: Workspace, created_at: datetime) -> dict[str, object]:
    return {
        "id": workspace.id,
        "name": workspace.name,
        "bucket": workspace.bucket,
        "prefix": workspace.prefix,
        "public": workspace.public,
        "backend_settings": workspace.backend_settings,
        "versioning": workspace.versioning,
        "configured": True,
        "created_at": created_at,
    }
