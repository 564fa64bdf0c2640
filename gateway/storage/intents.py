"""What workers are about to do to the bucket, so that another can finish it.

An intent is committed before the bucket is touched, and goes when the outcome is recorded.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4
from weakref import WeakValueDictionary

from sqlalchemy import bindparam, delete, or_, select, update

from gateway.artifact.lifecycle import Artifact
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.prepared import Change, Prepared

WRITE, COMMIT, DELETE, DISCARD = "write", "commit", "delete", "discard"
WEIGH, UPLOAD, ERASE = "weigh", "upload", "erase"

# Made once: making a statement takes several times as long as running it.
_intent = tables.intent.c
_ADD = Change(tables.intent.insert(), columns=tuple(column.name for column in _intent))
_FORGET = Change(delete(tables.intent).where(_intent.id == bindparam("intent_id")))
_IDS = select(_intent.id).where(
    _intent.artifact_id == bindparam("artifact_id"),
    _intent.action == bindparam("action"),
    _intent.id != bindparam("but"),
)
_OF_WORKER = select(_intent.id, _intent.artifact_id).where(_intent.worker_id == bindparam("worker"))
_ALL_OF_WORKER, _ANY_OF_WORKER = Prepared(_OF_WORKER), Prepared(_OF_WORKER.limit(1))
_UNDER_WAY = Prepared(_IDS.limit(1))
_UNDER_WAY_AT = Prepared(_IDS.where(_intent.path == bindparam("path")).limit(1))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Intent:
    """What a worker is about to do to the bucket.

    `action` is "write" (of the key at `path`), "commit", "delete" (of version `number`),
    "discard", "weigh" (the pin of `path` in version `number`), "upload" (begin one, in parts,
    of the key at `path`) or "erase" (a backend version of the key at `path`; of no path, files
    are staged that are to be an old version's). A write's `number` is that of the artifact's
    newest record as it began. Who holds the object is at
    it: one that nobody holds is abandoned.
    """

    id: str
    artifact_id: int
    action: str
    path: str = ""
    number: int = 0


class Intents:
    """The intents of one worker. Each method is one transaction; `add` is a part of another's."""

    def __init__(self, database: Database, worker_id: str) -> None:
        self._database = database
        self._worker_id = worker_id
        self._held: WeakValueDictionary[str, Intent] = WeakValueDictionary()

    async def intend(
        self, artifact: Artifact, action: str, path: str = "", *, number: int = 0, now: datetime
    ) -> Intent:
        """The intent to delete or to erase, so that another can finish it."""

        async def work(connection: Connection) -> Intent:
            return await self.add(connection, artifact.id, action, path, number, now)

        return await self._database.transaction(work)

    async def intend_to_revert(self, artifact: Artifact, now: datetime) -> Intent | None:
        """The intent to go back to an old version; None while somebody else has it."""

        async def work(connection: Connection) -> Intent | None:
            if await under_way(connection, artifact.id, ERASE, path=""):
                return None
            return await self.add(connection, artifact.id, ERASE, "", 0, now)

        return await self._database.transaction(work)

    async def intend_to_commit(
        self, artifact: Artifact, *, number: int, now: datetime, after: Intent | None = None
    ) -> Intent | None:
        """The intent to commit; None while a discard or an erasure may take versions away.

        Of the erasures `after` is one's own.
        """

        async def work(connection: Connection) -> Intent | None:
            own = "" if after is None else after.id
            for action in (DISCARD, ERASE):
                if await under_way(connection, artifact.id, action, but=own):
                    return None
            return await self.add(connection, artifact.id, COMMIT, "", number, now)

        return await self._database.transaction(work)

    async def committing(self, artifact: Artifact) -> bool:
        """Whether a commit of the artifact is under way."""
        async with self._database.reading() as connection:
            return await under_way(connection, artifact.id, COMMIT)

    async def deleting(self, artifact: Artifact) -> bool:
        """Whether somebody is at deleting the artifact, or was: then it is gone on with."""
        async with self._database.reading() as connection:
            return await under_way(connection, artifact.id, DELETE)

    async def add(
        self,
        connection: Connection,
        artifact_id: int,
        action: str,
        path: str,
        number: int,
        now: datetime,
    ) -> Intent:
        """A new intent, as a part of a transaction that the caller holds."""
        intent = Intent(uuid4().hex, artifact_id, action, path, number)
        self._held[intent.id] = intent
        row = {
            "id": intent.id,
            "worker_id": self._worker_id,
            "artifact_id": artifact_id,
            "action": action,
            "path": path,
            "number": number,
            "created_at": now,
        }
        await _ADD.once(connection, row)
        return intent

    async def abandoned(
        self, workers: Collection[str], artifact_id: int | None = None
    ) -> list[Intent]:
        """The intents of workers that are dead, oldest first, now this worker's.

        And its own that nobody is at any more: whoever was, was cancelled. Of one artifact,
        where it is named.
        """
        # Mostly there are none: a question tells that without a turn among those who write.
        if not await self._any_abandoned(workers, artifact_id):
            return []

        async def work(connection: Connection) -> list[Intent]:
            table = tables.intent
            mine = table.c.worker_id == self._worker_id
            theirs = [or_(table.c.worker_id.in_(workers), mine)]
            if artifact_id is not None:
                theirs.append(table.c.artifact_id == artifact_id)
            rows = await connection.execute(select(table).where(*theirs).order_by("created_at"))
            found = [
                Intent(row["id"], row["artifact_id"], row["action"], row["path"], row["number"])
                for row in rows.mappings()
                if row["id"] not in self._held
            ]
            self._held.update({intent.id: intent for intent in found})
            await connection.execute(
                update(table)
                .where(table.c.id.in_([intent.id for intent in found]))
                .values(worker_id=self._worker_id)
            )
            return found

        return await self._database.transaction(work)

    async def _any_abandoned(self, workers: Collection[str], artifact_id: int | None) -> bool:
        """Whether there may be some: of the dead, one of any artifact is enough to look again."""
        for worker in workers:
            if await self._database.glance(_ANY_OF_WORKER, {"worker": worker}):
                return True
        mine = await self._database.glance(_ALL_OF_WORKER, {"worker": self._worker_id})
        return any(
            row["id"] not in self._held and artifact_id in {None, row["artifact_id"]}
            for row in mine
        )


async def forget(connection: Connection, intent: Intent) -> None:
    """Take an intent away."""
    await _FORGET.once(connection, {"intent_id": intent.id})


async def under_way(
    connection: Connection,
    artifact_id: int,
    action: str,
    *,
    but: str = "",
    path: str | None = None,
) -> bool:
    """Whether somebody intends to do this to the artifact, `but` for the intent with that id.

    At a `path`, where one is given.
    """
    asked = {"artifact_id": artifact_id, "action": action, "but": but}
    if path is None:
        return bool(await _UNDER_WAY.asked(connection, asked))
    return bool(await _UNDER_WAY_AT.asked(connection, asked | {"path": path}))
