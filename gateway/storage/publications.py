"""Steps of transactions that put versions and tombstones into the index: rows, pins, words.

Each is a part of a transaction that the caller holds. A pin's row holds for the versions from
`first` to before `until`, so that a version that changes two files of ten thousand writes two
rows.
"""

from collections.abc import Collection, Iterable, Sequence
from hashlib import md5
from uuid import uuid4

from sqlalchemy import Table, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import Fields
from gateway.artifact.version import Pin, Record, StagedFile
from gateway.artifact.words import manifest_words
from gateway.storage import tables
from gateway.storage.marks import NO_MANIFEST, UNMARKED, change, clear, close_if_clean, fresh
from gateway.storage.rows import pin_of, staged_file_of
from gateway.storage.words import forget_words, index_words


def manifest_pin(record: Record) -> Pin:
    """The pin of a record's manifest before its plain key is written."""
    if record.manifest is None:
        raise ValueError("a tombstone has no manifest")
    digest = md5(record.manifest.data, usedforsecurity=False).hexdigest()
    return Pin(
        path=MANIFEST,
        size=len(record.manifest.data),
        etag=f'"{digest}"',
        version_id=None,
        last_modified=record.time.replace(microsecond=0),
        content_type=record.manifest.headers.get("content-type", "binary/octet-stream"),
    )


async def publish(
    connection: AsyncConnection,
    artifact: Artifact,
    record: Record,
    fields: Fields | None,
    settled: Collection[StagedFile] = (),
) -> None:
    """Make a record's version the one that readers see.

    `fields` are what its manifest says; None where a later version follows at once, and what
    this one says is nobody's to see or to find.
    """
    # First what two that publish at once both change: the second then runs again.
    await change(connection, artifact.id, _committed(artifact, record, fields or {}))
    if fields is not None:
        await index_words(connection, artifact.id, manifest_words(artifact.prefix, fields))
    await insert_version(connection, artifact.id, record)
    await _replace_pins(connection, artifact, record)
    await unstage_settled(connection, artifact, record, settled)
    if fields is not None and fields.get("type") != "collection":
        arrival = tables.arrival
        here = arrival.c.workspace_id == artifact.workspace_id
        await connection.execute(delete(arrival).where(here, arrival.c.prefix == artifact.prefix))


async def bury(connection: AsyncConnection, artifact: Artifact, record: Record) -> None:
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
    await connection.execute(delete(tables.daily).where(tables.daily.c.artifact_id == artifact.id))
    await clear(connection, artifact.id)
    await forget_words(connection, artifact.id)


async def note_published(
    connection: AsyncConnection, artifact_id: int, number: int, pin: Pin
) -> bool:
    """Whether a version's manifest had no backend version, and has that of `pin` now."""
    table = tables.pin
    changed = await connection.execute(
        update(table)
        .where(
            table.c.artifact_id == artifact_id,
            table.c.path == MANIFEST,
            table.c.first == number,
            table.c.published.is_(False),
        )
        .values(
            published=True,
            version_id=pin.version_id,
            etag=pin.etag,
            last_modified=pin.last_modified,
            content_type=pin.content_type,
        )
    )
    return changed.rowcount > 0


async def weigh(
    connection: AsyncConnection, artifact_id: int, number: int, path: str, weight: int
) -> bool:
    """Whether the pin that a version has of `path` weighed otherwise, and weighs so now."""
    table = tables.pin
    changed = await connection.execute(
        update(table)
        .where(
            table.c.artifact_id == artifact_id,
            table.c.path == path,
            table.c.first <= number,
            or_(table.c.until.is_(None), table.c.until > number),
            table.c.weight != weight,
        )
        .values(weight=weight)
    )
    return changed.rowcount > 0


async def insert_version(connection: AsyncConnection, artifact_id: int, record: Record) -> None:
    """Put the row of a version in."""
    manifest = record.manifest
    await connection.execute(
        tables.version.insert().values(
            artifact_id=artifact_id,
            number=record.number,
            parent=record.parent,
            author=record.author,
            message=record.message,
            created_at=record.time,
            manifest=None if manifest is None else manifest.data,
            headers=None if manifest is None else dict(manifest.headers),
        )
    )


async def _replace_pins(connection: AsyncConnection, artifact: Artifact, record: Record) -> None:
    table = tables.pin
    rows = await connection.execute(
        select(table).where(table.c.artifact_id == artifact.id, table.c.until.is_(None))
    )
    current = {row["path"]: (row["id"], pin_of(row)) for row in rows.mappings()}
    wanted = {pin.path: pin for pin in (*record.pins, manifest_pin(record))}
    kept = {
        path
        for path, (_, pin) in current.items()
        if path in wanted and path != MANIFEST and pin == wanted[path]
    }
    ended = [row_id for path, (row_id, _) in current.items() if path not in kept]
    await _end(connection, ended, record.number)
    fresh_rows = [
        pin_row(artifact, record, pin) for path, pin in wanted.items() if path not in kept
    ]
    await connection.execute(table.insert(), fresh_rows)


async def _end(connection: AsyncConnection, row_ids: Sequence[int], number: int) -> None:
    """End pins with the version before `number`."""
    table = tables.pin
    most = 500  # well below the parameters that a statement may have
    for start in range(0, len(row_ids), most):
        await connection.execute(
            update(table).where(table.c.id.in_(row_ids[start : start + most])).values(until=number)
        )


async def unstage_settled(
    connection: AsyncConnection,
    artifact: Artifact,
    record: Record,
    settled: Collection[StagedFile],
) -> None:
    """Forget what the version holds; end the edit where nothing else is staged."""
    pins = {pin.path: pin for pin in record.pins}
    staged, announced = tables.staged_file, tables.announcement
    rows = await connection.execute(select(staged).where(staged.c.artifact_id == artifact.id))
    files = [staged_file_of(row) for row in rows.mappings()]
    # One made since goes too: its URL ends with the stage's id.
    gone = await connection.execute(
        delete(announced)
        .where(announced.c.artifact_id == artifact.id)
        .returning(announced.c.path, announced.c.weight)
    )
    weights = {path for path, weight in gone if weight is not None}
    certain = set(settled)
    done = [
        file.path
        for file in files
        if file in certain or _holds(pins, file, weighed=file.path in weights)
    ]
    for table in (staged, tables.staged_version):
        await _delete_paths(connection, table, artifact.id, done)
    now = await fresh(connection, artifact.id)
    if now.stage is None:
        return
    values: dict[str, object] = {"stage_id": uuid4().hex}
    consumed = record.staged_manifest
    if consumed is not None and consumed in (now.stage.version_id, now.stage.etag):
        values |= NO_MANIFEST
    await change(connection, artifact.id, values)
    await close_if_clean(connection, artifact.id)


async def _delete_paths(
    connection: AsyncConnection, table: Table, artifact_id: int, paths: Iterable[str]
) -> None:
    ordered = list(paths)
    most = 500
    for start in range(0, len(ordered), most):
        await connection.execute(
            delete(table).where(
                table.c.artifact_id == artifact_id,
                table.c.path.in_(ordered[start : start + most]),
            )
        )


def _holds(pins: dict[str, Pin], staged: StagedFile, *, weighed: bool) -> bool:
    """Whether a version has what is said to be staged; `weighed`: announced, with its weight."""
    if staged.path == MANIFEST:
        return True
    pin = pins.get(staged.path)
    if staged.removed or pin is None:
        return staged.removed and pin is None
    if staged.version_id is not None and pin.version_id == staged.version_id:
        return True
    return (
        pin.etag == staged.etag
        and staged.content_type in (None, pin.content_type)
        and (weighed or staged.weight in (None, pin.weight))
    )


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


def pin_row(artifact: Artifact, record: Record, pin: Pin) -> dict[str, object]:
    """The row of a pin that begins with the record's version, and has no end yet."""
    return {
        "artifact_id": artifact.id,
        "workspace_id": artifact.workspace_id,
        "key": join(artifact.prefix, pin.path),
        "path": pin.path,
        "size": pin.size,
        "etag": pin.etag,
        "version_id": pin.version_id,
        "last_modified": pin.last_modified,
        "content_type": pin.content_type,
        "weight": pin.weight,
        "first": record.number,
        "until": None,
        "published": pin.path != MANIFEST,
    }
