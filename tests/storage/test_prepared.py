"""Statements in SQLite's own words do what SQLAlchemy's do, on both databases."""

from datetime import UTC, datetime

from sqlalchemy import select

from gateway.artifact.lifecycle import Artifact
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.marks import change, fresh, row_id
from gateway.storage.questions import BY_ID
from gateway.storage.rows import artifact_of

NOW = datetime(2025, 6, 7, 8, 9, 10, 123456, tzinfo=UTC)
SET = {"type": "dataset", "collection": True, "fields": {"name": "ä", "n": [1]}, "created_at": NOW}


async def test_a_change_sets_the_columns_that_it_names_and_no_others(database: Database) -> None:
    async def work(connection: Connection) -> tuple[Artifact, Artifact]:
        other, artifact_id = [await row_id(connection, "ws", prefix) for prefix in ("a", "b")]
        await change(connection, artifact_id, {"number": 3, "unfinished": "deleting"})
        await change(connection, artifact_id, SET)
        return await fresh(connection, other), await fresh(connection, artifact_id)

    untouched, changed = await database.transaction(work)
    assert (untouched.type, untouched.collection, untouched.number) == (None, False, 0)
    assert (changed.type, changed.collection, changed.created_at) == ("dataset", True, NOW)
    assert (changed.number, changed.unfinished) == (3, "deleting")


async def test_a_transaction_is_answered_as_by_sqlalchemy(database: Database) -> None:
    async def work(connection: Connection) -> tuple[Artifact, Artifact]:
        artifact_id = await row_id(connection, "ws", "a")
        await change(connection, artifact_id, SET)
        (row,) = await BY_ID.asked(connection, {"artifact_id": artifact_id})
        assert not await BY_ID.asked(connection, {"artifact_id": artifact_id + 1})
        rows = await connection.execute(select(tables.artifact))
        return artifact_of(row), artifact_of(rows.mappings().one())

    ours, theirs = await database.transaction(work)
    assert ours == theirs
    assert ours.fields == SET["fields"]
