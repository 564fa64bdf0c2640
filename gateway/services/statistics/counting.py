"""Downloads and views: counted before the first byte leaves, in the database within a second.

A download is one append to this worker's journal, which survives the process; a background
task merges it. So counting needs no database while a response is on its way, and none of
its time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self
from uuid import uuid4

from gateway.artifact.download import ANYBODY, Visit, is_download
from gateway.artifact.manifest import Stats as Counted
from gateway.config import Stats
from gateway.errors import GatewayError, ServiceUnavailable
from gateway.identity import Caller
from gateway.s3.message import Request
from gateway.services.statistics.grouping import Grouped
from gateway.services.statistics.merging import Merging
from gateway.services.statistics.recognising import Recognising
from gateway.services.statistics.syncing import Syncing
from gateway.services.statistics.today import Line, Today
from gateway.services.statistics.waiting import Part, Waiting
from gateway.storage import tally
from gateway.storage.counters import Counters
from gateway.storage.journal import Journal
from gateway.storage.workers import WorkersFolder

MERGE_SECONDS = 0.75
TEND_SECONDS = 0.5
SWEEP_SECONDS = 15.0
MOST_WAITING = 256 * 1_048_576
"""A gateway whose journal waits with more bytes than this reports that it is not ready."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """How counting fares: bytes of the journal that wait, and what stands in the way.

    `journal` and `database` say why the one can't be written and the other not reached, or
    are None. `lost` counts records that found no room on the disk and none in memory.
    """

    waiting: int
    journal: str | None
    database: str | None
    lost: int

    @property
    def ready(self) -> bool:
        """Whether downloads can be counted without loss."""
        return self.journal is None and self.waiting <= MOST_WAITING


class Counting:
    """Counts what this worker serves; `async with` it before the first request.

    `rules` are the configuration's. What was counted may be `unsettled`, with the durability
    "machine": its response is for after `settled`. `secret` is the gateway's. `visit` says who
    downloads, as far as the rules have to know, and `counts` whether a GET of a committed file that
    was answered so is a download by them; where a whole file is one whoever asks, it is `anybodys`.
    """

    def __init__(
        self,
        counters: Counters,
        folder: WorkersFolder,
        clock: Callable[[], datetime],
        rules: Stats,
        secret: bytes,
    ) -> None:
        self.worker_id = uuid4().hex
        self._counters = counters
        self._folder = folder
        self._clock = clock
        self._rules = rules
        self.unsettled = False
        self._waits = rules.durability == "machine"
        self.anybodys = not (rules.double_click_seconds or rules.exclude_robots)
        self.visit: Callable[[Caller, Request], Visit] = Recognising(
            secret, double_clicks=rules.double_click_seconds > 0, robots=rules.exclude_robots
        ).visit
        self.counts = partial(is_download, not_modified=rules.count_not_modified)
        self._merging = Merging(counters, folder, self.worker_id, self._begin_merge)
        self._merges = Grouped(self._merging.merge_host)
        self._today = Today(clock)
        self._trimmed = 0
        self._away: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._journal = Journal(self._folder.enter(self.worker_id))
        self._waiting = Waiting(self._journal)
        self._syncing = Syncing(self._journal)
        try:
            await self._merging.register(self._clock())
            await self._merging.sweep()
        except BaseException:
            self._syncing.close()
            self._journal.close()
            self._folder.leave(self.worker_id)
            raise
        self._tasks = [
            asyncio.create_task(self._repeat(work, seconds))
            for work, seconds in (
                (self._merge_own, MERGE_SECONDS),
                (self._tend, TEND_SECONDS),
                (self._keep_house, SWEEP_SECONDS),
            )
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._syncing.done()
            await self._merging.leave()
        except (GatewayError, OSError) as reason:
            _log.warning("the journal stays for the next start to merge: %s", reason)
        finally:
            self._syncing.close()
            self._journal.close()
            self._folder.leave(self.worker_id)

    def download(
        self,
        artifact_id: int,
        epoch: int,
        path: str,
        weight: int,
        visit: Visit = ANYBODY,
        *,
        size: int = 0,
    ) -> Line | None:
        """Count one download of a file that weighs `weight` millionths, in microseconds.

        Call it before the response's first byte. `epoch` is the artifact's as the request
        saw it: what it counts is dropped when `reset` comes between. `size` is how many bytes are
        sent, where all of them are at hand; else `sent` is told later. What comes back can be
        counted `again`; None where it depends on who downloads.
        """
        if visit.client is None:
            fields = artifact_id, epoch, path, weight, size
            line = self._today.lines.get(fields) or self._today.line(fields)
            self.again(line)
            return line
        now = self._clock()
        written = tally.click(artifact_id, epoch, path, weight, now, visit.client)
        written += tally.sent(artifact_id, epoch, path, size, now.date()) if size else b""
        self._journal.append(written)
        self._waiting.obscure()
        self.unsettled = self._waits
        return None

    def again(self, line: Line) -> bool:
        """Whether a download was counted like one before: not where that was on another day."""
        if line.day is not self._today.day:
            return False
        self._journal.append(line.written)
        self._waiting.repeat(line)
        self.unsettled = self._waits
        return True

    def sent(self, artifact_id: int, epoch: int, path: str, size: int) -> None:
        """Add `size` bytes that were sent of a file, at a response's end."""
        line = tally.sent(artifact_id, epoch, path, size, self._today.day)
        self._journal.append(line)
        self._waiting.lines[artifact_id, epoch][line] += 1

    def view(self, artifact_id: int, epoch: int) -> None:
        """Count one view of an artifact's committed manifest."""
        line = tally.view(artifact_id, epoch)
        self._journal.append(line)
        self._waiting.lines[artifact_id, epoch][line] += 1

    async def settled(self) -> None:
        """Return when what was counted so far survives what `durability` names.

        A disk that does not take it is `ServiceUnavailable`, with "machine" alone.
        """
        self.unsettled = False
        if not self._waits:
            return
        try:
            await self._syncing.done()
        except OSError as error:
            raise ServiceUnavailable("Downloads can't be recorded; try again.") from error

    async def merge_now(self) -> None:
        """Return when all that this host has counted is in the database."""
        if self._merging.behind():
            await self._merges.done()

    async def stats(self, artifact_id: int) -> Counted:
        """An artifact's counters, with all that this host has counted.

        What waits in this worker's own journal is added without being merged.
        """
        if self._journal.failure or self._merging.behind_others():
            await self._merges.done()
        told = await self._told(artifact_id)
        if told is None:
            await self._merges.done()
            # What was counted meanwhile is for the next who asks.
            told = (await self._counters.standing(artifact_id, self.worker_id)).stats
        return told

    async def _told(self, artifact_id: int) -> Counted | None:
        """The counters with what waits; None where that can't be told before it is merged."""
        while True:
            forgotten = self._waiting.forgotten
            standing = await self._counters.standing(artifact_id, self.worker_id)
            if forgotten == self._waiting.forgotten:
                break
        more = self._waiting.beyond((artifact_id, standing.epoch), standing.merged)
        if more is None:
            return None
        stats = standing.stats
        return Counted(stats.download_micros + more[0], stats.views + more[1])

    async def reset(self, artifact_id: int) -> None:
        """Set an artifact's counters to zero; what was under way does not come back."""
        await self._counters.reset(artifact_id)

    async def dead_workers(self, now: datetime) -> set[str]:
        """The ids of workers that will do nothing more, on any host."""
        return await self._merging.dead_workers(now)

    @property
    def state(self) -> State:
        """How counting fares now."""
        return State(
            waiting=self._journal.end - self._merging.offset(self.worker_id),
            journal=self._journal.failure,
            database=self._away,
            lost=self._journal.lost,
        )

    def _begin_merge(self) -> Part:
        """What is about to be merged of the journal."""
        self._waiting.forget(self._merging.offset(self.worker_id))
        return self._waiting.cut()

    async def _tend(self) -> None:
        """See to the day, and to the journal's files."""
        left = self._today.look()
        if left < TEND_SECONDS:
            asyncio.get_running_loop().call_later(left, self._today.look)
        self._journal.rotate()
        self._journal.flush()

    async def _merge_own(self) -> None:
        if self._journal.end > self._merging.offset(self.worker_id):
            await self._merging.merge(self.worker_id)
        self._waiting.forget(self._merging.offset(self.worker_id))
        # Only where a file has ended since is there one to be looked for.
        if self._trimmed < self._journal.turned_at <= self._merging.offset(self.worker_id):
            turned_at = self._journal.turned_at
            await self._merging.trim()
            self._trimmed = turned_at
        self._away = None

    async def _keep_house(self) -> None:
        await self._merging.register(self._clock())
        await self._merging.sweep()
        await self._counters.forget_clicks(self._clock())
        if self._rules.double_click_seconds:
            # What tells clients apart is merged in time, and then removed with its file.
            await self._syncing.turned()

    async def _repeat(self, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except GatewayError as error:
                self._away = error.message
            except OSError as error:
                _log.debug("the disk takes no journal: %s", error)  # the journal has said so once
            except Exception:  # noqa: BLE001 (what was not merged now is merged at a later try)
                _log.exception("a part of the counting failed")
