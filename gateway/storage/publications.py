"""Steps of transactions that put versions and tombstones into the index: rows, pins, words.

Each is a part of a transaction that the caller holds. A pin's row holds for the versions from
`first` to before `until`, so that a version that changes two files of ten thousand writes two
rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import md5
from operator import attrgetter
from uuid import uuid4

from sqlalchemy import and_, delete, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.value import Fields
from gateway.artifact.version import Pin, Record, StagedFile
from gateway.artifact.words import manifest_words
from gateway.storage import tables
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
from gateway.storage.rows import PIN, STAGED_FILE, as_pin, below, in_turns
from gateway.storage.words import forget_words, index_words

# What differs between the pins of one version.
MADE = (tables.pin.c.key, *PIN, tables.pin.c.published)

pin_values = attrgetter(*(column.name for column in PIN))
staged_values = attrgetter(*(column.name for column in STAGED_FILE))


@dataclass(frozen=True, slots=True)
class Replacement:
    """The pins that a version changes, for one that follows record `after`.

    `ended` are the row ids of pins that it ends, `made` are its own; both packed.
    """

    after: int
    ended: Sequence[str]
    made: Sequence[str]


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
    prepared: Replacement | None = None,
) -> None:
    """Make a record's version the one that readers see.

    `fields` are what its manifest says; None where a later version follows at once, and what
    this one says is nobody's to see or to find. `prepared` spares others the time that the
    `replacement` takes, if it still holds.
    """
    if prepared is None or prepared.after != artifact.number:
        prepared = await replacement(connection, artifact, record)
    # First what two that publish at once both change: the second then runs again.
    await change(connection, artifact.id, _committed(artifact, record, fields or {}))
    if fields is not None:
        await index_words(connection, artifact.id, manifest_words(artifact.prefix, fields))
    await insert_version(connection, artifact.id, record)
    await _replace_pins(connection, artifact, record, prepared)
    await unstage_settled(connection, artifact, record, settled)
    if fields is not None and fields.get("type") != "collection":
        arrival = tables.arrival
        here = arrival.c.workspace_id == artifact.workspace_id
        # Below it nothing waits any more either: all of that is this artifact's own.
        mine = or_(
            arrival.c.prefix == artifact.prefix, below(arrival.c.prefix, f"{artifact.prefix}/")
        )
        await connection.execute(delete(arrival).where(here, mine))


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


async def replacement(
    connection: AsyncConnection, artifact: Artifact, record: Record
) -> Replacement:
    """What a record's version changes of the pins that are current; nothing is written."""
    pin = tables.pin.c
    rows = await connection.execute(
        select(pin.id, *PIN).where(pin.artifact_id == artifact.id, pin.until.is_(None))
    )
    wanted = {pin.path: pin for pin in record.pins}
    ended: list[tuple[int]] = []
    async for some in in_turns(rows):
        for row in some:
            row_id, current = row[0], as_pin(row[1:])
            if wanted.get(current.path) == current:
                del wanted[current.path]
            else:
                ended.append((row_id,))
    made = (
        (join(artifact.prefix, pin.path), *pin_values(pin), published)
        for pins, published in ((wanted.values(), True), ((manifest_pin(record),), False))
        for pin in pins
    )
    dialect = connection.dialect
    return Replacement(
        artifact.number,
        await pack(dialect, (tables.pin.c.id,), ended),
        await pack(dialect, MADE, made),
    )


async def _replace_pins(
    connection: AsyncConnection, artifact: Artifact, record: Record, change: Replacement
) -> None:
    table = tables.pin
    for text in change.ended:
        ids = unpacked(connection.dialect, (table.c.id,), text)
        await connection.execute(
            update(table).where(table.c.id.in_(ids)).values(until=record.number)
        )
    same = {
        "artifact_id": artifact.id,
        "workspace_id": artifact.workspace_id,
        "first": record.number,
    }
    for text in change.made:
        rows = unpacked(connection.dialect, MADE, text).add_columns(
            *(literal(value, table.c[name].type) for name, value in same.items())
        )
        names = [*(column.name for column in MADE), *same]
        await connection.execute(table.insert().from_select(names, rows))


async def unstage_settled(
    connection: AsyncConnection,
    artifact: Artifact,
    record: Record,
    settled: Collection[StagedFile],
) -> None:
    """Forget what the version holds, and `settled`; end the edit where nothing else is staged."""
    await _unstage_exactly(connection, artifact, settled)
    await unstage_held(connection, artifact.id)
    # One made since goes too: its URL ends with the stage's id.
    announced = tables.announcement
    await connection.execute(delete(announced).where(announced.c.artifact_id == artifact.id))
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
    connection: AsyncConnection, artifact: Artifact, files: Collection[StagedFile]
) -> None:
    """Forget of these files what is staged just so still."""
    dialect, staged = connection.dialect, tables.staged_file
    for text in await pack(dialect, STAGED_FILE, map(staged_values, files)):
        row = unpacked(dialect, STAGED_FILE, text).subquery()
        same = [column.is_not_distinct_from(row.c[column.name]) for column in STAGED_FILE]
        paths = select(row.c.path).join(
            staged, and_(staged.c.artifact_id == artifact.id, staged.c.path == row.c.path, *same)
        )
        await unstage_paths(connection, artifact.id, paths)


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
