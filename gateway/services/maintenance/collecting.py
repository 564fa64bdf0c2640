"""Find and remove backend versions that no commit pins and no stage needs: gc.

Keys are found in listings of versions, which some backends give incompletely; what may go is
decided key by key (`sweeping`). Nothing is begun before every record has been held against the
index (`confirming`).
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway.artifact.layout import STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.errors import InvalidArgument
from gateway.identity import Workspace
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.maintenance.confirming import Confirming, Disagreement
from gateway.services.maintenance.judging import is_live
from gateway.services.maintenance.sweeping import Garbage, Left, Sweeping, Task
from gateway.storage.bucket import BackendError, Bucket
from gateway.storage.claims import Claimants
from gateway.storage.inspection import Inspection

AT_LEAST = timedelta(hours=24)
AT_ONCE = 16
PAGE = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a workspace is: of `total` artifacts, so many were confirmed and walked."""

    confirmed: int
    walked: int
    total: int


Finding: TypeAlias = Garbage | Left | Progress


class Refused(Exception):
    """A workspace in which nothing was removed; the message says why, and what to do."""


class Collecting:
    """Walks the artifacts of workspaces, also those that were deleted."""

    def __init__(
        self,
        bucket: Bucket,
        inspection: Inspection,
        claimants: Claimants,
        confirming: Confirming,
        versioning: Versioning,
        sweeping: Sweeping,
    ) -> None:
        self._bucket = bucket
        self._inspection = inspection
        self._claimants = claimants
        self._confirming = confirming
        self._versioning = versioning
        self._sweeping = sweeping

    async def collect(
        self, workspace: Workspace, *, older_than: timedelta, delete: bool, now: datetime
    ) -> AsyncIterator[Finding]:
        """What nobody has needed in a workspace for `older_than`, removed only if so said.

        Nothing in a bucket that keeps no versions. InvalidArgument for an age below 24 hours;
        Refused, before anything is removed, where the index does not say what the records say.
        """
        if older_than < AT_LEAST:
            raise InvalidArgument(
                "gc removes nothing that was superseded within the last 24 hours, since requests "
                "under way may need it: ask for an age of 24h or more"
            )
        total = await self._inspection.count(workspace.id)
        try:
            if not await self._versioning.kept(workspace):
                return
            async for confirmed in self._confirming.confirm(workspace):
                yield Progress(confirmed, 0, max(total, confirmed))
        except Disagreement as error:
            raise Refused(
                f"{workspace.name}: {error}; nothing was removed there: run artifact-gateway fsck"
            ) from None
        except BackendError as error:
            raise Refused(f"{workspace.name}: {error}; nothing was removed there") from None
        task, after, walked = Task(workspace, now - older_than, delete), 0, 0
        while page := await self._claimants.page(workspace.id, after, PAGE):
            after = page[-1].id
            for artifact in page:
                async for found in self._walk(task, artifact):
                    yield found
                walked += 1
                yield Progress(total, walked, max(total, walked))

    async def _walk(self, task: Task, artifact: Artifact) -> AsyncIterator[Garbage | Left]:
        """What goes of one artifact, once round or, while a listing may have lost keys, again."""
        staged = join(artifact.prefix, STAGED_MANIFEST)
        if not artifact.version and not artifact.buried:
            # It was never committed: all else there is, or will be, an ordinary object's.
            for swept in await self._sweeping.sweep(task, artifact, staged):
                yield swept
            return
        again = True
        told: set[str] = set()
        while again:
            again = False
            met: set[int] = set()
            async for keys in self._keys(task.workspace, artifact, met):
                for swept in await self._sweep(task, artifact, keys):
                    # Where a page ends is another place when something before it has gone.
                    again = again or (task.delete and bool(met) and isinstance(swept, Garbage))
                    if isinstance(swept, Garbage) or swept.key not in told:
                        yield swept
                    told |= {swept.key} if isinstance(swept, Left) else set()

    async def _sweep(
        self, task: Task, artifact: Artifact, keys: Collection[str]
    ) -> list[Garbage | Left]:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(key: str) -> list[Garbage | Left]:
            async with slots:
                return await self._sweeping.sweep(task, artifact, key)

        swept = await asyncio.gather(*(one(key) for key in keys))
        return [each for found in swept for each in found]

    async def _keys(
        self, workspace: Workspace, artifact: Artifact, met: set[int]
    ) -> AsyncIterator[list[str]]:
        """The keys of an artifact that have old versions, some at a time.

        A listing of more than one page may have lost some on its way: then those follow that
        the index knows and that were not `met`, which holds hashes to stay small.
        """
        cut, folder = len(workspace.prefix), join(artifact.prefix, "") if artifact.prefix else ""
        shallow = artifact.collection and is_live(artifact)
        pages = self._bucket.version_pages(
            workspace.bucket, workspace.backend_key(folder), delimiter="/" if shallow else ""
        )
        several = False
        before: frozenset[str] = frozenset()
        async for page in pages:
            several = several or page.key_marker is not None
            old = {one.key[cut:] for one in page.versions if one.marker or not one.latest}
            if several:
                met.update(hash(one.key[cut:]) for one in page.versions)
            # A key whose versions go on in the next page has been looked at as a whole.
            yield sorted(old - before)
            before = frozenset(old)
        if several:
            async for keys in self._known(artifact, folder):
                yield [key for key in keys if hash(key) not in met]

    async def _known(self, artifact: Artifact, folder: str) -> AsyncIterator[list[str]]:
        after = ""
        while paths := await self._claimants.pinned_paths(artifact, after, PAGE):
            after = paths[-1]
            yield [folder + path for path in paths]
