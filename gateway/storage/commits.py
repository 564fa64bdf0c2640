"""The index, written by commits and deletes: versions and pins, current and past."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from sqlalchemy import select

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import Fields
from gateway.artifact.version import Pin, Record, StagedFile
from gateway.storage import pins, publications, tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.intents import Intent, forget
from gateway.storage.marks import close_if_clean, fresh
from gateway.storage.questions import MANY_PINS
from gateway.storage.rows import in_version
from gateway.turns import MANY


class Commits:
    """Versions put into the index. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(
        self,
        artifact_id: int,
        record: Record,
        fields: Fields,
        *,
        settled: Collection[StagedFile] = (),
    ) -> bool:
        """Make a record's version the one that readers see; False when it is already there.

        Staged files that the version holds, and those in `settled`, are staged no longer; what
        was put since stays, and with it the mark.
        """
        prepared = None
        if len(record.pins) > MANY or await self._has_many_pins(artifact_id):
            prepared = await self._prepare(artifact_id, record)

        async def work(connection: Connection) -> bool:
            artifact = await fresh(connection, artifact_id)
            if artifact.number >= record.number:
                if prepared is not None:
                    await pins.forget_ahead(connection, artifact_id)
                return False
            await publications.publish(connection, artifact, record, fields, settled, prepared)
            return True

        return await self._database.transaction(work)

    async def _prepare(self, artifact_id: int, record: Record) -> pins.Replacement:
        """What a version changes of the pins, its own made ahead: others write in between."""
        async with self._database.reading(long=True) as connection:
            artifact = await fresh(connection, artifact_id)
            change = await pins.replacement(connection, artifact, record)
        if artifact.number >= record.number:
            return change
        # One who died may have left some.
        await self._database.transaction(partial(pins.forget_ahead, artifact_id=artifact_id))
        for text in change.made:
            await self._database.transaction(
                partial(pins.make_ahead, artifact=artifact, record=record, text=text)
            )
        return replace(change, ahead=True)

    async def _has_many_pins(self, artifact_id: int) -> bool:
        return bool(await self._database.glance(MANY_PINS, {"artifact_id": artifact_id}))

    async def adopt(self, intent: Intent, record: Record, fields: Fields, manifest: Pin) -> None:
        """As `publish`, of what lay there: its manifest needs no writing, the intent is done."""

        async def work(connection: Connection) -> None:
            await forget(connection, intent)
            artifact = await fresh(connection, intent.artifact_id)
            if artifact.number >= record.number:
                await close_if_clean(connection, artifact.id)
                return
            await publications.publish(connection, artifact, record, fields)
            await pins.note_published(connection, artifact.id, record.number, manifest)

        await self._database.transaction(work)

    async def unchanged(
        self, artifact: Artifact, record: Record, *, settled: Collection[StagedFile] = ()
    ) -> None:
        """End an edit that came to the same as the version that is current."""

        async def work(connection: Connection) -> None:
            if (await fresh(connection, artifact.id)).number != artifact.number:
                return
            await publications.unstage_settled(connection, artifact, record, settled)

        await self._database.transaction(work)

    async def bury(self, artifact_id: int, record: Record) -> bool:
        """Put a tombstone into the index: gone for readers, its files still to be removed."""

        async def work(connection: Connection) -> bool:
            artifact = await fresh(connection, artifact_id)
            if artifact.number >= record.number:
                return False
            await publications.bury(connection, artifact, record)
            return True

        return await self._database.transaction(work)

    async def published(self, artifact_id: int, number: int, pin: Pin) -> None:
        """Record the backend version under which a committed manifest's plain key was put."""

        async def work(connection: Connection) -> None:
            await pins.note_published(connection, artifact_id, number, pin)

        await self._database.transaction(work)

    async def is_published(self, artifact: Artifact, number: int) -> bool:
        """Whether the plain key of a version's manifest is known to be written."""
        table = tables.pin
        mine = (table.c.artifact_id == artifact.id, table.c.path == MANIFEST, in_version(number))
        async with self._database.reading() as connection:
            rows = await connection.execute(select(table.c.published).where(*mine))
            row = rows.first()
            return row is None or bool(row[0])
