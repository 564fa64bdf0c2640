"""A connection to SQLite for transactions that run, whole, in one thread.

They are written for SQLAlchemy's AsyncConnection. Here nothing needs to be waited for: a statement
is run where it is awaited, by SQLAlchemy's plain connection, without a hop of any kind.
"""

import sqlite3
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Self, TypeVar

import sqlalchemy
from sqlalchemy import Executable
from sqlalchemy.engine import CursorResult, Dialect
from sqlalchemy.pool import NullPool

from gateway.storage.sqlite import Row, Value

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


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
    """What transactions use of an AsyncConnection, over a file that is open in this thread.

    SQLAlchemy's own transaction is never ended, and is none to SQLite: whoever has the connection
    begins and ends them, with `tell`.
    """

    def __init__(self, path: str, pragmas: Sequence[str]) -> None:
        self._file = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False, factory=_File
        )
        for pragma in pragmas:
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

    async def execute(
        self, statement: Executable, parameters: Parameters = None
    ) -> CursorResult[Any]:
        """The result of a statement."""
        return self._connection.execute(statement, parameters)

    def change(self, words: str, rows: Sequence[Sequence[Value]]) -> int:
        """How many rows a statement in SQLite's own words changes, run for each row of values."""
        return self._file.executemany(words, rows).rowcount

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
