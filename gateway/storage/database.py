"""The database: SQLite or PostgreSQL behind one set of transactions.

Both give what SQLite gives: a reader sees one snapshot, and writers behave as if they ran
one after another. On SQLite they do (BEGIN IMMEDIATE, one writer connection); on PostgreSQL
writers are SERIALIZABLE, and `Database.transaction` runs those again that lost a race.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from sqlalchemy import BigInteger, ColumnElement, Insert, Table, case, literal, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import ServiceUnavailable, SlowDown
from gateway.storage.engine import (
    BUSY_SECONDS,
    WRITER_PRAGMAS,
    checkpoint,
    create_sqlite,
    parse_url,
    postgresql_engine,
    sqlite_readers,
    sqlite_writer,
    translated,
)
from gateway.storage.glances import Glances
from gateway.storage.prepared import Prepared
from gateway.storage.recollection import Recollection
from gateway.storage.revision import is_newest
from gateway.storage.writer import Writer

T = TypeVar("T")

# Any number that nothing else in the database locks.
_MIGRATION_LOCK = 4_201_761_839


class Database:
    """The index's database; `async with Database(url) as database` opens and migrates it.

    Without `migrate` it is taken as it is. `database_url` is `sqlite:///path` or
    `postgresql://user:password@host/name`; anything else is a ValueError. A database that does
    not answer is `ServiceUnavailable`, from every method; a lost race that does not end is
    `SlowDown`.
    """

    def __init__(self, database_url: str, *, migrate: bool = True) -> None:
        url = self._url = parse_url(database_url)
        self._migrates = migrate
        self._recollection = Recollection()
        self._lost = asyncio.Lock()
        self._glances: Glances | None = None
        self._writer: Writer | None = None
        self.dialect = url.get_backend_name()
        if self.dialect == "sqlite":
            self._glances = Glances(str(url.database))
            self._readers = sqlite_readers(url, thread=False, size=16)
            self._long_readers = sqlite_readers(url, thread=True, size=2)
            self._writers = self._migrators = sqlite_writer(url)
            self._writer = Writer(str(url.database), WRITER_PRAGMAS, BUSY_SECONDS)
        else:
            engine = postgresql_engine(url)
            self._readers = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._long_readers = self._readers
            self._writers = engine.execution_options(isolation_level="SERIALIZABLE")
            self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
            # A serializable transaction would see the schema as it was before it had the lock.
            self._migrators = engine.execution_options(isolation_level="READ COMMITTED")

    async def __aenter__(self) -> Self:
        try:
            if self._migrates:
                await self._migrate()
        except BaseException:
            await self._dispose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._dispose()

    @asynccontextmanager
    async def reading(self, *, long: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one snapshot; it is for reading alone.

        On SQLite a read runs on the event loop, for microseconds. `long` is for what goes
        through thousands of rows: it runs in a thread, which costs a millisecond.
        """
        engine = self._long_readers if long else self._readers
        with translated():
            async with engine.connect() as connection, connection.begin():
                yield connection

    async def glance(
        self, question: Prepared, values: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        """The rows that one statement finds, by column: cheaper than a transaction around it."""
        if self._glances is not None:
            return self._glances.rows(question, values)
        with translated():
            async with self._single.connect() as connection:
                rows = await connection.execute(question.statement, values)
                return [question.named(row) for row in rows]

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in one transaction: committed at the end, rolled back on an error.

        On PostgreSQL a race with another writer ends in `SlowDown`; `transaction` runs its
        work again instead.
        """
        with translated():
            async with self._writers.begin() as connection:
                yield connection

    async def transaction(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `work(connection)` returns, in one transaction; run again after a lost race.

        `work` may run several times, and in another thread, so it does nothing but SQL, and
        starts from what it reads there.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        try:
            return await self._once(work)
        except SlowDown:
            if time.monotonic() > deadline:
                raise
        # Those who have lost go on one after the other, or they would lose to each other again.
        async with self._lost:
            pause = 0.002
            while True:
                try:
                    return await self._once(work)
                except SlowDown:
                    if time.monotonic() > deadline:
                        raise
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 (spreads racers)
                pause = min(pause * 2, 0.02)

    async def _once(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        if self._writer is not None:
            with translated():
                return await self._writer.run(work)
        async with self.writing() as connection:
            return await work(connection)

    async def recalled(self, about: Hashable, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question; while the database is away, the last one `about` the same.

        For what readers of committed files are told, and for nothing that is written.
        """
        return await self._recollection.answer(about, question)

    def generation(self, *, counters: bool = False) -> Hashable | None:
        """What stays the same while artifacts, pins, marks, workspaces and keys do.

        With `counters`, also while theirs do. None where that can't be told cheaply, as on
        PostgreSQL; ServiceUnavailable, SlowDown.
        """
        if self._glances is None:
            return None
        numbers = self._glances.generation()
        return numbers if counters else numbers[0]

    async def current(
        self,
        about: Hashable,
        question: Callable[[], Awaitable[T]],
        *,
        recalled: bool = False,
        counters: bool = False,
    ) -> T:
        """The answer of now to a question about artifacts, pins, marks, workspaces or keys.

        It is the last one `about` the same if the `generation` has not changed since; without
        one the question is asked each time. With `recalled`, as there.
        """
        try:
            generation = self.generation(counters=counters)
        except (ServiceUnavailable, SlowDown):
            if not recalled:
                raise
            return await self.recalled(about, question)
        if generation is None:
            return await (self.recalled(about, question) if recalled else question())
        known = self._recollection.unchanged(about, generation)
        if known is not None:
            return cast("tuple[T]", known)[0]
        if recalled:
            return await self._recollection.answer(about, question, generation)
        answer = await question()
        self._recollection.remember(about, answer, generation)
        return answer

    async def ping(self) -> None:
        """Return when the database answers; else `ServiceUnavailable`."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def harden(self) -> None:
        """Return when all that was committed survives a power failure too.

        PostgreSQL's commits do; SQLite's do once its log has been written into the file.
        """
        if self.dialect == "sqlite":
            with translated():
                await asyncio.to_thread(checkpoint, self._url)

    async def _migrate(self) -> None:
        with translated():
            if self.dialect == "sqlite":
                await asyncio.to_thread(create_sqlite, self._url)
            async with self._migrators.begin() as connection:
                if self.dialect == "postgresql":
                    await connection.execute(
                        text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
                    )
                if not await connection.run_sync(is_newest):
                    # Alembic comes along: most starts find nothing for it to do.
                    migrations = import_module("gateway.storage.migrations")
                    await connection.run_sync(migrations.upgrade)

    async def _dispose(self) -> None:
        if self._writer is not None:
            await self._writer.close()
        await self._readers.dispose()
        await self._long_readers.dispose()
        await self._writers.dispose()
        if self._glances is not None:
            self._glances.close()


async def insert_or_update(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    keys: Sequence[str],
    update: Sequence[str],
    add: Sequence[str] = (),
) -> None:
    """Insert `rows`; where one with the same `keys` is there, change that one instead.

    Its columns in `update` take the new values, those in `add` are `raised` by them; with
    neither, it stays as it is. `keys` are the columns of a primary key or unique constraint.
    """
    if not rows:
        return
    statement = _insertion(connection.dialect.name, table, tuple(keys), tuple(update), tuple(add))
    await connection.execute(statement, rows)


@cache
def _insertion(
    dialect: str,
    table: Table,
    keys: tuple[str, ...],
    update: tuple[str, ...],
    add: tuple[str, ...],
) -> Insert:
    """Made once: making a statement takes several times as long as running it."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = insert(table)
    changes: dict[str, ColumnElement[Any]] = {name: statement.excluded[name] for name in update}
    changes |= {name: raised(table.c[name], statement.excluded[name]) for name in add}
    if changes:
        return statement.on_conflict_do_update(index_elements=keys, set_=changes)
    return statement.on_conflict_do_nothing(index_elements=keys)


def raised(column: ColumnElement[int], amount: ColumnElement[int]) -> ColumnElement[int]:
    """The sum of two whole numbers that are not negative, or the highest that a column holds."""
    highest = literal((1 << 63) - 1, BigInteger)
    return case((column > highest - amount, highest), else_=column + amount)
