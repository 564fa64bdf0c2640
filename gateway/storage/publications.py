"""Steps of transactions that put versions and tombstones into the index: rows, pins, words.

Each is a part of a transaction that the caller holds.
"""

from collections.abc import Collection
from functools import partial
from operator import attrgetter
from uuid import uuid4

from sqlalchemy import Delete, and_, bindparam, delete, or_, select, update

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import Fields
from gateway.artifact.version import Record, StagedFile
from gateway.artifact.words import manifest_words
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.marks import (
    NO_MANIFEST,
    UNMARKED,
    change,
    clear,
    close_if_clean,
    fresh,
    unstage_held,
    unstage_paths,
)
from gateway.storage.packed import pack, unpacked
from gateway.storage.pins import Replacement, forget_ahead, replace_pins, replacement
from gateway.storage.prepared import Change
from gateway.storage.rows import STAGED_FILE, following
from gateway.storage.statements import unstaging
from gateway.storage.words import forget_words, index_words

_arrival, _announced = tables.arrival.c, tables.announcement.c
_ADD_VERSION = Change(
    tables.version.insert(), columns=tuple(column.name for column in tables.version.c)
)
_ARRIVED = Change(
    delete(tables.arrival).where(
        _arrival.workspace_id == bindparam("workspace_id"),
        or_(
            _arrival.prefix == bindparam("at"),
            and_(_arrival.prefix >= bindparam("start"), _arrival.prefix < bindparam("end")),
        ),
    )
)
_FORGET_ANNOUNCED = Change(
    delete(tables.announcement).where(_announced.artifact_id == bindparam("artifact_id"))
)

staged_values = attrgetter(*(column.name for column in STAGED_FILE))


async def publish(
    connection: Connection,
    artifact: Artifact,
    record: Record,
    fields: Fields | None,
    settled: Collection[StagedFile] = (),
    prepared: Replacement | None = None,
) -> None:
    """Make a record's version the one that readers see.

    `fields` are what its manifest says; None where a later version follows at once, and what
    this one says is nobody's to see or to find. `prepared` spares others the time that the
    `replacement` takes, if it still holds.
    """
    if prepared is None or prepared.after != artifact.number:
        if prepared is not None:
            await forget_ahead(connection, artifact.id)
        prepared = await replacement(connection, artifact, record)
    # First what two that publish at once both change: the second then runs again.
    await change(connection, artifact.id, _committed(artifact, record, fields or {}))
    if fields is not None:
        await index_words(connection, artifact, manifest_words(artifact.prefix, fields))
    await insert_version(connection, artifact.id, record)
    await replace_pins(connection, artifact, record, prepared)
    await unstage_settled(connection, artifact, record, settled)
    if fields is not None and fields.get("type") != "collection":
        # Below it nothing waits any more either: all of that is this artifact's own.
        folder = f"{artifact.prefix}/"
        where = {"at": artifact.prefix, "start": folder, "end": following(folder)}
        await _ARRIVED.once(connection, {"workspace_id": artifact.workspace_id, **where})


async def bury(connection: Connection, artifact: Artifact, record: Record) -> None:
    """Put a tombstone into the index: gone for readers, its files still to be removed."""
    gone: dict[str, object] = {
        "number": record.number,
        "version": 0,
        "buried": record.number,
        "fields": None,
        "type": None,
        "created_at": None,
        "modified_at": None,
        "unfinished": "deleting",
        "epoch": artifact.epoch + 1,
        "download_micros": 0,
        "views": 0,
    }
    # First what two that bury at once both change: the second then runs again.
    await change(connection, artifact.id, gone | UNMARKED)
    await insert_version(connection, artifact.id, record)
    await connection.execute(
        update(tables.pin)
        .where(tables.pin.c.artifact_id == artifact.id, tables.pin.c.until.is_(None))
        .values(until=record.number)
    )
    for table in (tables.daily, tables.click):
        await connection.execute(delete(table).where(table.c.artifact_id == artifact.id))
    await clear(connection, artifact.id)
    await forget_words(connection, artifact.id)


async def insert_version(connection: Connection, artifact_id: int, record: Record) -> None:
    """Put the row of a version in."""
    manifest = record.manifest
    row = {
        "artifact_id": artifact_id,
        "number": record.number,
        "parent": record.parent,
        "author": record.author,
        "message": record.message,
        "created_at": record.time,
        "manifest": None if manifest is None else manifest.data,
        "headers": None if manifest is None else dict(manifest.headers),
    }
    await _ADD_VERSION.once(connection, row)


async def unstage_settled(
    connection: Connection,
    artifact: Artifact,
    record: Record,
    settled: Collection[StagedFile],
) -> None:
    """Forget what the version holds, and `settled`; end the edit where nothing else is staged."""
    await _unstage_exactly(connection, artifact, settled)
    await unstage_held(connection, artifact.id)
    # One made since goes too: its URL ends with the stage's id.
    await _FORGET_ANNOUNCED.once(connection, {"artifact_id": artifact.id})
    now = await fresh(connection, artifact.id)
    if now.stage is None:
        return
    values: dict[str, object] = {"stage_id": uuid4().hex}
    consumed = record.staged_manifest
    if consumed is not None and consumed in (now.stage.version_id, now.stage.etag):
        values |= NO_MANIFEST
    await change(connection, artifact.id, values)
    await close_if_clean(connection, artifact.id)


async def _unstage_exactly(
    connection: Connection, artifact: Artifact, files: Collection[StagedFile]
) -> None:
    """Forget of these files what is staged just so still."""
    for text in await pack(connection.dialect, STAGED_FILE, map(staged_values, files)):
        await unstage_paths(connection, artifact.id, _UNSTAGE_EXACTLY, text)


def _unstaging_exactly(dialect: str) -> Delete:
    """The statement that forgets what is staged just as files that are packed."""
    staged = tables.staged_file
    row = unpacked(dialect, STAGED_FILE).subquery()
    same = [column.is_not_distinct_from(row.c[column.name]) for column in STAGED_FILE]
    mine = staged.c.artifact_id == bindparam("artifact_id")
    return unstaging(
        select(row.c.path).join(staged, and_(mine, staged.c.path == row.c.path, *same))
    )


_UNSTAGE_EXACTLY = Change(_unstaging_exactly("sqlite"), partial(_unstaging_exactly, "postgresql"))


def _committed(artifact: Artifact, record: Record, fields: Fields) -> dict[str, object]:
    kind = fields.get("type")
    return {
        "number": record.number,
        "version": record.number,
        "type": kind,
        "collection": kind == "collection",
        "fields": dict(fields),
        "created_at": artifact.created_at if artifact.version else record.time,
        "modified_at": record.time,
    }
