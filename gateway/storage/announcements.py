"""The index, written by what is to come: announced files, and members without a manifest."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.record import Announcement
from gateway.storage import tables
from gateway.storage.arrivals import await_files
from gateway.storage.connection import Connection
from gateway.storage.database import Database, insert_or_update
from gateway.storage.marks import fresh


class Announcements:
    """Files that were announced, and directories whose manifest has not arrived."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(
        self, artifact: Artifact, path: str, weight: int | None, now: datetime
    ) -> None:
        """Record that a file is to come, so that commit can demand it."""
        row = {
            "artifact_id": artifact.id,
            "path": path,
            "weight": weight,
            "announced_at": now,
        }

        async def work(connection: Connection) -> None:
            await insert_or_update(
                connection,
                tables.announcement,
                [row],
                ["artifact_id", "path"],
                ["weight", "announced_at"],
            )

        await self._database.transaction(work)

    async def recall(self, artifact: Artifact, announced: Collection[Announcement]) -> int:
        """How many announcements of the edit that is open were not known, and are now."""
        table = tables.announcement

        async def work(connection: Connection) -> int:
            current = await fresh(connection, artifact.id)
            known = await connection.execute(
                select(table.c.path).where(table.c.artifact_id == artifact.id)
            )
            paths = {row[0] for row in known}
            rows = [
                {
                    "artifact_id": artifact.id,
                    "path": each.path,
                    "weight": each.weight,
                    "announced_at": each.time,
                }
                for each in announced
                if current.stage is not None
                and each.stage_id == current.stage.id
                and each.path not in paths
            ]
            if rows:
                await connection.execute(table.insert(), rows)
            return len(rows)

        return await self._database.transaction(work)

    async def renounce(self, artifact: Artifact, path: str) -> bool:
        """Forget an announcement; whether there was one."""
        table = tables.announcement

        async def work(connection: Connection) -> bool:
            gone = await connection.execute(
                delete(table).where(table.c.artifact_id == artifact.id, table.c.path == path)
            )
            return bool(gone.rowcount)

        return await self._database.transaction(work)

    async def arrive(self, workspace_id: str, prefix: str, now: datetime | None = None) -> None:
        """Note that files below `prefix` wait for their member's manifest, or will from now on."""

        async def work(connection: Connection) -> None:
            await await_files(connection, workspace_id, prefix, now)

        await self._database.transaction(work)
