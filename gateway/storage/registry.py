"""The table of workspaces."""

from datetime import datetime

from sqlalchemy import delete, select
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
            return {
                row["name"]: (
                    Workspace(
                        row["id"],
                        row["name"],
                        row["bucket"],
                        row["prefix"],
                        row["public"],
                        row["backend_settings"],
                        row["versioning"],
                    ),
                    row["created_at"],
                )
                for row in rows.mappings()
            }

    async def remember(self, workspace: Workspace, created_at: datetime) -> None:
        """Keep the workspace; one of the same name that lay elsewhere is forgotten."""
        table = tables.workspace
        row = {
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

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                delete(table).where(table.c.name == workspace.name, table.c.id != workspace.id)
            )
            rest = [name for name in row if name != "id"]
            await insert_or_update(connection, table, [row], ["id"], rest)

        await self._database.transaction(work)
