"""The index, written by edits: marks, intents, staged files, announcements, arrivals.

A mark is committed before the first byte of a change goes to the bucket, together with an
intent that names the key and the worker. When the worker dies, another finds the intent and
asks the bucket what became of the key.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.value import Fields
from gateway.artifact.version import StagedFile
from gateway.storage import tables
from gateway.storage.catalogue import artifact_of
from gateway.storage.database import Database, insert_or_update

UNMARKED = {
    "stage_id": None,
    "staged_at": None,
    "staged_by": None,
    "staged_fields": None,
    "staged_etag": None,
    "staged_version_id": None,
}


@dataclass(frozen=True, slots=True)
class Intent:
    """What a worker is about to do to the bucket.

    `action` is "write" (of the key at `path`), "commit", "delete" (of version `number`) or
    "discard".
    """

    id: str
    artifact_id: int
    action: str
    path: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class StagedManifest:
    """A staged manifest as the bucket took it."""

    fields: Fields
    etag: str
    version_id: str | None


class Stages:
    """Changes to stages. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id

    async def begin(
        self, artifact: Artifact, path: str, *, author: str, now: datetime
    ) -> tuple[Artifact, Intent]:
        """The artifact with its mark set, and the intent to write `path` in it."""

        async def work(connection: AsyncConnection) -> tuple[Artifact, Intent]:
            await _mark(connection, artifact.id, author, now)
            intent = await self._intend(connection, artifact.id, "write", path, 0, now)
            return await fresh(connection, artifact.id), intent

        return await self._database.transaction(work)

    async def begin_new(
        self, workspace_id: str, prefix: str, path: str, *, author: str, now: datetime
    ) -> tuple[Artifact, Intent]:
        """As `begin`, for an artifact that may have no row yet."""

        async def work(connection: AsyncConnection) -> tuple[Artifact, Intent]:
            row = {"workspace_id": workspace_id, "prefix": prefix}
            await insert_or_update(
                connection, tables.artifact, [row], ["workspace_id", "prefix"], []
            )
            found = await connection.execute(
                select(tables.artifact.c.id).where(
                    tables.artifact.c.workspace_id == workspace_id,
                    tables.artifact.c.prefix == prefix,
                )
            )
            artifact_id = int(found.scalar_one())
            await _mark(connection, artifact_id, author, now)
            intent = await self._intend(connection, artifact_id, "write", path, 0, now)
            return await fresh(connection, artifact_id), intent

        return await self._database.transaction(work)

    async def intend(
        self, artifact: Artifact, action: str, *, number: int = 0, now: datetime
    ) -> Intent:
        """The intent to commit, delete or discard, so that another can finish it."""

        async def work(connection: AsyncConnection) -> Intent:
            return await self._intend(connection, artifact.id, action, "", number, now)

        return await self._database.transaction(work)

    async def _intend(  # noqa: PLR0913 (the columns of one row)
        self,
        connection: AsyncConnection,
        artifact_id: int,
        action: str,
        path: str,
        number: int,
        now: datetime,
    ) -> Intent:
        intent = Intent(uuid4().hex, artifact_id, action, path, number)
        await connection.execute(
            tables.intent.insert().values(
                id=intent.id,
                worker_id=self._worker_id,
                artifact_id=artifact_id,
                action=action,
                path=path,
                number=number,
                created_at=now,
            )
        )
        return intent

    async def drop(self, intent: Intent) -> None:
        """Forget an intent that came to nothing; an edit left without a difference ends."""

        async def work(connection: AsyncConnection) -> None:
            await forget(connection, intent)
            await close_if_clean(connection, intent.artifact_id)

        await self._database.transaction(work)

    async def finish(self, intent: Intent) -> None:
        """Forget an intent that was carried out."""

        async def work(connection: AsyncConnection) -> None:
            await forget(connection, intent)

        await self._database.transaction(work)

    async def settle(
        self, intent: Intent, staged: StagedFile | None, *, author: str, now: datetime
    ) -> None:
        """Record what became of a written key: staged so, or (None) equal to its pin or gone.

        What a commit has pinned meanwhile is no longer staged.
        """

        async def work(connection: AsyncConnection) -> None:
            await forget(connection, intent)
            if (await fresh(connection, intent.artifact_id)).state is State.NOTHING:
                return
            if staged is None or await _is_pinned(connection, intent.artifact_id, staged):
                await _unstage(connection, intent.artifact_id, intent.path)
                await close_if_clean(connection, intent.artifact_id)
                return
            await _mark(connection, intent.artifact_id, author, now)
            await _stage(connection, intent.artifact_id, staged)

        await self._database.transaction(work)

    async def settle_manifest(
        self, intent: Intent, manifest: StagedManifest | None, *, author: str, now: datetime
    ) -> Artifact:
        """Record the staged manifest that the bucket now holds, or that it holds none.

        An artifact that was never committed is none without its staged manifest.
        """

        async def work(connection: AsyncConnection) -> Artifact:
            await forget(connection, intent)
            artifact = await fresh(connection, intent.artifact_id)
            values: dict[str, object] = dict.fromkeys(
                ("staged_fields", "staged_etag", "staged_version_id")
            )
            if manifest is not None:
                await _mark(connection, artifact.id, author, now)
                values = {
                    "staged_fields": dict(manifest.fields),
                    "staged_etag": manifest.etag,
                    "staged_version_id": manifest.version_id,
                }
                if not artifact.version:
                    kind = manifest.fields.get("type")
                    values |= {"type": kind, "collection": kind == "collection"}
            await change(connection, artifact.id, values)
            if manifest is None:
                await close_if_clean(connection, artifact.id)
            return await fresh(connection, artifact.id)

        return await self._database.transaction(work)

    async def emptied(self, artifact: Artifact) -> bool:
        """Whether, as far as the index knows, writers see none of the artifact's keys.

        That is a reason to look, not an answer: the bucket may hold keys unknown here.
        """
        staged, pin = tables.staged_file, tables.pin
        mine = staged.c.artifact_id == artifact.id
        removed = select(staged.c.path).where(mine, staged.c.removed)
        async with self._database.reading() as connection:
            marked = await fresh(connection, artifact.id)
            if marked.stage is None or marked.manifest_staged:
                return False
            put = await connection.execute(
                select(staged.c.path).where(mine, staged.c.removed.is_(False)).limit(1)
            )
            if put.first() is not None:
                return False
            left = await connection.execute(
                select(pin.c.path)
                .where(
                    pin.c.artifact_id == artifact.id,
                    pin.c.until.is_(None),
                    pin.c.path.not_in(removed),
                )
                .limit(1)
            )
            return left.first() is None

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

        async def work(connection: AsyncConnection) -> None:
            await insert_or_update(
                connection,
                tables.announcement,
                [row],
                ["artifact_id", "path"],
                ["weight", "announced_at"],
            )

        await self._database.transaction(work)

    async def renounce(self, artifact: Artifact, path: str) -> bool:
        """Forget an announcement; whether there was one."""
        table = tables.announcement

        async def work(connection: AsyncConnection) -> bool:
            gone = await connection.execute(
                delete(table).where(table.c.artifact_id == artifact.id, table.c.path == path)
            )
            return bool(gone.rowcount)

        return await self._database.transaction(work)

    async def arrive(self, workspace_id: str, prefix: str) -> None:
        """Note that files below `prefix` wait for their member's manifest."""
        row = {"workspace_id": workspace_id, "prefix": prefix}

        async def work(connection: AsyncConnection) -> None:
            await insert_or_update(
                connection, tables.arrival, [row], ["workspace_id", "prefix"], []
            )

        await self._database.transaction(work)

    async def begin_discard(self, artifact: Artifact, now: datetime) -> Intent:
        """The intent to discard; upload URLs of the edit end with it."""

        async def work(connection: AsyncConnection) -> Intent:
            values = {"unfinished": "discarding", "stage_id": uuid4().hex}
            await change(connection, artifact.id, values)
            return await self._intend(connection, artifact.id, "discard", "", 0, now)

        return await self._database.transaction(work)

    async def end_discard(self, intent: Intent) -> None:
        """Take the mark away: the bucket shows the last commit again, or nothing."""

        async def work(connection: AsyncConnection) -> None:
            await forget(connection, intent)
            await clear(connection, intent.artifact_id)
            values: dict[str, object] = {"unfinished": ""}
            if not await _writes(connection, intent.artifact_id):
                values |= UNMARKED
            await change(connection, intent.artifact_id, values)

        await self._database.transaction(work)

    async def end_delete(self, artifact_id: int) -> None:
        """The files of a deleted artifact are gone."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                delete(tables.intent).where(
                    tables.intent.c.artifact_id == artifact_id,
                    tables.intent.c.action == "delete",
                )
            )
            await clear(connection, artifact_id)
            await change(connection, artifact_id, {"unfinished": ""})

        await self._database.transaction(work)

    async def abandoned(self, workers: Collection[str]) -> list[Intent]:
        """The intents of workers that are dead, oldest first, now this worker's."""

        async def work(connection: AsyncConnection) -> list[Intent]:
            table = tables.intent
            theirs = and_(table.c.worker_id.in_(workers), table.c.worker_id != self._worker_id)
            rows = await connection.execute(select(table).where(theirs).order_by("created_at"))
            found = [
                Intent(row["id"], row["artifact_id"], row["action"], row["path"], row["number"])
                for row in rows.mappings()
            ]
            await connection.execute(
                update(table)
                .where(table.c.id.in_([intent.id for intent in found]))
                .values(worker_id=self._worker_id)
            )
            return found

        return await self._database.transaction(work)


async def _mark(connection: AsyncConnection, artifact_id: int, author: str, now: datetime) -> None:
    table = tables.artifact
    await connection.execute(
        update(table)
        .where(table.c.id == artifact_id, table.c.stage_id.is_(None))
        .values(stage_id=uuid4().hex, staged_at=now, staged_by=author)
    )


async def fresh(connection: AsyncConnection, artifact_id: int) -> Artifact:
    """The artifact as this transaction sees it."""
    rows = await connection.execute(
        select(tables.artifact).where(tables.artifact.c.id == artifact_id)
    )
    return artifact_of(rows.mappings().one())


async def change(
    connection: AsyncConnection, artifact_id: int, values: Mapping[str, object]
) -> None:
    """Set columns of an artifact."""
    table = tables.artifact
    await connection.execute(update(table).where(table.c.id == artifact_id).values(**values))


async def forget(connection: AsyncConnection, intent: Intent) -> None:
    """Take an intent away."""
    await connection.execute(delete(tables.intent).where(tables.intent.c.id == intent.id))


async def _is_pinned(connection: AsyncConnection, artifact_id: int, staged: StagedFile) -> bool:
    """Whether the current version has exactly this: the same file, or no file."""
    table = tables.pin
    rows = await connection.execute(
        select(table).where(
            table.c.artifact_id == artifact_id,
            table.c.path == staged.path,
            table.c.until.is_(None),
        )
    )
    row = rows.mappings().first()
    if staged.removed or row is None:
        return staged.removed and row is None
    if row["version_id"] is not None and row["version_id"] == staged.version_id:
        return True
    same = (row["etag"], row["size"], row["content_type"]) == (
        staged.etag,
        staged.size,
        staged.content_type,
    )
    return same and staged.weight in (None, row["weight"])


async def _stage(connection: AsyncConnection, artifact_id: int, staged: StagedFile) -> None:
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


async def _unstage(connection: AsyncConnection, artifact_id: int, path: str) -> None:
    table = tables.staged_file
    await connection.execute(
        delete(table).where(table.c.artifact_id == artifact_id, table.c.path == path)
    )


async def clear(connection: AsyncConnection, artifact_id: int) -> None:
    """Forget what is staged and announced."""
    for table in (tables.staged_file, tables.announcement):
        await connection.execute(delete(table).where(table.c.artifact_id == artifact_id))


async def _writes(connection: AsyncConnection, artifact_id: int) -> bool:
    """Whether a write in the artifact is under way."""
    table = tables.intent
    found = await connection.execute(
        select(func.count()).where(table.c.artifact_id == artifact_id, table.c.action == "write")
    )
    return bool(found.scalar_one())


async def close_if_clean(connection: AsyncConnection, artifact_id: int) -> None:
    """End an edit in which nothing differs from the last commit, nor is about to."""
    artifact = await fresh(connection, artifact_id)
    if artifact.manifest_staged or artifact.unfinished or await _writes(connection, artifact_id):
        return
    if not artifact.version:
        await _dissolve(connection, artifact_id)
        return
    staged = tables.staged_file
    rows = await connection.execute(
        select(func.count()).where(staged.c.artifact_id == artifact_id)
    )
    if not rows.scalar_one():
        await change(connection, artifact_id, UNMARKED)


async def _dissolve(connection: AsyncConnection, artifact_id: int) -> None:
    """An artifact that was only staged is none any more; its files are ordinary objects."""
    await clear(connection, artifact_id)
    await change(connection, artifact_id, UNMARKED | {"collection": False, "type": None})
