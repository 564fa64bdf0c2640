"""SQLite connections for short reads, which run where they are called.

aiosqlite hands every step to a thread and waits for it: ten hops, and most of a millisecond,
for one row that SQLite finds in ten microseconds. A reader of a write-ahead log waits for
nobody, so the event loop can look such a row up itself. This is the part of aiosqlite's
connection that SQLAlchemy's dialect uses.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Self

Value = str | bytes | int | float | None


class InlineCursor:
    """A cursor with aiosqlite's methods."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> tuple[tuple[str, None, None, None, None, None, None], ...]:
        """The columns of the rows; see PEP 249."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed; -1 for reads."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The id of the last row inserted."""
        return self._cursor.lastrowid

    async def execute(self, statement: str, values: Sequence[Value] = ()) -> Self:
        """This cursor, with the statement's rows ahead of it."""
        self._cursor.execute(statement, values)
        return self

    async def executemany(self, statement: str, rows: Iterable[Sequence[Value]]) -> Self:
        """This cursor, after running the statement once for each row of values."""
        self._cursor.executemany(statement, rows)
        return self

    async def fetchall(self) -> Sequence[tuple[Value, ...]]:
        """Every row ahead."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Give the statement back."""
        self._cursor.close()


class InlineConnection:
    """A connection with aiosqlite's methods; awaiting it returns it open."""

    def __init__(self, path: str, timeout: float) -> None:
        self._connection = sqlite3.connect(
            path, timeout=timeout, isolation_level=None, check_same_thread=False
        )

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()  # there is nothing to wait for
        return self

    def cursor(self) -> InlineCursor:
        """A new cursor."""
        return InlineCursor(self._connection.cursor())

    async def create_function(
        self, name: str, count: int, function: Callable[..., Value], *, deterministic: bool = False
    ) -> None:
        """Make a Python function known to SQL."""
        self._connection.create_function(name, count, function, deterministic=deterministic)

    def begin(self) -> None:
        """Start a transaction, whose snapshot its first read takes."""
        self._connection.execute("BEGIN")

    async def commit(self) -> None:
        """End the transaction, keeping its changes."""
        self._connection.commit()

    async def rollback(self) -> None:
        """End the transaction, undoing its changes."""
        self._connection.rollback()

    async def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def stop(self) -> None:
        """Close the file."""
        self._connection.close()
