"""The questions that most requests ask of the index, made once.

Making a statement takes several times as long as running it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Select, bindparam, select

from gateway.storage import tables
from gateway.storage.rows import PIN, WITHOUT_FIELDS, live


def _at_prefixes(columns: Sequence[Column[Any]]) -> Select[Any]:
    table = tables.artifact
    return select(*columns).where(
        table.c.workspace_id == bindparam("workspace_id"),
        table.c.prefix.in_(bindparam("prefixes", expanding=True)),
        live(),
    )


AT_PREFIXES = _at_prefixes(tuple(tables.artifact.c))
"""The artifacts at some `prefixes` of a workspace."""

NODES_AT_PREFIXES = _at_prefixes(WITHOUT_FIELDS)
"""As AT_PREFIXES, without what their manifests say."""

CURRENT_PIN = select(*PIN).where(
    tables.pin.c.artifact_id == bindparam("artifact_id"),
    tables.pin.c.path == bindparam("path"),
    tables.pin.c.until.is_(None),
)
"""The pin of a path in an artifact's current version."""

BY_ID = select(tables.artifact).where(tables.artifact.c.id == bindparam("artifact_id"))
"""The artifact with a row id."""
