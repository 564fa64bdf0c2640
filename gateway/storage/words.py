"""The words that artifacts are found by: FTS5 on SQLite, text search on PostgreSQL.

Both are given words, not texts, so both find the same: FTS5's `ascii` takes every character
beyond ASCII for a part of a word, as PostgreSQL's array does. A word holds neither separators
nor quotes, so an expression made of words needs no more than to be bound.

Besides, an artifact has a mark of each collection that it may be a member of, so that the members
found are counted without a look at any of them. No word that somebody looks for is one.
"""

from collections.abc import Collection, Sequence
from hashlib import blake2b

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    cast,
    column,
    delete,
    insert,
    literal_column,
    select,
    table,
)
from sqlalchemy import text as sql

from gateway.artifact.layout import ancestors
from gateway.artifact.lifecycle import Artifact
from gateway.storage.columns import TSQUERY
from gateway.storage.connection import Connection
from gateway.storage.prepared import Change

_WORDS = table("artifact_words", column("rowid"), column("artifact_id"), column("words"))
_ADD = Change(
    insert(_WORDS),
    lambda: sql(
        "INSERT INTO artifact_words (artifact_id, words)"
        " VALUES (:rowid, array_to_tsvector(CAST(:words AS TEXT[])))"
    ),
    columns=("rowid", "words"),
)
_FORGET = Change(
    delete(_WORDS).where(_WORDS.c.rowid == bindparam("id")),
    lambda: sql("DELETE FROM artifact_words WHERE artifact_id = :id"),
)


async def index_words(connection: Connection, artifact: Artifact, words: Collection[str]) -> None:
    """Have an artifact found by these words, and no others, in the collections above it."""
    await forget_words(connection, artifact.id)
    above = (prefix for prefix in ancestors(artifact.prefix) if prefix != artifact.prefix)
    marks = (mark_of(artifact.workspace_id, prefix) for prefix in above)
    written = sorted({*words, *marks})
    given = " ".join(written) if connection.dialect.name == "sqlite" else written
    await _ADD.once(connection, {"rowid": artifact.id, "words": given})


def mark_of(workspace_id: str, prefix: str) -> str:
    """What all members have among their words, of the collection at `prefix`; "" is the root."""
    place = f"{workspace_id}/{prefix}".encode(errors="surrogatepass")
    # To both databases the dot is a part of a word, to words_of it is none.
    return f"·{blake2b(place, digest_size=8).hexdigest()}"


async def forget_words(connection: Connection, artifact_id: int) -> None:
    """Have an artifact found by no words."""
    await _FORGET.once(connection, {"id": artifact_id})


def found_by(dialect: str, words: Sequence[str], mark: str = "") -> Select[tuple[int]]:
    """The ids of the artifacts that have, for each of these words, one that begins so.

    With the `mark` of a collection, of its members alone.
    """
    if dialect == "sqlite":
        expression = " AND ".join([f'"{word}"*' for word in words] + [f'"{mark}"'] * bool(mark))
        matching: ColumnElement[bool] = literal_column("artifact_words").op("MATCH")(expression)
        return select(_WORDS.c.rowid).where(matching)
    expression = " & ".join([f"'{word}':*" for word in words] + [f"'{mark}'"] * bool(mark))
    return select(_WORDS.c.artifact_id).where(_WORDS.c.words.op("@@")(cast(expression, TSQUERY)))
