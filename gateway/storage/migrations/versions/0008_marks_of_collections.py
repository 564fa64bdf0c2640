"""Artifacts are found by marks of the collections above them, too: members are counted by these."""

from hashlib import blake2b

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"

COMMITTED = "SELECT id, workspace_id, prefix FROM artifact WHERE version > 0"
ADD = {
    "sqlite": "UPDATE artifact_words SET words = words || ' ' || :marks WHERE rowid = :id",
    "postgresql": "UPDATE artifact_words SET words = words || array_to_tsvector(:marks)"
    " WHERE artifact_id = :id",
}


def upgrade() -> None:
    """Give each committed artifact its marks."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    add = sa.text(ADD[dialect])
    if dialect == "postgresql":
        add = add.bindparams(sa.bindparam("marks", type_=ARRAY(sa.Text)))
    for identity, workspace_id, prefix in connection.execute(sa.text(COMMITTED)).all():
        marks = [_mark(workspace_id, above) for above in _above(prefix)]
        given = " ".join(marks) if dialect == "sqlite" else marks
        connection.execute(add, {"id": identity, "marks": given})


def _above(prefix: str) -> list[str]:
    """The prefixes of all collections that it may be a member of."""
    segments = prefix.split("/")
    return ["/".join(segments[:number]) for number in range(len(segments))] if prefix else []


def _mark(workspace_id: str, prefix: str) -> str:
    place = f"{workspace_id}/{prefix}".encode(errors="surrogatepass")
    return f"·{blake2b(place, digest_size=8).hexdigest()}"
