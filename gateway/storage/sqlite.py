"""SQLite as the index's database: one file, which the processes of one host share."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL

from gateway.storage.connection import Connection
from gateway.storage.direct import Direct, is_busy
from gateway.storage.engine import BUSY_SECONDS
from gateway.storage.glances import Glances
from gateway.storage.lending import Apart, Lending
from gateway.storage.prepared import Prepared
from gateway.storage.writer import Writer

T = TypeVar("T")

# A long log is written into the file by whoever commits, while all others wait: a gateway that
# serves does it beside them, every few seconds (`harden`), before the log has so many pages.
WRITER_PRAGMAS = ("foreign_keys=ON", "synchronous=NORMAL", "wal_autocheckpoint=10000")
"""What each connection that writes is told first."""
READER_PRAGMAS = ("query_only=ON",)
"""What each connection that only reads is told first."""

# A reader waits only for a crash's traces to be cleared away: never long.
READER_SECONDS = 1.0


class Sqlite:
    """An `Engine` over a file."""

    def __init__(self, url: URL) -> None:
        path = self._path = str(url.database)
        self._glances = Glances(path)
        self.generation = self._glances.generation
        reader = partial(Direct, path, READER_PRAGMAS, READER_SECONDS)
        long_reader = partial(Apart, path, READER_PRAGMAS, BUSY_SECONDS)
        writer = partial(Apart, path, WRITER_PRAGMAS)
        self._readers = Lending(reader, _begin, size=16, seconds=BUSY_SECONDS)
        self._long_readers = Lending(long_reader, _begin, size=2, seconds=BUSY_SECONDS)
        self._writers = Lending(writer, _begin_writing, size=1, seconds=BUSY_SECONDS)
        self._writer = Writer(path, WRITER_PRAGMAS, BUSY_SECONDS)

    def reading(self, *, long: bool) -> AbstractAsyncContextManager[Connection]:
        """A connection that sees one snapshot: on the event loop, or in a thread if `long`."""
        return (self._long_readers if long else self._readers).lend()

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in one transaction."""
        return self._writers.lend()

    async def once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` returns, in one transaction."""
        return await self._writer.run(work)

    async def glance(
        self, question: Prepared, values: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        """The rows that one statement finds."""
        return self._glances.rows(question, values)

    async def harden(self) -> None:
        """Write the log to the disk, and from there into the file."""
        await asyncio.to_thread(_checkpoint, self._path)

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Connection]:
        """A transaction that nobody else has beside it; the file is made if it is not there."""
        await asyncio.to_thread(_create, self._path)
        async with self.writing() as connection:
            yield connection

    async def close(self) -> None:
        """Close the file."""
        await self._writer.close()
        for each in (self._readers, self._long_readers, self._writers):
            await each.close()
        self._glances.close()


def _begin(connection: Direct) -> None:
    connection.tell("BEGIN")


def _begin_writing(connection: Direct) -> None:
    connection.begin_writing(BUSY_SECONDS)


def _create(path: str) -> None:
    """Make the file, if it is not there, for its owner alone; and switch on its log."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                return
        except sqlite3.OperationalError as error:
            # Two that switch at once: SQLite's own waiting leaves this case out.
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _checkpoint(path: str) -> None:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
