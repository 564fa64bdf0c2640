"""Real databases: a file of SQLite, and one PostgreSQL server for the whole run.

To make an empty one takes longer than most tests, and to migrate it too: most get a copy of one
that has been migrated, or one that has been emptied.
"""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import delete, insert, make_url

from gateway.storage import tables
from gateway.storage.database import Database
from tests.postgresql import postgresql
from tests.storage.index import Index

MIGRATED = "migrated"
TABLES = tables.metadata.sorted_tables
COUNTED = [each.autoincrement_column for each in TABLES if each.autoincrement_column is not None]
# To truncate them takes thirty times as long.
EMPTYING = "".join(f"{delete(table)};" for table in reversed(TABLES)) + "".join(
    f"ALTER SEQUENCE {column.table}_{column.name}_seq RESTART;" for column in COUNTED
)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a running server's own database."""
    with postgresql() as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite, its schema up to date and no row in it. Copy it."""
    path = tmp_path_factory.mktemp("migrated") / "migrated.db"
    async with Database(f"sqlite:///{path}"):
        pass
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_database(postgresql_server: str) -> str:
    """The name of a database on the server, its schema up to date and no row in it. Copy it."""
    async with _server(postgresql_server) as server:
        await server.execute(f"CREATE DATABASE {MIGRATED}")
    async with Database(_named(postgresql_server, MIGRATED)):
        pass
    return MIGRATED


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    """What a new database is copied from: one that is migrated, where the test opens `database`."""
    opened = "database" in request.fixturenames
    return str(request.getfixturevalue("migrated_database")) if opened else "template1"


@pytest.fixture
async def postgresql_url(postgresql_server: str, template: str) -> AsyncIterator[str]:
    """The URL of a new database: an empty one, or migrated where the test opens `database`."""
    name = f"test_{uuid4().hex}"
    async with _server(postgresql_server) as server:
        # To copy files takes a third of what it takes to write all that is copied to a log.
        await server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield _named(postgresql_server, name)
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def _server(url: str) -> AsyncIterator[asyncpg.Connection]:
    server = await asyncpg.connect(url)
    try:
        yield server
    finally:
        await server.close()


def _named(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database of each kind: an empty one, or migrated as `database` opens it."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_url")
        return url
    path = tmp_path / "test.db"
    if "database" in request.fixturenames:
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
    return f"sqlite:///{path}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database, its schema up to date."""
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def new_artifact(database: Database) -> Callable[[], Awaitable[int]]:
    """Puts a row for an artifact into the database; returns its id."""

    async def put() -> int:
        async with database.writing() as connection:
            result = await connection.execute(
                insert(tables.artifact)
                .values(workspace_id="w", prefix=uuid4().hex)
                .returning(tables.artifact.c.id)
            )
            return int(result.scalar_one())

    return put


@pytest.fixture(params=["sqlite", "postgresql"])
def index_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of either kind; PostgreSQL's is the same for every test."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_server")
        return url
    path = tmp_path / "test.db"
    shutil.copyfile(request.getfixturevalue("migrated_file"), path)
    return f"sqlite:///{path}"


@pytest.fixture
async def index(index_url: str) -> AsyncIterator[Index]:
    """An empty index."""
    async with Database(index_url) as database:
        if database.dialect == "postgresql":
            async with _server(index_url) as server:
                await server.execute(EMPTYING)
        yield Index(database)


@pytest.fixture
async def other(index: Index, index_url: str) -> AsyncIterator[Index]:
    """Another worker on the same index, with connections of its own."""
    del index
    async with Database(index_url) as database:
        yield Index(database, "w2")
