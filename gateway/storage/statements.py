"""The statements that most changes of an edit are made of, made once.

Making a statement takes several times as long as running it.
"""

from functools import cache

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Delete,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    or_,
    select,
    update,
)

from gateway.storage import tables
from gateway.storage.prepared import Change, Prepared
from gateway.storage.rows import WITHOUT_FIELDS

_artifact, _pin = tables.artifact.c, tables.pin.c
_staged, _before, _announced = (
    tables.staged_file.c,
    tables.staged_version.c,
    tables.announcement.c,
)
_ID: BindParameter[int] = bindparam("artifact_id")

AT_PREFIX = select(_artifact.id).where(
    _artifact.workspace_id == bindparam("workspace_id"), _artifact.prefix == bindparam("prefix")
)
"""The row id of the artifact at a `prefix`."""

FRESH = Prepared(select(*WITHOUT_FIELDS).where(_artifact.id == _ID))
"""An artifact, without what its manifests say."""

_CHANGE = update(tables.artifact).where(_artifact.id == _ID)

MARK = Change(
    _CHANGE.where(_artifact.stage_id.is_(None)), columns=("stage_id", "staged_at", "staged_by")
)
"""Sets the mark of an artifact where no edit is open."""

ANY_STAGED = Prepared(select(_staged.path).where(_staged.artifact_id == _ID).limit(1))
"""Some staged file of an artifact."""

UNSTAGE = tuple(
    Change(delete(table).where(table.c.artifact_id == _ID, table.c.path == bindparam("path")))
    for table in (tables.staged_file, tables.staged_version)
)
"""Forget what is staged at a `path`."""

CLEAR = tuple(
    Change(delete(table).where(table.c.artifact_id == _ID))
    for table in (tables.staged_file, tables.staged_version, tables.announcement)
)
"""Forget all that is staged and announced."""

FORGET_VERSIONS = Change(
    delete(tables.staged_version).where(
        _before.artifact_id == _ID,
        _before.path.not_in(select(_staged.path).where(_staged.artifact_id == _ID)),
    )
)
"""Forget the versions of files that are staged no longer."""


@cache
def changing(*columns: str) -> Change:
    """The statement that sets these columns of an artifact."""
    return Change(_CHANGE, columns=columns)


def unstaging(paths: Select[tuple[str]]) -> Delete:
    """The statement that forgets what is staged at these paths."""
    return delete(tables.staged_file).where(_staged.artifact_id == _ID, _staged.path.in_(paths))


def _as_pinned(same: ColumnElement[bool]) -> Select[tuple[str]]:
    """The staged paths at which a pin of the current version is the `same`, or none is either."""
    staged, pin = tables.staged_file, tables.pin
    at_path = and_(
        pin.c.artifact_id == staged.c.artifact_id,
        pin.c.path == staged.c.path,
        pin.c.until.is_(None),
    )
    written = and_(staged.c.removed.is_(False), or_(pin.c.version_id == staged.c.version_id, same))
    return (
        select(staged.c.path)
        .join_from(staged, pin, at_path, isouter=True)
        .where(
            staged.c.artifact_id == _ID,
            or_(and_(staged.c.removed, pin.c.id.is_(None)), written),
        )
    )


_weighed = exists().where(
    _announced.artifact_id == _ID,
    _announced.path == _staged.path,
    _announced.weight.is_not(None),
)

UNSTAGE_PINNED = Change(
    unstaging(
        _as_pinned(
            and_(
                _pin.etag == _staged.etag,
                _pin.size == _staged.size,
                _pin.content_type == _staged.content_type,
                or_(_staged.weight.is_(None), _staged.weight == _pin.weight),
            )
        )
    )
)
"""Forget what is staged as the current version has it."""

UNSTAGE_HELD = Change(
    unstaging(
        _as_pinned(
            and_(
                _pin.etag == _staged.etag,
                or_(_staged.content_type.is_(None), _staged.content_type == _pin.content_type),
                or_(_staged.weight.is_(None), _staged.weight == _pin.weight, _weighed),
            )
        )
    )
)
"""Forget what is staged as the current version has it, but for a weight that was announced."""
