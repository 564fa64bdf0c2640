"""The index, written where edits end: discards, deletes, and what is left of commits."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from sqlalchemy import delete, select

from gateway.artifact.lifecycle import Artifact, Stage, State
from gateway.artifact.version import StagedFile
from gateway.storage import tables
from gateway.storage.arrivals import await_what_is_left, release_files
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.intents import COMMIT, DELETE, DISCARD, WRITE, Intent, Intents, forget
from gateway.storage.marks import (
    NO_MANIFEST,
    change,
    clear,
    close_if_clean,
    fresh,
    unstage,
    unstage_pinned,
)
from gateway.storage.rows import STAGED_FILE, as_staged_file


class Endings:
    """Ends edits. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database, intents: Intents) -> None:
        self._database = database
        self._intents = intents

    async def finish(self, intent: Intent) -> None:
        """Forget an intent that was carried out, or that another was faster with."""

        async def work(connection: Connection) -> None:
            await forget(connection, intent)
            if intent.action == COMMIT:
                # What was settled meanwhile could not tell which version it had to equal.
                await unstage_pinned(connection, intent.artifact_id)
                await close_if_clean(connection, intent.artifact_id)

        await self._database.transaction(work)

    async def begin_discard(self, artifact: Artifact, now: datetime) -> Intent:
        """The intent to discard; upload URLs of the edit end with it."""

        async def work(connection: Connection) -> Intent:
            values = {"unfinished": "discarding", "stage_id": uuid4().hex}
            await change(connection, artifact.id, values)
            return await self._intents.add(connection, artifact.id, DISCARD, "", 0, now)

        return await self._database.transaction(work)

    async def untouched(self, artifact: Artifact, path: str, staged: StagedFile | None) -> bool:
        """Whether nobody has written `path`, or is about to, since it was staged as `staged`."""
        table, files = tables.intent, tables.staged_file
        async with self._database.reading() as connection:
            busy = await connection.execute(
                select(table.c.id).where(
                    table.c.artifact_id == artifact.id,
                    table.c.action == WRITE,
                    table.c.path == path,
                )
            )
            if busy.first() is not None:
                return False
            rows = await connection.execute(
                select(*STAGED_FILE).where(files.c.artifact_id == artifact.id, files.c.path == path)
            )
            row = rows.first()
        return (None if row is None else as_staged_file(row)) == staged

    async def written(self, artifact: Artifact, path: str) -> frozenset[str]:
        """The backend versions of `path` that this edit wrote, as far as the index was told.

        Where the backend keeps no versions, the one there is has the id "null".
        """
        kept = tables.staged_file, tables.staged_version
        found: set[str] = set()
        async with self._database.reading() as connection:
            for table in kept:
                rows = await connection.execute(
                    select(table.c.version_id).where(
                        table.c.artifact_id == artifact.id, table.c.path == path
                    )
                )
                found.update(row[0] or "null" for row in rows)
        return frozenset(found)

    async def end_discard(
        self, intent: Intent, discarded: Stage, files: Sequence[StagedFile]
    ) -> None:
        """End a discard of what was staged as it began; what was put since stays, and the mark."""

        async def work(connection: Connection) -> None:
            await forget(connection, intent)
            artifact = await fresh(connection, intent.artifact_id)
            values: dict[str, object] = {"unfinished": ""}
            stage = artifact.stage
            if stage is not None and (stage.etag, stage.version_id) == (
                discarded.etag,
                discarded.version_id,
            ):
                values |= NO_MANIFEST
            await change(connection, artifact.id, values)
            await self._forget_files(connection, artifact, files)
            await close_if_clean(connection, artifact.id)

        await self._database.transaction(work)

    async def _forget_files(
        self, connection: Connection, artifact: Artifact, files: Sequence[StagedFile]
    ) -> None:
        announced, table = tables.announcement, tables.staged_file
        await connection.execute(delete(announced).where(announced.c.artifact_id == artifact.id))
        rows = await connection.execute(
            select(*STAGED_FILE).where(table.c.artifact_id == artifact.id)
        )
        gone = set(files)
        for file in map(as_staged_file, rows):
            if file in gone:
                await unstage(connection, artifact.id, file.path)

    async def end_delete(self, artifact_id: int) -> None:
        """The files of a deleted artifact are gone."""

        async def work(connection: Connection) -> None:
            await connection.execute(
                delete(tables.intent).where(
                    tables.intent.c.artifact_id == artifact_id,
                    tables.intent.c.action == DELETE,
                )
            )
            await clear(connection, artifact_id)
            await change(connection, artifact_id, {"unfinished": ""})
            artifact = await fresh(connection, artifact_id)
            over = artifact.collection and artifact.state is State.NOTHING
            if over and await release_files(connection, artifact):
                await await_what_is_left(connection, artifact)
            # A write that began before the delete may have set the mark again.
            await close_if_clean(connection, artifact_id)

        await self._database.transaction(work)
