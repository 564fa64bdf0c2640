"""SQLite connections that cost the event loop little.

aiosqlite hands every step of a statement to a thread: ten hops, and most of a millisecond,
for one row that SQLite finds in ten microseconds. A reader of a write-ahead log waits for
nobody, so for short reads the event loop runs SQLite itself; for what may take long, or wait,
a thread does, with one hop a statement. This is the part of aiosqlite's connection that
SQLAlchemy's dialect for it uses.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, Self, TypeVar

Value = str | bytes | int | float | None
Row = tuple[Value, ...]
T = TypeVar("T")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection has the lock that a statement needs."""
    # SQLite's extended codes hold the plain one in their last byte.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


class _Runner(Protocol):
    async def run(self, work: Callable[[], T]) -> T: ...

    def end(self, last: Callable[[], None]) -> None: ...


class _Here:
    """Runs SQLite where it is called."""

    async def run(self, work: Callable[[], T]) -> T:
        return work()

    def end(self, last: Callable[[], None]) -> None:
        last()


class _Thread:
    """Runs SQLite in a thread of its own, in the order of the calls.

    SQLite's own waiting for a lock asks ever more rarely, up to ten times a second: whoever
    has just come goes first, and one that waits long may never get the lock from several that
    are busy. This one asks at a steady pace.
    """

    def __init__(self, timeout: float) -> None:
        self._executor = ThreadPoolExecutor(1, "sqlite")
        self._timeout = timeout

    async def run(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._insist, work)

    def end(self, last: Callable[[], None]) -> None:
        # After what it is at: a transaction that nobody waits for any more must not stay open.
        self._executor.submit(last)
        self._executor.shutdown(wait=False)

    def _insist(self, work: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.001, 0.004))  # noqa: S311 (spreads those who wait)


class Cursor:
    """A cursor with aiosqlite's methods; awaiting it returns it."""

    def __init__(self, cursor: sqlite3.Cursor, runner: _Runner) -> None:
        self._cursor = cursor
        self._runner = runner
        self._rows: list[Row] = []
        self.arraysize = 1

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()
        return self

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

        def work() -> list[Row]:
            return self._cursor.execute(statement, values).fetchall()

        self._rows = await self._runner.run(work)
        return self

    async def executemany(self, statement: str, rows: Iterable[Sequence[Value]]) -> Self:
        """This cursor, after running the statement once for each row of values."""
        await self._runner.run(lambda: self._cursor.executemany(statement, rows))
        return self

    async def fetchall(self) -> Sequence[Row]:
        """Every row ahead."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forget the rows; the statement ended with the last of them."""
        self._rows = []


class Connection:
    """A connection with aiosqlite's methods; awaiting it returns it open.

    With `thread` it runs in one; without, on the event loop. `timeout` is how many seconds it
    waits for a lock.
    """

    def __init__(self, path: str, timeout: float, *, thread: bool) -> None:
        self._runner: _Runner = _Thread(timeout) if thread else _Here()
        self._connection = sqlite3.connect(
            path,
            timeout=0 if thread else timeout,
            # Neither the driver nor a rule of threads may begin transactions or refuse calls:
            # SQLAlchemy begins them, and calls come one after another.
            isolation_level=None,
            check_same_thread=False,
        )

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()  # there is nothing to wait for
        return self

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor(self._connection.cursor(), self._runner)

    async def create_function(
        self, name: str, count: int, function: Callable[..., Value], *, deterministic: bool = False
    ) -> None:
        """Make a Python function known to SQL."""
        self._connection.create_function(name, count, function, deterministic=deterministic)

    async def commit(self) -> None:
        """End the transaction, keeping its changes."""
        await self._runner.run(self._connection.commit)

    async def rollback(self) -> None:
        """End the transaction, undoing its changes."""
        await self._runner.run(self._connection.rollback)

    async def close(self) -> None:
        """Close the file, and end the thread."""
        await self._runner.run(self._close)
        self._runner.end(self._close)

    def stop(self) -> None:
        """As `close`, without waiting."""
        self._runner.end(self._close)

    def _close(self) -> None:
        # A cursor that somebody still holds would keep the transaction, and its lock, alive.
        with suppress(sqlite3.Error):
            self._connection.rollback()
        self._connection.close()
