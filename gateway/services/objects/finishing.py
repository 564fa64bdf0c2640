"""Finish what was begun with a workspace: make it and remove it, whoever began.

The database is asked first and told last. In between, a workspace's row says what is going on
and by whose hand: so whoever dies half-way leaves a row that tells what is left to do, and
nobody else sees the workspace meanwhile.

    make:    the name is free, no such bucket → row "making" → bucket → record → row finished
    remove:  empty → row "removing" → empty still → bucket gone → record gone → row gone
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from gateway.artifact.record import WorkspaceRecord
from gateway.errors import GatewayError, OperationAborted, PreconditionFailed
from gateway.services.statistics.counting import Counting
from gateway.storage.bucket import BackendError, Bucket
from gateway.storage.records import Records
from gateway.storage.registry import MAKING, Entry, Registry

PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.05

logger = logging.getLogger(__name__)


class Finishing:
    """The last steps of making and removing, and all that a dead worker left of them."""

    def __init__(
        self, registry: Registry, records: Records, bucket: Bucket, counting: Counting
    ) -> None:
        self._registry = registry
        self._records = records
        self._bucket = bucket
        self._counting = counting
        self._at_work: set[str] = set()

    @property
    def worker_id(self) -> str:
        """By whose hand this worker's entries are made and removed."""
        return self._counting.worker_id

    @contextmanager
    def working(self, entry_id: str) -> Iterator[None]:
        """While this lasts, nobody else finishes the entry."""
        self._at_work.add(entry_id)
        try:
            yield
        finally:
            self._at_work.discard(entry_id)

    async def made(self, entry: Entry) -> None:
        """Nothing; the workspace, whose bucket is there, can be used from here on."""
        place = (entry.name, entry.bucket, entry.prefix)
        record = WorkspaceRecord(entry.id, *place, entry.created_at, entry.created_by)
        try:
            await self._records.put_workspace(record)
        except PreconditionFailed:
            logger.debug("the record of %r was there", entry.name)  # it was put, and not heard of
        await self._registry.move(entry, "", None)

    async def kept(self, entry: Entry) -> None:
        """Nothing; the workspace, which was not removed, can be used again."""
        await self._registry.move(entry, "", None)

    async def removed(self, entry: Entry) -> None:
        """Nothing; of the workspace, whose bucket is gone, nothing is left. Its id is nobody's."""
        await self._records.remove_workspace(entry.id)
        await self._registry.forget(entry)

    async def is_taken(self, bucket: str) -> bool:
        """Whether the backend has such a bucket, whoever it belongs to."""
        try:
            return await self._bucket.bucket_exists(bucket)
        except BackendError:
            return True

    async def settled(self, name: str, now: datetime) -> Entry | None:
        """The workspace called `name` that was made at run time, if there is one.

        What is under way with it is waited for, what was left is finished: OperationAborted
        when that takes longer than 10 s.
        """
        entry = await self._ended(partial(self._registry.named, name), now)
        return None if entry is None or entry.configured else entry

    async def outlasts(self, workspace_id: str, now: datetime) -> bool:
        """Whether the workspace under this id is there, after what is under way with it.

        As `settled`; and never answered from what was known before the database went away.
        """
        return await self._ended(partial(self._registry.with_id, workspace_id), now) is not None

    async def _ended(
        self, look: Callable[[], Awaitable[Entry | None]], now: datetime
    ) -> Entry | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while True:
            entry = await look()
            if entry is None or entry.configured or not entry.unfinished:
                return entry
            if not await self._finish(entry, now):
                if loop.time() > deadline:
                    raise OperationAborted(
                        "this workspace is being made or removed at the moment: try again"
                    )
                await asyncio.sleep(POLL_SECONDS)

    async def recover(self, now: datetime) -> None:
        """Finish what was left of every workspace; what can't be is logged."""
        for entry in await self._registry.all():
            if entry.unfinished:
                try:
                    await self._finish(entry, now)
                except (BackendError, GatewayError) as error:
                    logger.warning("%s %r is not finished: %s", entry.unfinished, entry.name, error)

    async def _finish(self, entry: Entry, now: datetime) -> bool:
        """Whether an entry was left unfinished, and is finished now."""
        if not await self._is_left(entry, now):
            return False
        taken = await self._registry.move(entry, entry.unfinished, self.worker_id)
        if taken is None or entry.id in self._at_work:
            return False
        with self.working(entry.id):
            if taken.unfinished == MAKING:
                await self._finish_making(taken)
            else:
                await self._finish_removing(taken)
        return True

    async def _is_left(self, entry: Entry, now: datetime) -> bool:
        if entry.worker_id == self.worker_id:
            return entry.id not in self._at_work
        return entry.worker_id in await self._counting.dead_workers(now)

    async def _finish_making(self, entry: Entry) -> None:
        # There was no such bucket when the row was written: an empty one is the gateway's.
        try:
            there = await self._bucket.bucket_exists(entry.bucket)
            there = there and await self._bucket.is_empty(entry.bucket)
        except BackendError:
            there = False
        if there:
            await self.made(entry)
        else:
            await self._registry.forget(entry)

    async def _finish_removing(self, entry: Entry) -> None:
        # What may still be there was not removed: to remove it now would be another's wish.
        if await self.is_taken(entry.bucket):
            await self.kept(entry)
        else:
            await self.removed(entry)
