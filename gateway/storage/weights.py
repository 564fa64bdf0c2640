"""The index, written by `set_download_weight`: the weight of what is committed."""

from datetime import datetime

from sqlalchemy import select, update

from gateway.artifact.lifecycle import Artifact
from gateway.errors import NoSuchKey
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.intents import COMMIT, WEIGH, Intent, Intents, forget, under_way
from gateway.storage.marks import fresh


class Weights:
    """Changes to pins' weights. Each method is one transaction."""

    def __init__(self, database: Database, intents: Intents) -> None:
        self._database = database
        self._intents = intents

    async def begin(self, artifact: Artifact, path: str, now: datetime) -> Intent:
        """The intent to weigh `path` in the version that is current; NoSuchKey."""
        pin = tables.pin

        async def work(connection: Connection) -> Intent:
            found = await connection.execute(
                select(pin.c.id).where(
                    pin.c.artifact_id == artifact.id, pin.c.path == path, pin.c.until.is_(None)
                )
            )
            if found.first() is None:
                raise NoSuchKey(
                    f"{artifact.prefix!r} has no committed file {path!r}: a weight comes with a "
                    "commit first",
                    path=path,
                )
            current = (await fresh(connection, artifact.id)).version
            return await self._intents.add(connection, artifact.id, WEIGH, path, current, now)

        return await self._database.transaction(work)

    async def settle(self, intent: Intent, micros: int) -> None:
        """Give the pin its weight, unless another version has become current; safe to repeat."""
        pin = tables.pin

        async def work(connection: Connection) -> None:
            await forget(connection, intent)
            if (await fresh(connection, intent.artifact_id)).version != intent.number:
                return
            await connection.execute(
                update(pin)
                .where(
                    pin.c.artifact_id == intent.artifact_id,
                    pin.c.path == intent.path,
                    pin.c.until.is_(None),
                )
                .values(weight=micros)
            )

        await self._database.transaction(work)

    async def holds(self, intent: Intent) -> bool:
        """Whether no commit has looked at the weights before this one was settled, or may have."""
        async with self._database.reading() as connection:
            if await under_way(connection, intent.artifact_id, COMMIT):
                return False
            return (await fresh(connection, intent.artifact_id)).version == intent.number
