"""Steps of transactions on the pins of an artifact.

A pin's row holds for the versions from `first` to before `until`, so that a version that changes
two files of ten thousand writes two rows. A version that changes thousands has its rows put in
beforehand, for no version, some at a time: whoever else writes waits for none of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from sqlalchemy import Insert, Update, and_, bindparam, delete, or_, select, update

from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, Record, manifest_pin
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.packed import pack, unpacked
from gateway.storage.prepared import Change
from gateway.storage.rows import PIN, as_pin, in_turns

# What differs between the pins of one version.
MADE = (tables.pin.c.key, *PIN, tables.pin.c.published)
# What does not.
SAME = (
    tables.pin.c.artifact_id,
    tables.pin.c.workspace_id,
    tables.pin.c.first,
    tables.pin.c.until,
)

_pin = tables.pin.c
_CURRENT = select(_pin.id, *PIN).where(
    _pin.artifact_id == bindparam("artifact_id"), _pin.until.is_(None)
)
_PUBLISHED = ("published", "version_id", "etag", "last_modified", "content_type")
_PUBLISH = Change(
    update(tables.pin).where(
        _pin.artifact_id == bindparam("of_artifact"),
        _pin.path == MANIFEST,
        _pin.first == bindparam("number"),
        _pin.published.is_(False),
    ),
    columns=_PUBLISHED,
)
_MADE_AHEAD = and_(_pin.artifact_id == bindparam("of_artifact"), _pin.first == _pin.until)
_FORGET_AHEAD = Change(delete(tables.pin).where(_MADE_AHEAD))
_BEGIN = Change(
    update(tables.pin).where(_MADE_AHEAD, _pin.first == bindparam("number")).values(until=None)
)
_FORGET_MADE = Change(
    delete(tables.pin).where(
        _pin.artifact_id == bindparam("of_artifact"), _pin.first == bindparam("number")
    )
)

pin_values = attrgetter(*(column.name for column in PIN))


@dataclass(frozen=True, slots=True)
class Replacement:
    """The pins that a version changes, for one that follows record `after`; both packed.

    `ended` are the row ids of pins that it ends, `made` its own, `number` of them. Those that lie
    `ahead` are in the index already, with an empty span.
    """

    after: int
    ended: Sequence[str]
    made: Sequence[str]
    number: int
    ahead: bool = False


async def replacement(connection: Connection, artifact: Artifact, record: Record) -> Replacement:
    """What a record's version changes of the pins that are current; nothing is written."""
    rows = await connection.execute(_CURRENT, {"artifact_id": artifact.id})
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
    ids = await pack(dialect, (tables.pin.c.id,), ended)
    return Replacement(artifact.number, ids, await pack(dialect, MADE, made), len(wanted) + 1)


async def make_ahead(connection: Connection, artifact: Artifact, record: Record, text: str) -> None:
    """Put pins of a version that is still to come into the index: no version has them yet."""
    await _make(connection, artifact, record, text, until=record.number)


async def forget_ahead(connection: Connection, artifact_id: int) -> None:
    """Take away the pins that no version has: they were made for one that others completed."""
    await _FORGET_AHEAD.once(connection, {"of_artifact": artifact_id})


async def replace_pins(
    connection: Connection, artifact: Artifact, record: Record, change: Replacement
) -> None:
    """End and make what the replacement says."""
    for text in change.ended:
        await _END.once(connection, {"packed": text, "number": record.number})
    if change.ahead:
        of_version = {"of_artifact": artifact.id, "number": record.number}
        if await _BEGIN.once(connection, of_version) == change.number:
            return
        # Two have made them, or one that died: which are whose is of no use to know.
        await _FORGET_MADE.once(connection, of_version)
    for text in change.made:
        await _make(connection, artifact, record, text, until=None)


async def _make(
    connection: Connection, artifact: Artifact, record: Record, text: str, until: int | None
) -> None:
    values = {
        "packed": text,
        "of_artifact": artifact.id,
        "in_workspace": artifact.workspace_id,
        "number": record.number,
        "ends": until,
    }
    await _MAKE.once(connection, values)


def _ending(dialect: str) -> Update:
    """The statement that ends the pins whose ids are packed."""
    ids = unpacked(dialect, (_pin.id,))
    return update(tables.pin).where(_pin.id.in_(ids)).values(until=_NUMBER)


def _making(dialect: str) -> Insert:
    """The statement that makes the pins that are packed."""
    rows = unpacked(dialect, MADE).add_columns(
        bindparam("of_artifact", type_=_pin.artifact_id.type),
        bindparam("in_workspace", type_=_pin.workspace_id.type),
        _NUMBER,
        bindparam("ends", type_=_pin.until.type),
    )
    names = [column.name for column in (*MADE, *SAME)]
    return tables.pin.insert().from_select(names, rows)


_NUMBER = bindparam("number", type_=_pin.first.type)
_END = Change(_ending("sqlite"), partial(_ending, "postgresql"))
_MAKE = Change(_making("sqlite"), partial(_making, "postgresql"))


async def note_published(connection: Connection, artifact_id: int, number: int, pin: Pin) -> bool:
    """Whether a version's manifest had no backend version, and has that of `pin` now."""
    values = {
        "of_artifact": artifact_id,
        "number": number,
        "published": True,
        "version_id": pin.version_id,
        "etag": pin.etag,
        "last_modified": pin.last_modified,
        "content_type": pin.content_type,
    }
    return await _PUBLISH.once(connection, values) > 0


async def weigh(
    connection: Connection, artifact_id: int, number: int, path: str, weight: int
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
