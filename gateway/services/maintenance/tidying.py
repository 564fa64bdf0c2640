"""Repairs around artifacts: marks of directories, notes in the system area, versioning."""

from datetime import datetime

from gateway.errors import BucketNotVersioned
from gateway.identity import Workspace
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.maintenance.finding import Finding, Kind
from gateway.storage.announcements import Announcements
from gateway.storage.catalogue import Catalogue
from gateway.storage.corrections import Corrections
from gateway.storage.records import Records
from gateway.storage.shelves import Shelves


class Tidying:
    """Mends what `Patrolling` found."""

    def __init__(
        self,
        catalogue: Catalogue,
        corrections: Corrections,
        announcements: Announcements,
        records: Records,
        shelves: Shelves,
        arriving: Arriving,
        versioning: Versioning,
    ) -> None:
        self._catalogue = catalogue
        self._corrections = corrections
        self._announcements = announcements
        self._records = records
        self._shelves = shelves
        self._arriving = arriving
        self._versioning = versioning

    async def tidy(self, workspace: Workspace, finding: Finding, now: datetime) -> None:
        """Mend a finding that stands."""
        match finding.kind:
            case Kind.UNVERSIONED_BUCKET:
                await self._turn_versioning_on(workspace)
            case Kind.MISSING_ARRIVAL:
                await self._arriving.arrive(workspace, finding.prefix, now)
            case Kind.EMPTY_ARRIVAL:
                await self._corrections.forget_arrival(workspace.id, finding.prefix)
            case Kind.UNKNOWN_ANNOUNCEMENT:
                await self._announce(workspace, finding)
            case Kind.ORPHAN_NOTE:
                await self._withdraw(workspace, finding.prefix)
            case _:
                return

    async def _turn_versioning_on(self, workspace: Workspace) -> None:
        self._versioning.forget(workspace)
        if not await self._versioning.ensure(workspace):
            raise BucketNotVersioned(
                f"workspaces.{workspace.name}.versioning is false: turn the versioning of the "
                f"bucket {workspace.bucket} on yourself",
                bucket=workspace.bucket,
            )

    async def _announce(self, workspace: Workspace, finding: Finding) -> None:
        artifact = await self._catalogue.artifact(workspace.id, finding.prefix)
        if artifact is None:
            return
        async for note in self._shelves.announcements(workspace.id, finding.prefix):
            if note.path == finding.path:
                await self._announcements.announce(artifact, note.path, note.weight, note.time)

    async def _withdraw(self, workspace: Workspace, prefix: str) -> None:
        async for note in self._shelves.announcements(workspace.id, prefix):
            await self._records.withdraw(workspace.id, prefix, note.path)
        async for weight in self._shelves.weights(workspace.id, prefix):
            await self._records.remove_weight(workspace.id, prefix, weight.path)
