"""A journal's records on the disk: by a thread with a clock of its own, as long as it lives."""

import asyncio
import logging
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

from gateway.services.statistics.grouping import Grouped
from gateway.storage.journal import Journal

SYNC_SECONDS = 0.1

_log = logging.getLogger(__name__)


class _Waiter(Protocol):
    """What is told how a sync went; a Future is one."""

    def set_running_or_notify_cancel(self) -> bool:
        """Whether it still waits."""

    def set_result(self, result: None, /) -> None:
        """Tell it that the sync is done."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Tell it why not."""


class _Nobody:
    """Nobody waits: the clock has asked. A Future takes longer, and the event loop has to wait."""

    def set_running_or_notify_cancel(self) -> bool:
        """True."""
        return True

    def set_result(self, result: None, /) -> None:
        """Nothing."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Nothing."""


NOBODY = _Nobody()


class Syncing:
    """Syncs a journal a few times a second, and for whoever waits for it, until it is closed.

    The event loop has nothing to do with it but where somebody waits: to begin syncs there, and to
    hear of their ends, would cost as much as they do.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._grouped = Grouped(self._sync)
        self._turn = False
        self._asked: SimpleQueue[Future[None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="journal-sync", daemon=True)
        self._thread.start()

    async def done(self) -> None:
        """Return when what was appended before survives a power failure; OSError."""
        await self._grouped.done()

    async def turned(self) -> None:
        """As `done`, and what comes after is in a new file."""
        self._turn = True
        await self._grouped.done()

    def close(self) -> None:
        """End the thread, after what is under way."""
        self._asked.put(None)
        self._thread.join()

    async def _sync(self) -> None:
        self._journal.flush()
        if self._turn:
            self._turn = False
            self._journal.rotate(at_once=True)
        future = Future[None]()
        self._asked.put(future)
        await asyncio.wrap_future(future)

    def _work(self) -> None:
        """Sync until there is nothing to wait for; in the thread."""
        synced, fails = 0, False
        while True:
            asked: _Waiter | None
            try:
                asked = self._asked.get(timeout=SYNC_SECONDS)
            except Empty:
                if self._journal.end == synced:
                    continue
                asked = NOBODY
            if asked is None:
                return
            if not asked.set_running_or_notify_cancel():
                continue
            end = self._journal.end
            try:
                self._journal.sync()
            except OSError as error:
                if not fails:
                    _log.error("the journal of downloads does not get to the disk: %s", error)
                fails = True
                asked.set_exception(error)
            else:
                synced, fails = end, False
                asked.set_result(None)
                self._journal.prepare()
