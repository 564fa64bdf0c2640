"""The index, put right: by a version's record, and where nothing is behind a row."""

from collections.abc import Mapping

from sqlalchemy import RowMapping, delete, or_, select, update

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import Fields
from gateway.artifact.version import Pin, Record, manifest_pin
from gateway.artifact.words import manifest_words
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database, insert_or_update
from gateway.storage.marks import change, fresh
from gateway.storage.pins import pin_row
from gateway.storage.publications import insert_version
from gateway.storage.rows import pin_of
from gateway.storage.words import index_words


class Corrections:
    """Puts rows right. Each method is one transaction, safe to repeat."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enter(self, workspace_id: str, prefix: str) -> int:
        """The row of a prefix, made where there was none: an artifact of which nothing is known."""
        table = tables.artifact
        row = {"workspace_id": workspace_id, "prefix": prefix}

        async def work(connection: Connection) -> int:
            await insert_or_update(connection, table, [row], ["workspace_id", "prefix"], [])
            found = await connection.execute(
                select(table.c.id).where(
                    table.c.workspace_id == workspace_id, table.c.prefix == prefix
                )
            )
            return int(found.scalar_one())

        return await self._database.transaction(work)

    async def correct(self, artifact_id: int, record: Record, fields: Fields | None) -> None:
        """Make the index say of one version what its record says; `fields` are its manifest's.

        A version that the index does not have yet is not put in: that is for commits.
        """
        table = tables.version

        async def work(connection: Connection) -> None:
            artifact = await fresh(connection, artifact_id)
            if artifact.number < record.number:
                return
            mine = table.c.artifact_id == artifact_id, table.c.number == record.number
            known = await connection.execute(select(table.c.manifest).where(*mine))
            manifest: bytes | None = known.scalar_one_or_none()
            await connection.execute(delete(table).where(*mine))
            await insert_version(connection, artifact_id, record)
            if artifact.version == record.number and fields is not None:
                kind = fields.get("type")
                now = {"type": kind, "collection": kind == "collection", "fields": dict(fields)}
                await change(connection, artifact_id, now)
                await index_words(connection, artifact, manifest_words(artifact.prefix, fields))
            said = record.manifest is not None and record.manifest.data == manifest
            await _correct_pins(connection, artifact, record, manifest=said)

        await self._database.transaction(work)

    async def forget_arrival(self, workspace_id: str, prefix: str) -> None:
        """Nothing waits in this directory any more."""
        table = tables.arrival

        async def work(connection: Connection) -> None:
            await connection.execute(
                delete(table).where(table.c.workspace_id == workspace_id, table.c.prefix == prefix)
            )

        await self._database.transaction(work)


async def _correct_pins(
    connection: Connection, artifact: Artifact, record: Record, *, manifest: bool
) -> None:
    """Put pins right; `manifest` says whether the index had the right one, wherever it lies."""
    table, number = tables.pin, record.number
    rows = await connection.execute(
        select(table).where(
            table.c.artifact_id == artifact.id,
            table.c.first <= number,
            or_(table.c.until.is_(None), table.c.until > number),
        )
    )
    wanted: dict[str, Pin] = {pin.path: pin for pin in record.pins}
    if record.manifest is not None:
        wanted[MANIFEST] = manifest_pin(record)
    for row in rows.mappings().all():
        pin = wanted.get(row["path"])
        says = manifest if row["path"] == MANIFEST else pin is not None and _says(row, pin)
        if pin is not None and says:
            del wanted[row["path"]]
        else:
            await _cut(connection, artifact, row, number)
    current = artifact.version == number
    fresh_rows = [
        pin_row(artifact, record, pin) | {"until": None if current else number + 1}
        for pin in wanted.values()
    ]
    if fresh_rows:
        await connection.execute(table.insert(), fresh_rows)


def _says(row: RowMapping, pin: Pin) -> bool:
    """Whether a row says what the pin does. Weights may have been set since."""
    return pin_of(row).weighing(0) == pin.weighing(0)


async def _cut(connection: Connection, artifact: Artifact, row: RowMapping, number: int) -> None:
    """Take one version out of the span of versions that a row speaks for."""
    table = tables.pin
    this = table.c.id == row["id"]
    until: int | None = row["until"]
    before = row["first"] < number
    after = number < artifact.number if until is None else until > number + 1
    if before:
        await connection.execute(update(table).where(this).values(until=number))
        if after:
            rest: Mapping[str, object] = {
                name: value for name, value in row.items() if name != "id"
            }
            await connection.execute(table.insert(), [{**rest, "first": number + 1}])
    elif after:
        await connection.execute(update(table).where(this).values(first=number + 1))
    else:
        await connection.execute(delete(table).where(this))
