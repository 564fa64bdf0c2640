"""A connection to SQLite whose statements run where they are awaited, in whatever thread that is.

SQLAlchemy's for asyncio hands every step of a statement to a thread: ten hops, and most of a
millisecond, for one row that SQLite finds in ten microseconds. Here nothing needs to be waited for:
a statement is run by SQLAlchemy's plain connection, without a hop of any kind.
"""

import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Self, TypeVar

import sqlalchemy
from sqlalchemy import Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import NullPool

from gateway.storage.connection import AnyRows, Parameters

OPENING_SECONDS = 10.0
"""How long a file that is opened waits for whoever begins or ends its log."""

T = TypeVar("T")
Value = str | bytes | int | float | None
Row = tuple[Value, ...]


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection has the lock that a statement needs."""
    # SQLite's extended codes hold the plain one in their last byte.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def finished(work: Awaitable[T]) -> T:
    """What a coroutine returns that waits for nothing but this thread; else a RuntimeError."""
    steps = work.__await__()
    while True:
        try:
            waits_for = next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        if waits_for is not None:  # a turn that it gives to an event loop's others has passed
            steps.close()
            raise RuntimeError("a transaction waits for nothing but the database")


class Direct:
    """A `Connection` over a file that is open here.

    SQLAlchemy's own transaction is never ended, and is none to SQLite: whoever has the connection
    begins and ends them, with `tell`. `timeout` is how many seconds a statement waits for a lock.
    """

    def __init__(self, path: str, pragmas: Sequence[str], timeout: float = 0) -> None:
        # Neither the driver nor a rule of threads may begin transactions or refuse calls:
        # they are begun here, and calls come one after another.
        self._file = sqlite3.connect(
            path,
            timeout=OPENING_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=_File,
        )
        for pragma in (*pragmas, f"busy_timeout={round(timeout * 1_000)}"):
            self._file.execute(f"PRAGMA {pragma}")
        engine = sqlalchemy.create_engine(
            "sqlite://", creator=lambda: self._file, poolclass=NullPool, hide_parameters=True
        )
        self._connection = engine.connect()
        self.dialect: Dialect = engine.dialect

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; some errors end it."""
        return self._file.in_transaction

    def tell(self, statement: str) -> None:
        """Run a statement about transactions."""
        self._file.execute(statement)

    def begin_writing(self, seconds: float) -> None:
        """Begin a transaction that writes when nobody else has the lock; BUSY after some seconds.

        SQLite's own waiting asks ever more rarely, up to ten times a second: whoever has just come
        goes first, and one that waits long may never get the lock from several that are busy.
        This one asks at a steady pace.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.tell("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            else:
                return
            time.sleep(random.uniform(0.001, 0.004))  # noqa: S311 (spreads those who wait)

    def keep(self) -> None:
        """End the transaction with what it did."""
        self.tell("COMMIT")

    def undo(self) -> None:
        """End the transaction, if there is one, without what it did."""
        if self.in_transaction:
            self.tell("ROLLBACK")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns; all that may take long comes through here."""
        return work()

    async def execute(self, statement: Executable, parameters: Parameters = None, /) -> AnyRows:
        """The result of a statement."""
        return await self.run(lambda: self._connection.execute(statement, parameters))

    async def change(self, words: str, rows: Sequence[Sequence[Value]]) -> int:
        """How many rows a statement in SQLite's own words changes, run for each row of values."""
        return await self.run(lambda: self._file.executemany(words, rows).rowcount)

    async def ask(self, question: Callable[[sqlite3.Cursor], T]) -> T:
        """What a question returns, which is given a cursor of the file's."""
        return await self.run(lambda: question(self._file.cursor()))

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], T], /) -> T:
        """What `work` returns, which is given SQLAlchemy's plain connection."""
        return await self.run(lambda: work(self._connection))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class _Rows(sqlite3.Cursor):
    """A cursor that has all rows at once: whoever still holds it keeps no snapshot alive."""

    _ahead: Iterator[Row] = iter(())

    def execute(self, statement: str, values: Sequence[Value] = (), /) -> Self:  # type: ignore[override]  # SQLAlchemy names no values
        """This cursor, with the statement's rows ahead of it."""
        super().execute(statement, values)
        self._ahead = iter(super().fetchall())
        return self

    def fetchone(self) -> Row | None:
        """The next row, None after the last."""
        return next(self._ahead, None)

    def fetchmany(self, size: int | None = 1) -> list[Row]:
        """The next rows."""
        return list(islice(self._ahead, size))

    def fetchall(self) -> list[Row]:
        """Every row ahead."""
        return list(self._ahead)


class _File(sqlite3.Connection):
    def cursor(self) -> sqlite3.Cursor:  # type: ignore[override]  # nobody asks for another kind
        """A new cursor."""
        return super().cursor(_Rows)
