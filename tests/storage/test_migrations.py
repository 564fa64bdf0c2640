import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from gateway.artifact.query import MemberQuery
from gateway.storage.database import Database
from gateway.storage.members import MemberIndex
from gateway.storage.migrations import configuration
from gateway.storage.revision import NEWEST
from gateway.storage.tables import metadata
from tests.storage.index import DATASET, WORKSPACE, Index

WITHOUT_MARKS = {
    "sqlite": "UPDATE artifact_words SET words = rtrim(substr(words, 1, instr(words, '·') - 1))",
    "postgresql": "UPDATE artifact_words SET words = ts_delete(words, ARRAY("
    "SELECT word FROM unnest(tsvector_to_array(words)) AS word WHERE word LIKE '·%'))",
}

OPEN = """
import asyncio, sys
from gateway.storage.database import Database

async def main():
    async with Database(sys.argv[1]) as database:
        await database.ping()

asyncio.run(main())
"""


def is_described(name: str | None, kind: str, parents: object) -> bool:
    """Whether SQLAlchemy has words for it: search and what is counted have each database's own."""
    del parents
    return kind != "table" or not (name or "").startswith(("artifact_words", "generation"))


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={"compare_type": True, "compare_server_default": True, "include_name": is_described},
    )
    return list(compare_metadata(context, metadata))


def names(connection: Connection) -> list[str]:
    """Every constraint and index by name, and the collation of every key column."""
    inspector = inspect(connection)
    found: list[str] = []
    for table in metadata.tables:
        found.append(str(inspector.get_pk_constraint(table)["name"]))
        found += [str(each["name"]) for each in inspector.get_unique_constraints(table)]
        found += [str(each["name"]) for each in inspector.get_foreign_keys(table)]
        found += [str(each["name"]) for each in inspector.get_indexes(table)]
    return sorted(found)


def collations(connection: Connection) -> list[tuple[str, str, object]]:
    inspector = inspect(connection)
    return [
        (table, column["name"], getattr(column["type"], "collation", None))
        for table in sorted(metadata.tables)
        for column in inspector.get_columns(table)
    ]


async def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    async with database.reading(long=True) as connection:
        assert await connection.run_sync(differences) == []


async def test_names_and_collations_are_those_of_the_code(
    database: Database, database_url: str
) -> None:
    async with database.writing() as connection:
        migrated = await connection.run_sync(names)
        sorting = await connection.run_sync(collations)
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
        assert await connection.run_sync(names) == migrated
        assert await connection.run_sync(collations) == sorting
    expected = "C" if database_url.startswith("postgresql") else None
    assert ("artifact", "prefix", expected) in sorting


async def test_opening_again_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        async with Database(database_url) as database, database.reading() as connection:
            version = await connection.execute(text("SELECT version_num FROM alembic_version"))
            assert version.scalars().all() == [head()]


async def test_a_failed_migration_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        raise KeyError

    monkeypatch.setattr("gateway.storage.migrations.upgrade", fail)
    with pytest.raises(KeyError):
        async with Database(database_url):
            pass
    monkeypatch.undo()
    async with Database(database_url) as database, database.reading(long=True) as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    described = [table for table in tables if is_described(table, "table", None)]
    assert sorted(described) == sorted([*metadata.tables, "alembic_version"])


async def test_many_that_open_an_empty_database_at_once_are_safe(database_url: str) -> None:
    starts = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPEN, database_url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    databases = [Database(database_url) for _ in range(3)]
    await asyncio.gather(*(database.__aenter__() for database in databases))
    for start in starts:
        _, errors = await start.communicate()
        assert start.returncode == 0, errors.decode()
    for database in databases:
        async with database.reading() as connection:
            version = await connection.execute(text("SELECT version_num FROM alembic_version"))
            assert version.scalars().all() == [head()]
        await database.__aexit__(None, None, None)


async def test_members_of_before_are_found_by_words(index: Index, index_url: str) -> None:
    await index.committed("a", fields={"type": "collection"})
    await index.committed("a/b", fields=DATASET)
    await index.committed("c", fields=DATASET)
    query = MemberQuery(keywords=(("a",),))
    async with index.database.writing() as connection:
        await connection.execute(text(WITHOUT_MARKS[index.database.dialect]))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0007'"))
    assert (await MemberIndex(index.database).page(WORKSPACE, "a", query, limit=9)).total == 0
    async with Database(index_url) as database:
        for prefix, expected in {"a": ["a/b"], "": ["a", "a/b", "c"]}.items():
            page = await MemberIndex(database).page(WORKSPACE, prefix, query, limit=9)
            assert [member.prefix for member in page.items] == expected
            assert page.total == len(expected)


def test_revisions_form_one_line_and_are_named_after_their_files() -> None:
    directory = ScriptDirectory.from_config(configuration())
    assert len(directory.get_heads()) == 1
    for script in directory.walk_revisions():
        assert Path(script.path).name.startswith(f"{script.revision}_")
    assert head() == NEWEST


def head() -> str:
    found = ScriptDirectory.from_config(configuration()).get_current_head()
    assert found is not None
    return found
