"""Connections to SQLite, lent to one transaction at a time.

A reader of a write-ahead log waits for nobody, so for short reads the event loop runs SQLite
itself; for what may take long, or wait, a thread does, with one hop a statement.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from gateway.errors import SlowDown
from gateway.storage.connection import Connection
from gateway.storage.direct import Direct

T = TypeVar("T")


class Apart(Direct):
    """A connection whose statements run in a thread of its own, in the order of the calls."""

    def __init__(self, path: str, pragmas: Sequence[str], timeout: float = 0) -> None:
        super().__init__(path, pragmas, timeout)
        self._executor = ThreadPoolExecutor(1, "sqlite")

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns; what comes after it waits for it, even if nobody else does."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def undo(self) -> None:
        """End the transaction, if there is one, as soon as the thread comes to it."""
        self._executor.submit(super().undo)

    def close(self) -> None:
        """Close the file, and end the thread."""
        super().close()
        self._executor.shutdown(wait=False)


class Lending:
    """At most `size` connections, opened when they are needed.

    `begin` opens a transaction. Who has got no connection after `seconds` may come again: SlowDown.
    """

    def __init__(
        self,
        opens: Callable[[], Direct],
        begin: Callable[[Direct], None],
        *,
        size: int,
        seconds: float,
    ) -> None:
        self._opens = opens
        self._begin = begin
        self._turns = asyncio.Semaphore(size)
        self._seconds = seconds
        self._idle: list[Direct] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Connection]:
        """A connection in a transaction: kept at the end, undone on an error."""
        await self._turn()
        try:
            lent = self._idle.pop() if self._idle else self._opens()
            try:
                await lent.run(partial(self._begin, lent))
                yield lent
                await lent.run(lent.keep)
            except BaseException:
                lent.undo()
                raise
            finally:
                self._idle.append(lent)
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close those that nobody has."""
        while self._idle:
            idle = self._idle.pop()
            await idle.run(idle.close)

    async def _turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise SlowDown("The database has too much to do; try again.") from None
