"""Rows of the index read into values, and the conditions that many questions share."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Result, RowMapping, and_, or_

from gateway.artifact.lifecycle import Artifact, Stage
from gateway.artifact.manifest import Stats
from gateway.artifact.version import ManifestObject, Pin, Record, StagedFile
from gateway.storage import tables
from gateway.turns import TURN

LAST = "\U0010ffff"
"""The last of all characters."""


# Manifests may be large; most questions are not about what they say.
WITHOUT_FIELDS = tuple(
    column for column in tables.artifact.c if column.name not in ("fields", "staged_fields")
)

# An artifact may have thousands of these: a row has just what the value has, in its order.
PIN = tuple(tables.pin.c[each.name] for each in fields(Pin))
STAGED_FILE = tuple(tables.staged_file.c[each.name] for each in fields(StagedFile))


def artifact_of(row: RowMapping | Mapping[str, Any]) -> Artifact:
    """The artifact that a row of the table holds, as far as its columns were asked for."""
    stage = None
    if row["stage_id"] is not None:
        stage = Stage(
            id=row["stage_id"],
            opened_at=row["staged_at"],
            opened_by=row["staged_by"] or "",
            fields=row.get("staged_fields"),
            etag=row["staged_etag"],
            version_id=row["staged_version_id"],
        )
    return Artifact(
        id=row["id"],
        workspace_id=row["workspace_id"],
        prefix=row["prefix"],
        number=row["number"],
        version=row["version"],
        buried=row["buried"],
        collection=row["collection"],
        type=row["type"],
        fields=row.get("fields"),
        created_at=row["created_at"],
        modified_at=row["modified_at"],
        stage=stage,
        unfinished=row["unfinished"],
        epoch=row["epoch"],
        stats=Stats(row.get("download_micros", 0), row.get("views", 0)),
    )


def pin_of(row: RowMapping | Mapping[str, Any]) -> Pin:
    """The pin that a row of the table holds."""
    return as_pin([row[column.name] for column in PIN])


def as_pin(values: Sequence[Any]) -> Pin:
    """The pin of values in the order of PIN."""
    path, size, etag, version_id, last_modified, content_type, weight = values
    return Pin(path, size, etag, version_id, last_modified, content_type, weight)


def staged_file_of(row: RowMapping | Mapping[str, Any]) -> StagedFile:
    """The staged file that a row of the table holds."""
    return as_staged_file([row[column.name] for column in STAGED_FILE])


def as_staged_file(values: Sequence[Any]) -> StagedFile:
    """The staged file of values in the order of STAGED_FILE."""
    path, removed, size, etag, version_id, content_type, weight = values
    return StagedFile(path, removed, size, etag, version_id, content_type, weight)


async def in_turns(result: Result[Any]) -> AsyncIterator[Sequence[Sequence[Any]]]:
    """The rows of a result, some at a time; the event loop serves others between."""
    for rows in result.partitions(TURN):
        yield rows
        await asyncio.sleep(0)


def live() -> ColumnElement[bool]:
    """Rows that stand for an artifact now: readable, staged, or on their way out."""
    artifact = tables.artifact
    return or_(
        artifact.c.version > 0, artifact.c.stage_id.is_not(None), artifact.c.unfinished != ""
    )


def below(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Whether a key column begins with `prefix`, by range, so that an index serves it."""
    end = following(prefix)
    return and_(column >= prefix, column < end) if end else column >= prefix


def following(prefix: str) -> str:
    """The first string after all that begin with `prefix`; "" where there is none.

    The order of characters is the order of their bytes in UTF-8, which has no surrogates.
    """
    stem = prefix.rstrip(LAST)
    if not stem:
        return ""
    code = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if code == 0xD800 else code)  # noqa: PLR2004


def record_of(artifact: Artifact, row: Mapping[Any, Any]) -> Record:
    """The record that a row of the version table holds, without pins."""
    manifest = None
    if row["manifest"] is not None:
        headers: Mapping[str, Any] = row["headers"] or {}
        manifest = ManifestObject(row["manifest"], headers)
    return Record(
        workspace_id=artifact.workspace_id,
        prefix=artifact.prefix,
        number=row["number"],
        parent=row["parent"],
        author=row["author"],
        time=row["created_at"],
        message=row["message"],
        manifest=manifest,
    )


def in_version(version: int | None) -> ColumnElement[bool]:
    """Pins of the version given, or of the current one."""
    table = tables.pin
    if version is None:
        return table.c.until.is_(None)
    return and_(table.c.first <= version, or_(table.c.until.is_(None), table.c.until > version))
