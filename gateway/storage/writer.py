"""SQLite's writer: transactions run in a thread of its own, those that wait together.

A transaction is a handful of statements of microseconds; a hop to a thread for each would cost
many times what they do. So a whole transaction is one hop, and all that have come to wait while
others ran share the next hop, and its commit: each in a savepoint, so that what fails, or was
cancelled, is undone alone. One that nobody shares with needs none, for which SQLite would keep a
copy of each page that changes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread
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
        self._thread: Thread | None = None
        self._rounds: SimpleQueue[Sequence[_Waiting]] = SimpleQueue()
        self._waiting: list[_Waiting] = []
        self._running: asyncio.Future[None] | None = None
        self._closed = False
        self._connection: Direct | None = None  # the thread's own

    async def run(self, work: Work[T]) -> T:
        """What `work(connection)` returns, committed; what it raises, and nothing is done.

        It awaits nothing but the connection. If nobody waits for it any more as it ends, it is
        undone.
        """
        if self._closed:
            raise RuntimeError("the database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(work, future))
        if self._running is None:
            self._start()
        return await future

    async def close(self) -> None:
        """Close the file and end the thread, after all that waits."""
        while self._running is not None:
            await asyncio.wait([self._running])
        self._closed = True
        if self._thread is not None:
            self._rounds.put(())
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _start(self) -> None:
        if self._thread is None:
            # An executor's would do, but for what it makes of each call: locks, two futures, and
            # three turns of the event loop until who waits hears of it.
            self._thread = Thread(target=self._serve, name="sqlite-writer", daemon=True)
            self._thread.start()
        some, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        self._running = asyncio.get_running_loop().create_future()
        self._rounds.put(some)

    def _tell(self, some: Sequence[_Waiting], outcomes: Sequence[_Outcome]) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.set_result(None)
        if self._waiting:
            self._start()
        for each, outcome in zip(some, outcomes, strict=True):
            if each.future.done():
                continue  # whoever waited was cancelled
            if outcome.error is None:
                each.future.set_result(outcome.value)
            else:
                each.future.set_exception(outcome.error)

    def _serve(self) -> None:
        while self._goes_on(self._rounds.get()):  # nothing of a round is held until the next
            pass
        self._close()

    def _goes_on(self, some: Sequence[_Waiting]) -> bool:
        """Run what waits together; False where nothing does: then it is the end."""
        if some:
            outcomes = self._together(some)
            with suppress(RuntimeError):  # nobody waits any more in a loop that is closed
                some[0].future.get_loop().call_soon_threadsafe(self._tell, some, outcomes)
        return bool(some)

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
