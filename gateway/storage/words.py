"""The words that artifacts are found by: FTS5 on SQLite, text search on PostgreSQL.

Both are given words, not texts, so both find the same: FTS5's `ascii` takes every character
beyond ASCII for a part of a word, as PostgreSQL's array does. A word holds neither separators
nor quotes, so an expression made of words needs no more than to be bound.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Select, bindparam, column, func, literal_column, select, table
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

_WORDS = table("artifact_words", column("rowid"), column("artifact_id"), column("words"))
_ADD = {
    "sqlite": sql("INSERT INTO artifact_words (rowid, words) VALUES (:id, :words)"),
    "postgresql": sql(
        "INSERT INTO artifact_words (artifact_id, words) VALUES (:id, array_to_tsvector(:words))"
    ).bindparams(bindparam("words", type_=ARRAY(Text))),
}
_FORGET = {
    "sqlite": sql("DELETE FROM artifact_words WHERE rowid = :id"),
    "postgresql": sql("DELETE FROM artifact_words WHERE artifact_id = :id"),
}


async def index_words(
    connection: AsyncConnection, artifact_id: int, words: Collection[str]
) -> None:
    """Have an artifact found by these words, and no others."""
    await forget_words(connection, artifact_id)
    if not words:
        return
    sqlite = connection.dialect.name == "sqlite"
    given = " ".join(sorted(words)) if sqlite else sorted(words)
    statement = _ADD[connection.dialect.name]
    await connection.execute(statement, {"id": artifact_id, "words": given})


async def forget_words(connection: AsyncConnection, artifact_id: int) -> None:
    """Have an artifact found by no words."""
    await connection.execute(_FORGET[connection.dialect.name], {"id": artifact_id})


def found_by(dialect: str, words: Sequence[str]) -> Select[tuple[int]]:
    """The ids of the artifacts that have, for each of these words, one that begins so."""
    if dialect == "sqlite":
        expression = " AND ".join(f'"{word}"*' for word in words)
        matching: ColumnElement[bool] = literal_column("artifact_words").op("MATCH")(expression)
        return select(_WORDS.c.rowid).where(matching)
    expression = " & ".join(f"'{word}':*" for word in words)
    return select(_WORDS.c.artifact_id).where(
        _WORDS.c.words.op("@@")(func.to_tsquery(literal_column("'simple'::regconfig"), expression))
    )
