"""SQLite's writer: transactions run in a thread of its own, those that wait together.

A transaction is a handful of statements of microseconds; a hop to a thread for each would cost
many times what they do. So a whole transaction is one hop, and all that have come to wait while
others ran share the next hop, and its commit: each in a savepoint, so that what fails, or was
cancelled, is undone alone. One that nobody shares with needs none, for which SQLite would keep a
copy of each page that changes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from gateway.storage.connection import Connection
from gateway.storage.direct import Direct, finished

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]

TOGETHER = 64
"""So many transactions share a commit at most."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A transaction, and who waits for what it returns."""

    work: Work[Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a transaction returned, or the error that undid it."""

    value: Any = None
    error: Exception | None = None


class Writer:
    """The one writer of a process; it is spoken to from one event loop.

    `timeout` is how many seconds it waits for other processes; then it raises SQLite's BUSY.
    """

    def __init__(self, path: str, pragmas: Sequence[str], timeout: float) -> None:
        self._open = partial(Direct, path, pragmas)
        self._timeout = timeout
        self._executor = ThreadPoolExecutor(1, "sqlite-writer")
        self._waiting: list[_Waiting] = []
        self._running: asyncio.Future[Sequence[_Outcome]] | None = None
        self._connection: Direct | None = None  # the thread's own

    async def run(self, work: Work[T]) -> T:
        """What `work(connection)` returns, committed; what it raises, and nothing is done.

        It awaits nothing but the connection. If nobody waits for it any more as it ends, it is
        undone.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(work, future))
        if self._running is None:
            self._start()
        return await future

    async def close(self) -> None:
        """Close the file and end the thread, after all that waits."""
        while self._running is not None:
            await asyncio.wait([self._running])
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        self._executor.shutdown(wait=False)

    def _start(self) -> None:
        some, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(self._executor, self._together, some)
        self._running.add_done_callback(partial(self._tell, some))

    def _tell(self, some: Sequence[_Waiting], running: asyncio.Future[Sequence[_Outcome]]) -> None:
        self._running = None
        if self._waiting:
            self._start()
        for each, outcome in zip(some, running.result(), strict=True):
            if each.future.done():
                continue  # whoever waited was cancelled
            if outcome.error is None:
                each.future.set_result(outcome.value)
            else:
                each.future.set_exception(outcome.error)

    def _together(self, some: Sequence[_Waiting]) -> Sequence[_Outcome]:
        try:
            connection = self._connection = self._connection or self._open()
            connection.begin_writing(self._timeout)
            try:
                if len(some) == 1:
                    return [_alone(connection, some[0])]
                outcomes = [_outcome(connection, each) for each in some]
                connection.keep()
            finally:
                connection.undo()
        except Exception as error:  # noqa: BLE001 (it is raised where each of them is awaited)
            return [_Outcome(error=error)] * len(some)
        return outcomes

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _alone(connection: Direct, one: _Waiting) -> _Outcome:
    """What became of one that shares its commit with nobody; it is kept here."""
    if one.future.cancelled():
        return _Outcome()
    value = finished(one.work(connection))
    if not one.future.cancelled():
        connection.keep()
    return _Outcome(value)


def _outcome(connection: Direct, each: _Waiting) -> _Outcome:
    """What became of one of those that share a commit."""
    if each.future.cancelled():
        return _Outcome()
    connection.tell("SAVEPOINT one")
    try:
        outcome = _Outcome(finished(each.work(connection)))
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite has undone what the others did, too
        outcome = _Outcome(error=error)
    if outcome.error is not None or each.future.cancelled():
        connection.tell("ROLLBACK TO one")
    connection.tell("RELEASE one")
    return outcome
