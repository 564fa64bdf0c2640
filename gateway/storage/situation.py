"""What decides what a write of a key becomes: asked in one question, as its outcome is recorded."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, exists, select

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, StagedFile
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import insert_or_update
from gateway.storage.intents import COMMIT
from gateway.storage.rows import PIN, STAGED_FILE, WITHOUT_FIELDS, artifact_of, as_pin

_artifact, _pin, _staged, _intent = (
    tables.artifact,
    tables.pin,
    tables.staged_file,
    tables.intent,
)
_committing = exists().where(_intent.c.artifact_id == _artifact.c.id, _intent.c.action == COMMIT)
_QUESTION = (
    select(
        *WITHOUT_FIELDS,
        _committing.label("committing"),
        _staged.c.version_id.label("staged_before"),
        *(column.label(f"pin_{column.name}") for column in PIN),
    )
    .select_from(_artifact)
    .outerjoin(
        _staged, and_(_staged.c.artifact_id == _artifact.c.id, _staged.c.path == bindparam("path"))
    )
    .outerjoin(
        _pin,
        and_(
            _pin.c.artifact_id == _artifact.c.id,
            _pin.c.path == bindparam("path"),
            _pin.c.until.is_(None),
        ),
    )
    .where(_artifact.c.id == bindparam("artifact_id"))
)


@dataclass(frozen=True, slots=True)
class Situation:
    """An artifact without what its manifests say, and what the index has at one of its paths.

    `committing` is whether a commit is under way, `pin` the current version's, `before` the
    backend version that is staged.
    """

    artifact: Artifact
    committing: bool
    pin: Pin | None
    before: str | None

    def is_pinned(self, written: StagedFile) -> bool:
        """Whether the current version has exactly this: the same file, or no file."""
        pin = self.pin
        if written.removed or pin is None:
            return written.removed and pin is None
        if pin.version_id is not None and pin.version_id == written.version_id:
            return True
        same = (pin.etag, pin.size, pin.content_type) == (
            written.etag,
            written.size,
            written.content_type,
        )
        return same and written.weight in (None, pin.weight)


async def situation(connection: Connection, artifact_id: int, path: str) -> Situation:
    """What there is at a path, as this transaction sees it."""
    asked = {"artifact_id": artifact_id, "path": path}
    row = (await connection.execute(_QUESTION, asked)).mappings().one()
    pin = [row[f"pin_{column.name}"] for column in PIN]
    return Situation(
        artifact=artifact_of(row),
        committing=row["committing"],
        pin=None if pin[0] is None else as_pin(pin),
        before=row["staged_before"],
    )


async def stage(
    connection: Connection, at: Situation, staged: StagedFile, replaced: Collection[str] = ()
) -> None:
    """Keep what is staged at a path, in the place of what was; its version is remembered.

    So are those in `replaced`, which the edit wrote before that.
    """
    mine = {"artifact_id": at.artifact.id, "path": staged.path}
    earlier = dict.fromkeys(replaced)
    if at.before is not None and at.before != staged.version_id:
        earlier[at.before] = None
    rows = [mine | {"version_id": version_id} for version_id in earlier]
    await insert_or_update(
        connection, tables.staged_version, rows, ("artifact_id", "path", "version_id"), ()
    )
    values = {column.name: getattr(staged, column.name) for column in STAGED_FILE}
    await insert_or_update(
        connection, _staged, [mine | values], ("artifact_id", "path"), _STAGED_VALUES
    )


_STAGED_VALUES = tuple(column.name for column in STAGED_FILE if column.name != "path")
