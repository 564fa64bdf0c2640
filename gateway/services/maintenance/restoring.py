"""Repairs between records and index: what stands in the one gets into the other."""

from dataclasses import replace
from datetime import datetime

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.errors import PreconditionFailed
from gateway.identity import Workspace
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.discarding import Discarding
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.weighing import Weighing
from gateway.services.maintenance.finding import Finding, Kind
from gateway.storage.catalogue import Catalogue
from gateway.storage.corrections import Corrections
from gateway.storage.endings import Endings
from gateway.storage.records import Records


class Restoring:
    """Completes what was interrupted; writes records, and corrects versions in the index."""

    def __init__(  # noqa: PLR0913, PLR0917 (what was interrupted is everybody's)
        self,
        catalogue: Catalogue,
        corrections: Corrections,
        endings: Endings,
        records: Records,
        committing: Committing,
        deleting: Deleting,
        discarding: Discarding,
        weighing: Weighing,
        validating: Validating,
    ) -> None:
        self._catalogue = catalogue
        self._corrections = corrections
        self._endings = endings
        self._records = records
        self._committing = committing
        self._deleting = deleting
        self._discarding = discarding
        self._weighing = weighing
        self._validating = validating

    async def restore(
        self, workspace: Workspace, artifact: Artifact, finding: Finding, now: datetime
    ) -> bool:
        """Whether the finding is of a kind that is mended here."""
        match finding.kind:
            case Kind.UNINDEXED_RECORD:
                await self._complete(workspace, artifact, finding.versions)
            case Kind.UNFINISHED_DELETE:
                await self._deleting.remove_files(workspace, artifact)
            case Kind.UNFINISHED_DISCARD:
                await self._discarding.discard(workspace, artifact, now=now)
            case Kind.MISSING_RECORD:
                await self._write(artifact, finding.versions)
            case Kind.DIFFERING_RECORD:
                await self._correct(workspace, artifact, finding.versions)
            case Kind.UNPUBLISHED_MANIFEST:
                await self._committing.complete(workspace, artifact.id, artifact.version)
            case Kind.UNKNOWN_WEIGHT:
                await self._weigh(workspace, artifact, finding.path, now)
            case Kind.LEFTOVER_STAGE:
                await self._take_stage_away(workspace, artifact)
            case _:
                return False
        return True

    async def _complete(
        self, workspace: Workspace, artifact: Artifact, numbers: tuple[int, ...]
    ) -> None:
        """Put records into the index that it does not have, one after the other."""
        for number in sorted(numbers):
            await self._committing.complete(workspace, artifact.id, number)
            buried = await self._catalogue.by_id(artifact.id)
            if buried is None or buried.unfinished != "deleting":
                continue
            if number == max(numbers):
                await self._deleting.remove_files(workspace, buried)
            else:
                # What lies there now is of the commits that came after.
                await self._endings.end_delete(artifact.id)

    async def _write(self, artifact: Artifact, numbers: tuple[int, ...]) -> None:
        """Write records again, as the index has them."""
        for number in numbers:
            record = await self._catalogue.record(artifact, number)
            if record is None:
                continue
            pins = tuple(pin for pin in record.pins if pin.path != MANIFEST)
            try:
                await self._records.put_record(replace(record, pins=pins))
            except PreconditionFailed:
                continue  # somebody was faster: the next look compares

    async def _correct(
        self, workspace: Workspace, artifact: Artifact, numbers: tuple[int, ...]
    ) -> None:
        """Make the index say what records do; a manifest that it did not have is published."""
        for number in numbers:
            record = await self._records.get_record(workspace.id, artifact.prefix, number)
            if record is None:
                continue
            fields = None
            if record.manifest is not None:
                fields = (await self._validating.parse(record.manifest.data)).fields
            await self._corrections.correct(artifact.id, record, fields)
            if number == artifact.version:
                await self._committing.complete(workspace, artifact.id, number)

    async def _weigh(
        self, workspace: Workspace, artifact: Artifact, path: str, now: datetime
    ) -> None:
        change = await self._records.get_weight(workspace.id, artifact.prefix, path)
        if change is not None and change.version == artifact.version:
            await self._weighing.weigh(workspace, artifact, path, change.weight, now=now)

    async def _take_stage_away(self, workspace: Workspace, artifact: Artifact) -> None:
        number = artifact.version
        record = await self._records.get_record(workspace.id, artifact.prefix, number)
        if record is not None:
            await self._committing.remove_consumed(workspace, record)
