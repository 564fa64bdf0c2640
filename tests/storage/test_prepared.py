"""Statements in SQLite's own words do what SQLAlchemy's do, on both databases."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from gateway.artifact.lifecycle import Artifact
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database, insert_or_update
from gateway.storage.marks import change, fresh, row_id
from gateway.storage.questions import BY_ID
from gateway.storage.rows import artifact_of

NOW = datetime(2025, 6, 7, 8, 9, 10, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
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


async def test_what_is_there_already_is_changed_as_was_said_or_left_as_it_is(
    database: Database,
) -> None:
    table, keys = tables.announcement, ("artifact_id", "path")

    async def work(connection: Connection) -> list[tuple[object, ...]]:
        mine = {"artifact_id": await row_id(connection, "ws", "a")}
        rows = [mine | {"path": path, "weight": 1, "announced_at": NOW} for path in "xy"]
        later = [row | {"weight": None, "announced_at": LATER} for row in rows]
        await insert_or_update(connection, table, rows, keys, ("weight",))
        await insert_or_update(connection, table, later[:1], keys, ("weight", "announced_at"))
        await insert_or_update(connection, table, later[1:], keys, ())
        await insert_or_update(connection, table, [], keys, ())
        found = select(table.c.path, table.c.weight, table.c.announced_at).order_by("path")
        return [tuple(row) for row in await connection.execute(found)]

    assert await database.transaction(work) == [("x", None, LATER), ("y", 1, NOW)]


async def test_columns_of_which_nobody_says_anything_have_their_defaults(
    database: Database,
) -> None:
    async def work(connection: Connection) -> tuple[object, ...]:
        artifact_id = await row_id(connection, "ws", "a")
        assert await row_id(connection, "ws", "a") == artifact_id
        table = tables.artifact.c
        asked = select(table.version, table.collection, table.unfinished, table.views, table.type)
        return tuple((await connection.execute(asked.where(table.id == artifact_id))).one())

    assert await database.transaction(work) == (0, False, "", 0, None)


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
