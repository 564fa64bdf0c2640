"""Real databases: a file of SQLite, and one PostgreSQL server for the whole run."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import insert, make_url, text

from gateway.storage import tables
from gateway.storage.database import Database
from tests.postgresql import postgresql
from tests.storage.index import Index


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a running server's own database."""
    with postgresql() as url:
        yield url


@pytest.fixture
async def postgresql_url(postgresql_server: str) -> AsyncIterator[str]:
    """The URL of a new, empty database."""
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(postgresql_server)
    try:
        await server.execute(f"CREATE DATABASE {name}")
        url = make_url(postgresql_server).set(database=name)
        yield url.render_as_string(hide_password=False)
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database: each test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


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
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgresql_server")
    return url


@pytest.fixture
async def index(index_url: str) -> AsyncIterator[Index]:
    """An empty index."""
    async with Database(index_url) as database:
        if database.dialect == "postgresql":
            # To make a new database takes longer than most tests.
            names = ", ".join(tables.metadata.tables)
            async with database.writing() as connection:
                await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        yield Index(database)


@pytest.fixture
async def other(index: Index, index_url: str) -> AsyncIterator[Index]:
    """Another worker on the same index, with connections of its own."""
    del index
    async with Database(index_url) as database:
        yield Index(database, "w2")
