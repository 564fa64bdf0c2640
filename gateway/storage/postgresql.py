"""PostgreSQL as the index's database; imported where one is named.

SQLAlchemy's half of it takes a tenth of what a gateway takes to start.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, event, text
from sqlalchemy import exc as failures
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.engine import BUSY_SECONDS
from gateway.storage.prepared import Prepared

T = TypeVar("T")

# Any number that nothing else in the database locks.
_MIGRATION_LOCK = 4_201_761_839

for _index in tables.artifact.indexes:
    _index.dialect_options["postgresql"]["where"] = _index.dialect_options["sqlite"]["where"]


class Postgresql:
    """An `Engine` over a server."""

    def __init__(self, url: URL) -> None:
        engine = self._engine = postgresql_engine(url)
        self._readers = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writers = engine.execution_options(isolation_level="SERIALIZABLE")
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        # A serializable transaction would see the schema as it was before it had the lock.
        self._migrators = engine.execution_options(isolation_level="READ COMMITTED")

    def reading(self, *, long: bool) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees one snapshot; the server does all its work elsewhere."""
        del long
        return self._readers.begin()

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in one transaction; a lost race is one of the driver's errors."""
        return self._writers.begin()

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Connection]:
        """A transaction that no other gateway's `migrating` is beside."""
        async with self._migrators.begin() as connection:
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
            )
            yield connection

    async def once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` returns, in one transaction."""
        async with self.writing() as connection:
            return await work(connection)

    async def glance(
        self, question: Prepared, values: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        """The rows that one statement finds."""
        async with self._single.connect() as connection:
            rows = await connection.execute(question.statement, values)
            return [question.named(row) for row in rows]

    def generation(self) -> None:
        """None: it can't be told cheaply."""

    async def harden(self) -> None:
        """Nothing: what was committed is on the disk."""

    async def close(self) -> None:
        """Leave the server."""
        await self._engine.dispose()


def postgresql_engine(url: URL) -> AsyncEngine:
    """An engine whose pool leaves out connections that the server has closed."""
    try:
        engine = create_async_engine(
            url,
            pool_size=8,
            max_overflow=8,
            pool_timeout=BUSY_SECONDS,
            hide_parameters=True,
            connect_args={
                "timeout": 5,
                "command_timeout": 30,
                "server_settings": {"application_name": "artifact-gateway"},
            },
        )
    except ModuleNotFoundError as error:
        raise ValueError(
            "database_url names PostgreSQL, whose driver is not installed:"
            " pip install 'artifact-gateway[postgres]'"
        ) from error

    def check(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, proxy: PoolProxiedConnection
    ) -> None:
        # A question to the server would cost each transaction a round trip; this costs none.
        del connection, proxy
        driver = entry.driver_connection
        if driver is None or driver.is_closed():
            raise failures.DisconnectionError

    event.listen(engine.sync_engine, "checkout", check)
    return engine
