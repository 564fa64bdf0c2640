"""A journal's records on the disk: in a thread that lives as long as the journal."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from gateway.services.statistics.grouping import Grouped
from gateway.storage.journal import Journal


class Syncing:
    """Syncs a journal, one sync at a time; the event loop's thread alone may use it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, "journal-sync")
        self._under_way: Future[None] | None = None
        self._grouped = Grouped(self._sync)
        self._synced = 0
        self._turn = False

    async def done(self) -> None:
        """Return when what was appended before survives a power failure; OSError."""
        await self._grouped.done()

    async def turned(self) -> None:
        """As `done`, and what comes after is in a new file."""
        self._turn = True
        await self._grouped.done()

    def begin(self) -> None:
        """Begin a sync that nobody waits for, unless there is nothing to do, or one is under way.

        Telling the event loop of its end would cost as much as the sync. OSError where the disk
        takes no records, or did not take the last sync; the next call begins another.
        """
        if self._under_way is not None:
            if not self._under_way.done():
                return
            former, self._under_way = self._under_way, None
            former.result()
        if self._journal.end > self._synced or self._journal.failure:
            self._start()

    def close(self) -> None:
        """End the thread, after what is under way."""
        self._thread.shutdown()

    async def _sync(self) -> None:
        while self._under_way is not None and not self._under_way.done():
            await asyncio.wait([asyncio.wrap_future(self._under_way)])
        await asyncio.wrap_future(self._start())

    def _start(self) -> Future[None]:
        self._journal.flush()
        self._journal.rotate(at_once=self._turn)
        self._turn = False
        self._journal.cool()
        self._under_way = self._thread.submit(self._run, self._journal.end)
        return self._under_way

    def _run(self, end: int) -> None:
        self._journal.sync()
        self._synced = end
