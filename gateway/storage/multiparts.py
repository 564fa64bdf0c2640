"""The index, written by uploads in parts that `put_file` began.

Each belongs to the edit that it was begun in. Once that is over, by whatever way, the upload is
stale: whoever finds it aborts it at the backend, and forgets it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, or_, select, update

from gateway.artifact.lifecycle import Artifact
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database, insert_or_update
from gateway.storage.intents import UPLOAD, WRITE, Intent, Intents, forget
from gateway.storage.prepared import Prepared

OVER = ""
"""The stage of an upload that ended before its edit did."""

_multipart, _artifact, _intent = tables.multipart.c, tables.artifact.c, tables.intent.c
_STALE_ROWS = (
    select(
        _multipart.artifact_id,
        _artifact.workspace_id,
        _artifact.prefix,
        _multipart.path,
        _multipart.upload_id,
        _multipart.completed,
    )
    .join(tables.artifact, _artifact.id == _multipart.artifact_id)
    .where(
        or_(_artifact.stage_id.is_(None), _artifact.stage_id != _multipart.stage_id),
        ~exists().where(
            _intent.artifact_id == _multipart.artifact_id,
            _intent.path == _multipart.path,
            _intent.action == WRITE,
        ),
    )
)
_STALE = Prepared(_STALE_ROWS)
_STALE_OF = Prepared(_STALE_ROWS.where(_multipart.artifact_id == bindparam("of")))


@dataclass(frozen=True, slots=True)
class Multipart:
    """An upload in parts: where its file will be, and whether it is there."""

    artifact_id: int
    workspace_id: str
    prefix: str
    path: str
    upload_id: str
    completed: bool


class Multiparts:
    """Uploads in parts. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database, intents: Intents) -> None:
        self._database = database
        self._intents = intents

    async def begin(self, artifact: Artifact, path: str, now: datetime) -> Intent:
        """The intent to begin an upload: its id is known only when the backend has answered."""

        async def work(connection: Connection) -> Intent:
            return await self._intents.add(connection, artifact.id, UPLOAD, path, 0, now)

        return await self._database.transaction(work)

    async def begun(self, intent: Intent, upload_id: str, stage_id: str, now: datetime) -> None:
        """Remember the upload that came of an intent, as one of the edit called `stage_id`."""
        row = _row(intent.artifact_id, intent.path, upload_id, stage_id, now)

        async def work(connection: Connection) -> None:
            await forget(connection, intent)
            await connection.execute(tables.multipart.insert().values(row))

        await self._database.transaction(work)

    async def find(self, artifact: Artifact, path: str, upload_id: str) -> Multipart | None:
        """The upload, if it was begun in the edit that is open now."""
        table = tables.multipart
        stage_id = artifact.stage.id if artifact.stage else None
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(table.c.completed).where(
                    table.c.artifact_id == artifact.id,
                    table.c.path == path,
                    table.c.upload_id == upload_id,
                    table.c.stage_id == stage_id,
                )
            )
            row = rows.first()
        if row is None:
            return None
        return Multipart(
            artifact.id, artifact.workspace_id, artifact.prefix, path, upload_id, bool(row[0])
        )

    async def completed(self, upload: Multipart) -> None:
        """Note that the upload's file is there."""

        async def work(connection: Connection) -> None:
            await connection.execute(
                update(tables.multipart).where(_is(upload)).values(completed=True)
            )

        await self._database.transaction(work)

    async def forgo(self, artifact: Artifact, path: str | None = None) -> bool:
        """End the uploads of a path, or of the whole edit; whether there were any."""
        table = tables.multipart
        where = [table.c.artifact_id == artifact.id]
        if path is not None:
            where.append(table.c.path == path)

        async def work(connection: Connection) -> bool:
            ended = await connection.execute(update(table).where(*where).values(stage_id=OVER))
            return bool(ended.rowcount)

        return await self._database.transaction(work)

    async def stale(self, artifact_id: int | None = None) -> list[Multipart]:
        """The uploads, of one artifact or of all, whose edit is over.

        Without those that may just be completed: a completion intends to write, and looks again.
        """
        if artifact_id is None:
            rows = await self._database.glance(_STALE, {})
        else:
            rows = await self._database.glance(_STALE_OF, {"of": artifact_id})
        return [Multipart(**row) for row in rows]

    async def remember(self, artifact: Artifact, path: str, upload_id: str, now: datetime) -> None:
        """Take an upload for stale once more: a part of it came after it was forgotten."""
        row = _row(artifact.id, path, upload_id, OVER, now)

        async def work(connection: Connection) -> None:
            await insert_or_update(
                connection, tables.multipart, [row], ["artifact_id", "upload_id"], []
            )

        await self._database.transaction(work)

    async def forget(self, upload: Multipart) -> None:
        """Nothing is left of the upload."""

        async def work(connection: Connection) -> None:
            await connection.execute(delete(tables.multipart).where(_is(upload)))

        await self._database.transaction(work)

    async def known(self, intent: Intent) -> frozenset[str] | None:
        """The ids of all uploads of an intent's path; None while another's is about to be known."""
        table, intents = tables.multipart, tables.intent
        async with self._database.reading() as connection:
            others = await connection.execute(
                select(intents.c.id).where(
                    intents.c.artifact_id == intent.artifact_id,
                    intents.c.action == UPLOAD,
                    intents.c.path == intent.path,
                    intents.c.id != intent.id,
                )
            )
            if others.first() is not None:
                return None
            rows = await connection.execute(
                select(table.c.upload_id).where(
                    table.c.artifact_id == intent.artifact_id, table.c.path == intent.path
                )
            )
            return frozenset(row[0] for row in rows)

    async def since(self, intent: Intent) -> datetime | None:
        """When an intent was written; None when it is there no more."""
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(tables.intent.c.created_at).where(tables.intent.c.id == intent.id)
            )
            row = rows.first()
            return None if row is None else row[0]


def _row(
    artifact_id: int, path: str, upload_id: str, stage_id: str, now: datetime
) -> dict[str, object]:
    return {
        "artifact_id": artifact_id,
        "path": path,
        "upload_id": upload_id,
        "stage_id": stage_id,
        "completed": False,
        "begun_at": now,
    }


def _is(upload: Multipart) -> ColumnElement[bool]:
    table = tables.multipart
    return and_(table.c.artifact_id == upload.artifact_id, table.c.upload_id == upload.upload_id)
