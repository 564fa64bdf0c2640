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
from functools import cache, partial
from importlib import import_module
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Insert, Table, case, literal, text
from sqlalchemy.dialects import sqlite

from gateway.errors import ServiceUnavailable, SlowDown
from gateway.storage.connection import Connection
from gateway.storage.engine import BUSY_SECONDS, Engine, parse_url, translated
from gateway.storage.prepared import Change, Prepared
from gateway.storage.recollection import Recollection
from gateway.storage.revision import is_newest
from gateway.storage.sqlite import Sqlite

T = TypeVar("T")


class Database:
    """The index's database; `async with Database(url) as database` opens and migrates it.

    Without `migrate` it is taken as it is. `database_url` is `sqlite:///path` or
    `postgresql://user:password@host/name`; anything else is a ValueError. A database that does
    not answer is `ServiceUnavailable`, from every method; a lost race that does not end is
    `SlowDown`.
    """

    def __init__(self, database_url: str, *, migrate: bool = True) -> None:
        url = parse_url(database_url)
        self._migrates = migrate
        self._recollection = Recollection()
        self._lost = asyncio.Lock()
        self.dialect = url.get_backend_name()
        self._engine: Engine
        if self.dialect == "sqlite":
            self._engine = Sqlite(url)
        else:
            self._engine = import_module("gateway.storage.postgresql").Postgresql(url)

    async def __aenter__(self) -> Self:
        try:
            if self._migrates:
                await self._migrate()
        except BaseException:
            await self._engine.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._engine.close()

    @asynccontextmanager
    async def reading(self, *, long: bool = False) -> AsyncIterator[Connection]:
        """A connection that sees one snapshot; it is for reading alone.

        On SQLite a read runs on the event loop, for microseconds. `long` is for what goes
        through thousands of rows: it runs in a thread, which costs a millisecond.
        """
        with translated():
            async with self._engine.reading(long=long) as connection:
                yield connection

    async def glance(
        self, question: Prepared, values: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        """The rows that one statement finds, by column: cheaper than a transaction around it."""
        with translated():
            return await self._engine.glance(question, values)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """A connection in one transaction: committed at the end, rolled back on an error.

        On PostgreSQL a race with another writer ends in `SlowDown`; `transaction` runs its
        work again instead.
        """
        with translated():
            async with self._engine.writing() as connection:
                yield connection

    async def transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
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

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        with translated():
            return await self._engine.once(work)

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
        numbers = self._engine.generation()
        return numbers if counters or numbers is None else numbers[0]

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
            answer: T = known[0]
            return answer
        if recalled:
            return await self._recollection.answer(about, question, generation)
        answer = await question()
        self._recollection.remember(about, answer, generation)
        return answer

    def holds(self, about: Hashable) -> bool:
        """Whether what was found to `hold` still does: nothing has changed since."""
        try:
            generation = self.generation()
        except (ServiceUnavailable, SlowDown):
            return False
        return (
            generation is not None and self._recollection.unchanged(about, generation) is not None
        )

    def hold(self, about: Hashable, generation: Hashable | None) -> None:
        """Remember what was found; `generation` is what was seen before it was asked."""
        if generation is not None:
            self._recollection.remember(about, True, generation)  # noqa: FBT003 (an answer)

    async def ping(self) -> None:
        """Return when the database answers; else `ServiceUnavailable`."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def harden(self) -> None:
        """Return when all that was committed survives a power failure too.

        PostgreSQL's commits do; SQLite's do once its log has been written into the file.
        """
        with translated():
            await self._engine.harden()

    async def _migrate(self) -> None:
        with translated():
            async with self._engine.migrating() as connection:
                if not await connection.run_sync(is_newest):
                    # Alembic comes along: most starts find nothing for it to do.
                    migrations = import_module("gateway.storage.migrations")
                    await connection.run_sync(migrations.upgrade)


async def insert_or_update(
    connection: Connection,
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
    if rows:
        made = _insertion(table, tuple(rows[0]), tuple(keys), tuple(update), tuple(add))
        await made.each(connection, rows)


@cache
def _insertion(
    table: Table,
    columns: tuple[str, ...],
    keys: tuple[str, ...],
    update: tuple[str, ...],
    add: tuple[str, ...],
) -> Change:
    """Made once: making a statement takes several times as long as running it."""

    def made(dialect: str) -> Insert:
        statement = insertion(dialect, table)
        changes: dict[str, ColumnElement[Any]] = {name: statement.excluded[name] for name in update}
        changes |= {name: raised(table.c[name], statement.excluded[name]) for name in add}
        if changes:
            return statement.on_conflict_do_update(index_elements=keys, set_=changes)
        return statement.on_conflict_do_nothing(index_elements=keys)

    return Change(made("sqlite"), partial(made, "postgresql"), columns)


def insertion(dialect: str, table: Table) -> sqlite.Insert:
    """An insertion that may say what is done on a conflict: PostgreSQL's own says it likewise."""
    if dialect == "postgresql":
        made: sqlite.Insert = import_module("sqlalchemy.dialects.postgresql").insert(table)
        return made
    return sqlite.insert(table)


def raised(column: ColumnElement[int], amount: ColumnElement[int]) -> ColumnElement[int]:
    """The sum of two whole numbers that are not negative, or the highest that a column holds."""
    highest = literal((1 << 63) - 1, BigInteger)
    return case((column > highest - amount, highest), else_=column + amount)
