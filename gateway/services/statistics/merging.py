"""From the journals of this host into the database; and which workers are dead."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from gateway.services.statistics.waiting import Part
from gateway.storage.batches import merged_files, read, unmerged
from gateway.storage.counters import SILENCE, Counters, Worker
from gateway.storage.tally import Tally, add_up
from gateway.storage.workers import WorkersFolder

LINES_AT_ONCE = 64
"""More different lines than these are added up in a thread."""

_log = logging.getLogger(__name__)


class Merging:
    """Merges journals: this worker's, those of living ones beside it, and those of dead ones.

    Any worker may merge any journal at any time: the database takes each batch once. `begin` is
    called as a merge of this worker's own begins, and says what of that journal is to be merged.
    """

    def __init__(
        self,
        counters: Counters,
        folder: WorkersFolder,
        worker_id: str,
        begin: Callable[[], Part],
    ) -> None:
        self._counters = counters
        self._folder = folder
        self._worker_id = worker_id
        self._begin = begin
        self._own = asyncio.Lock()
        self._offsets: dict[str, int] = {}

    def offset(self, worker_id: str) -> int:
        """How far a worker's journal is known to be merged, in bytes; it may be further."""
        return self._offsets.get(worker_id, 0)

    def behind(self) -> bool:
        """Whether a journal of this host holds what may not be merged yet."""
        return any(
            unmerged(self._folder.directory(worker_id), self.offset(worker_id)) > 0
            for worker_id in self._folder.workers()
        )

    def behind_others(self) -> bool:
        """As `behind`, of the journals of others than this worker."""
        return any(
            worker_id != self._worker_id
            and unmerged(self._folder.directory(worker_id), self.offset(worker_id)) > 0
            for worker_id in self._folder.workers()
        )

    async def register(self, now: datetime) -> None:
        """Tell the others that this worker lives."""
        row = Worker(self._worker_id, self._folder.host, now, self.offset(self._worker_id))
        await self._counters.register(row)
        self._offsets.setdefault(self._worker_id, 0)

    async def merge(self, worker_id: str) -> None:
        """Merge what a worker's journal holds now."""
        if worker_id == self._worker_id:
            async with self._own:
                part = self._begin()
                await self._merge_kept(part)
                await self._merge(worker_id, part.end)
            return
        if worker_id not in self._offsets:
            self._offsets[worker_id] = await self._counters.merged(worker_id) or 0
        offset = self.offset(worker_id)
        await self._merge(worker_id, offset + unmerged(self._folder.directory(worker_id), offset))

    async def _merge_kept(self, part: Part) -> None:
        """Merge a part of this worker's own journal, where memory has it."""
        if part.lines is None or part.start != self.offset(self._worker_id):
            return
        few = len(part.lines) <= LINES_AT_ONCE
        tally = add_up(part.lines) if few else await asyncio.to_thread(add_up, part.lines)
        if await self._counters.merge(self._worker_id, part.start, part.end, tally):
            self._offsets[self._worker_id] = part.end

    async def _merge(self, worker_id: str, end: int) -> None:
        # Downloads may be written down faster than they are merged: nothing behind `end` is.
        directory, offset = self._folder.directory(worker_id), self.offset(worker_id)
        while (
            offset < end
            and (batch := await asyncio.to_thread(_read, directory, offset, end)) is not None
        ):
            merged, tally = batch
            if await self._counters.merge(worker_id, offset, merged, tally):
                offset = merged
            else:
                # Somebody else was faster.
                known = await self._counters.merged(worker_id)
                if known is None or known == offset:
                    return
                offset = known
            self._offsets[worker_id] = offset

    async def merge_host(self) -> None:
        """Merge every journal of this host."""
        workers = self._folder.workers()
        for worker_id in workers:
            if unmerged(self._folder.directory(worker_id), self.offset(worker_id)) > 0:
                await self.merge(worker_id)
        self._offsets = {name: self.offset(name) for name in workers}

    async def trim(self) -> None:
        """Remove the files of this worker's journal that are merged for good."""
        directory = self._folder.directory(self._worker_id)
        files = merged_files(directory, self.offset(self._worker_id))
        if files:
            await self._counters.harden()
            for file in files:
                file.unlink(missing_ok=True)

    async def leave(self) -> None:
        """Remove this worker, its journal being closed; unless something can't be merged."""
        await self.merge(self._worker_id)
        await self._remove(self._worker_id)

    async def sweep(self) -> None:
        """Merge and remove the journals of this host's dead workers."""
        rows = await self._counters.workers()
        for worker_id in self._folder.workers():
            with self._folder.taking(worker_id) as taken:
                if taken:
                    await self._bury(worker_id)
        # The folder goes first: a row without one is what a crash between the two left.
        await self._counters.forget(
            [
                row.id
                for row in rows
                if row.host == self._folder.host and not self._folder.directory(row.id).exists()
            ]
        )

    async def dead_workers(self, now: datetime) -> set[str]:
        """The ids of workers that will do nothing more: what they began is free to be finished.

        Of this host: those whose lock is free. Of others: those not seen for 60 seconds.
        Besides: those that were removed, and left an intent.
        """
        dead = await self._counters.orphans()
        for row in await self._counters.workers():
            if row.host == self._folder.host:
                lives = self._folder.lives(row.id)
            else:
                lives = now - row.seen_at <= SILENCE
            if not lives:
                dead.add(row.id)
        return dead - {self._worker_id}

    async def _bury(self, worker_id: str) -> None:
        if await self._counters.merged(worker_id) is not None:
            await self.merge(worker_id)
            await self._remove(worker_id)
        elif size := unmerged(self._folder.directory(worker_id), 0):
            aside = self._folder.set_aside(worker_id)
            _log.warning(
                "a journal of %d bytes belongs to another database and was put aside: %s",
                size,
                aside,
            )
        else:
            self._folder.remove(worker_id)

    async def _remove(self, worker_id: str) -> None:
        await self._counters.harden()
        self._folder.remove(worker_id)
        await self._counters.forget([worker_id])
        self._offsets.pop(worker_id, None)


def _read(directory: Path, offset: int, end: int) -> tuple[int, Tally] | None:
    batch = read(directory, offset, end)
    return None if batch is None else (batch.end, add_up(batch.lines))
