"""Hold bucket, records and index against each other, and repair where that is wanted.

The gateway may run meanwhile. So nothing is believed at the first look: an artifact at which
somebody is, or that changes while it is looked at, is looked at again, and what seems wrong has
to be so twice. Memory holds a few artifacts at a time, whatever there is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from gateway.artifact.record import UnreadableRecord
from gateway.errors import GatewayError
from gateway.identity import Workspace
from gateway.services.lifecycle.recovering import Recovering
from gateway.services.maintenance.adopting import Adopting
from gateway.services.maintenance.comparing import Comparing
from gateway.services.maintenance.finding import Finding, Kind, Outcome
from gateway.services.maintenance.patrolling import Patrolling
from gateway.services.maintenance.restoring import Restoring
from gateway.services.maintenance.subject import Subject
from gateway.services.maintenance.tidying import Tidying
from gateway.services.statistics.counting import Counting
from gateway.storage.bucket import BackendError
from gateway.storage.catalogue import Catalogue
from gateway.storage.corrections import Corrections
from gateway.storage.inspection import Inspection, Snapshot
from gateway.storage.records import Records
from gateway.storage.shelves import Shelf, Shelves

AT_ONCE = 8
LOOKS = 20
PAUSE = 0.05
"""Between looks at what somebody is at; it grows to ten times that."""

DOUBT = 0.3
"""Before what seems wrong is looked at again."""

ROUNDS = 4
FAILURES = (GatewayError, BackendError, UnreadableRecord)


class Checking:
    """Checks workspaces, and the system area around them."""

    def __init__(  # noqa: PLR0913, PLR0917 (what is held against each other, and what mends it)
        self,
        catalogue: Catalogue,
        inspection: Inspection,
        records: Records,
        shelves: Shelves,
        corrections: Corrections,
        comparing: Comparing,
        patrolling: Patrolling,
        recovering: Recovering,
        restoring: Restoring,
        adopting: Adopting,
        tidying: Tidying,
        counting: Counting,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalogue = catalogue
        self._inspection = inspection
        self._records = records
        self._shelves = shelves
        self._corrections = corrections
        self._comparing = comparing
        self._patrolling = patrolling
        self._recovering = recovering
        self._restoring = restoring
        self._adopting = adopting
        self._tidying = tidying
        self._counting = counting
        self._clock = clock
        self.unsettled: list[str] = []
        """Artifacts that were written to all the time, so that nothing can be said of them."""

    async def count(self, workspaces: Sequence[Workspace]) -> int:
        """How many artifacts there are to check, as far as the index knows."""
        return sum([await self._inspection.count(workspace.id) for workspace in workspaces])

    async def check(
        self, workspace: Workspace, *, repair: bool, step: Callable[[], None]
    ) -> AsyncIterator[Outcome]:
        """What is wrong in a workspace, repaired or not; `step` is called for each artifact."""
        async for group in _grouped(self._subjects(workspace), AT_ONCE):
            checks = (self._check_artifact(each, repair=repair) for each in group)
            for outcomes in await asyncio.gather(*checks):
                step()
                for outcome in outcomes:
                    yield outcome
        async for suspicion in self._patrolling.patrol(workspace):
            around = await self._check_around(workspace, suspicion, repair=repair)
            if around is not None:
                yield around

    async def strangers(self) -> AsyncIterator[Outcome]:
        """What lies in the system area and belongs to no workspace."""
        async for suspicion in self._patrolling.strangers():
            outcome = await self._check_around(None, suspicion, repair=False)
            if outcome is not None:
                yield outcome

    async def _subjects(self, workspace: Workspace) -> AsyncIterator[Subject]:
        """Every artifact of which there is a record or a row, once."""
        nameless: set[str] = set()
        async for shelf in self._shelves.shelves(workspace.id):
            prefix = await self._prefix(workspace, shelf)
            if prefix is None:
                nameless.add(shelf.folder)
            else:
                yield Subject(workspace, prefix, frozenset(shelf.numbers))
        async for page in self._inspection.prefixes(workspace.id):
            for prefix in page:
                numbers = await self._records.numbers(workspace.id, prefix)
                folder = self._shelves.folder(workspace.id, prefix)
                if not numbers or folder in nameless:
                    nameless.discard(folder)
                    yield Subject(workspace, prefix, frozenset(numbers))
        for folder in sorted(nameless):
            yield Subject(workspace, folder, frozenset(), nameless=True)

    async def _prefix(self, workspace: Workspace, shelf: Shelf) -> str | None:
        """Whose records these are; None where none of them can be read."""
        for number in reversed(shelf.numbers):
            try:
                record = await self._shelves.record(workspace.id, shelf.folder, number)
            except UnreadableRecord:
                continue
            if record is not None:
                return record.prefix
        return None

    async def _check_artifact(self, subject: Subject, *, repair: bool) -> list[Outcome]:
        if subject.nameless:
            name = subject.workspace.name
            return [Outcome(Finding(Kind.UNREADABLE_RECORD, name, path=subject.prefix))]
        left = await self._certain(subject)
        if not repair or not left:
            return [Outcome(finding) for finding in left]
        seen: dict[Finding, str] = dict.fromkeys(left, "")
        for _ in range(ROUNDS):
            for finding in left:
                seen[finding] = await self._repair(subject, finding) if finding.repairable else ""
            now = await self._certain(subject)
            progress = set(now) != set(left)
            left = now
            seen |= {finding: "" for finding in left if finding not in seen}
            if not progress or not any(finding.repairable for finding in left):
                break
        return [
            Outcome(finding, repaired=finding not in left, failure=failure)
            for finding, failure in seen.items()
        ]

    async def _certain(self, subject: Subject) -> list[Finding]:
        """What is wrong with an artifact, seen twice."""
        first = await self._look(subject)
        if not first:
            return []
        await asyncio.sleep(DOUBT)
        second = await self._look(subject)
        return [finding for finding in second if finding in first]

    async def _look(self, subject: Subject) -> list[Finding]:
        """What is wrong with an artifact, seen while nobody was at it."""
        workspace, prefix = subject.workspace, subject.prefix
        for attempt in range(LOOKS):
            before = await self._inspection.snapshot(workspace.id, prefix)
            if not await self._is_busy(before):
                numbers = await self._records.numbers(workspace.id, prefix)
                now = Subject(workspace, prefix, frozenset(numbers))
                found = await self._comparing.compare(now, before)
                if await self._inspection.snapshot(workspace.id, prefix) == before:
                    return found
            await asyncio.sleep(PAUSE * min(attempt + 1, 10))
        self.unsettled.append(f"{workspace.name}/{prefix}")
        return []

    async def _is_busy(self, snapshot: Snapshot | None) -> bool:
        """Whether a worker that lives is at it; this one is not, between its repairs."""
        if snapshot is None or not snapshot.undertakings:
            return False
        idle = {self._counting.worker_id, *await self._counting.dead_workers(self._clock())}
        return any(each.worker_id not in idle for each in snapshot.undertakings)

    async def _repair(self, subject: Subject, finding: Finding) -> str:
        """Why a finding of an artifact could not be mended; "" where nothing went wrong."""
        workspace, now = subject.workspace, self._clock()
        try:
            artifact_id = await self._corrections.enter(workspace.id, subject.prefix)
            await self._recovering.recover(now, artifact_id=artifact_id)
            artifact = await self._catalogue.by_id(artifact_id)
            if artifact is not None and not await self._restoring.restore(
                workspace, artifact, finding, now
            ):
                await self._adopting.adopt(workspace, artifact, finding, now)
        except FAILURES as error:
            return str(error)
        return ""

    async def _check_around(
        self, workspace: Workspace | None, suspicion: Finding, *, repair: bool
    ) -> Outcome | None:
        """What became of a suspicion; None where it was none."""
        if not await self._patrolling.stands(workspace, suspicion):
            return None
        await asyncio.sleep(DOUBT)
        if not await self._patrolling.stands(workspace, suspicion):
            return None
        if not repair or workspace is None or not suspicion.repairable:
            return Outcome(suspicion)
        try:
            await self._tidying.tidy(workspace, suspicion, self._clock())
        except FAILURES as error:
            return Outcome(suspicion, failure=str(error))
        stands = await self._patrolling.stands(workspace, suspicion)
        return Outcome(suspicion, repaired=not stands)


async def _grouped(subjects: AsyncIterator[Subject], most: int) -> AsyncIterator[list[Subject]]:
    group: list[Subject] = []
    async for subject in subjects:
        group.append(subject)
        if len(group) == most:
            yield group
            group = []
    if group:
        yield group
