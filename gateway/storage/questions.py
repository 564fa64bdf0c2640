"""The questions that most requests ask of the index, made once.

Making a statement takes several times as long as running it.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    union_all,
)

from gateway.storage import tables
from gateway.storage.intents import COMMIT
from gateway.storage.prepared import Prepared
from gateway.storage.rows import PIN, STAGED_FILE, WITHOUT_FIELDS, live
from gateway.turns import MANY


def _prefixes(number: int) -> list[BindParameter[str]]:
    kind = tables.artifact.c.prefix.type
    return [bindparam(f"at_{place}", type_=kind) for place in range(number)]


@lru_cache(64)
def at_prefixes(prefixes: int) -> Prepared:
    """The artifacts at so many prefixes of a workspace; `at_0` and the following are these."""
    table = tables.artifact
    return Prepared(
        select(table).where(
            table.c.workspace_id == bindparam("workspace_id"),
            table.c.prefix.in_(_prefixes(prefixes)),
            live(),
        )
    )


WITHOUT_COUNTERS = tuple(
    column for column in WITHOUT_FIELDS if column.name not in ("download_micros", "views")
)


@lru_cache(64)
def whereabouts(prefixes: int) -> Prepared:
    """The artifacts at so many prefixes of a workspace, each with its current pin of a key.

    `at_0` and the following are bound to the prefixes.
    """
    artifact, pin = tables.artifact, tables.pin
    key = bindparam("key", type_=pin.c.key.type)
    path = case(
        (artifact.c.prefix == "", key),
        else_=func.substr(key, func.length(artifact.c.prefix) + 2),
    )
    current = and_(pin.c.artifact_id == artifact.c.id, pin.c.path == path, pin.c.until.is_(None))
    return Prepared(
        select(*WITHOUT_COUNTERS, *PIN)
        .select_from(artifact.outerjoin(pin, current))
        .where(
            artifact.c.workspace_id == bindparam("workspace_id"),
            artifact.c.prefix.in_(_prefixes(prefixes)),
            live(),
        )
    )


CURRENT_PIN = select(*PIN).where(
    tables.pin.c.artifact_id == bindparam("artifact_id"),
    tables.pin.c.path == bindparam("path"),
    tables.pin.c.until.is_(None),
)
"""The pin of a path in an artifact's current version."""

MANY_PINS = Prepared(
    select(tables.pin.c.id)
    .where(tables.pin.c.artifact_id == bindparam("artifact_id"), tables.pin.c.until.is_(None))
    .limit(1)
    .offset(MANY)
)
"""A row where an artifact's current version has MANY pins, and more."""


def _emptied() -> Select[Any]:
    artifact, staged, pin = tables.artifact.c, tables.staged_file.c, tables.pin.c
    mine = staged.artifact_id == bindparam("artifact_id")
    put = select(staged.path).where(mine, staged.removed.is_(False))
    left = select(pin.path).where(
        pin.artifact_id == bindparam("artifact_id"),
        pin.until.is_(None),
        pin.path.not_in(select(staged.path).where(mine, staged.removed)),
    )
    return select(artifact.id).where(
        artifact.id == bindparam("artifact_id"),
        artifact.stage_id.is_not(None),
        artifact.staged_etag.is_(None),
        ~put.exists(),
        ~left.exists(),
    )


EMPTIED = Prepared(_emptied())
"""The artifact, if an edit is open in which nothing is staged or left of what is committed."""

BY_ID = Prepared(select(tables.artifact).where(tables.artifact.c.id == bindparam("artifact_id")))
"""The artifact with a row id."""

VERSION = Prepared(
    select(tables.version).where(
        tables.version.c.artifact_id == bindparam("artifact_id"),
        tables.version.c.number == bindparam("number"),
    )
)
"""The row of a version, without its pins."""

_artifact_id: BindParameter[int] = bindparam("artifact_id")
_version = bindparam("version", type_=Integer())
_pin = tables.pin.c

FEW_PINS = Prepared(
    select(*PIN)
    .where(
        _pin.artifact_id == _artifact_id,
        _pin.first <= _version,
        or_(_pin.until.is_(None), _pin.until > _version),
    )
    .order_by(_pin.path)
    .limit(MANY + 1)
)
"""The pins of a version, but for one more than MANY at most."""

FEW_STAGED_FILES = Prepared(
    select(*STAGED_FILE)
    .where(tables.staged_file.c.artifact_id == _artifact_id)
    .order_by(tables.staged_file.c.path)
    .limit(MANY + 1)
)
"""As FEW_PINS, of what is staged."""

FEW_ANNOUNCEMENTS = Prepared(
    select(tables.announcement.c.path, tables.announcement.c.weight)
    .where(tables.announcement.c.artifact_id == _artifact_id)
    .order_by(tables.announcement.c.path)
    .limit(MANY + 1)
)
"""As FEW_PINS, of what was announced."""

FIRST_BELOW = Prepared(
    select(tables.artifact)
    .where(
        tables.artifact.c.workspace_id == bindparam("workspace_id"),
        tables.artifact.c.prefix >= bindparam("start", type_=tables.artifact.c.prefix.type),
        tables.artifact.c.prefix < bindparam("end", type_=tables.artifact.c.prefix.type),
        live(),
    )
    .order_by(tables.artifact.c.prefix)
    .limit(1)
)
"""The first artifact from `start` to before `end`."""


def _marked(*, ends: bool) -> tuple[CompoundSelect[Any], Select[Any]]:
    """Marked artifacts, and arrivals, that a listing of a prefix meets.

    At or below it, from `start` to before `end` where there is one; or `above` it.
    """

    def met(table: Table) -> ColumnElement[bool]:
        column = table.c.prefix
        below = [column >= bindparam("start")] + [column < bindparam("end")] * ends
        above = column.in_(bindparam("above", expanding=True))
        return and_(table.c.workspace_id == bindparam("workspace_id"), or_(and_(*below), above))

    artifact, intent = tables.artifact, tables.intent
    committing = select(intent.c.artifact_id).where(intent.c.action == COMMIT)
    # One statement: what goes from one to the other while it is asked for is in either.
    artifacts = union_all(
        select(artifact).where(met(artifact), text(f"({tables.MARKED})")),
        select(artifact).where(
            met(artifact), artifact.c.version > 0, artifact.c.id.in_(committing)
        ),
    )
    return artifacts, select(tables.arrival.c.prefix).where(met(tables.arrival))


MARKED = (_marked(ends=False), _marked(ends=True))
"""By whether what begins with the prefix has an end."""
