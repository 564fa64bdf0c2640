"""Make a stage the version that everybody reads.

The order is what makes it safe to be killed anywhere: an intent, the record (this is the
commit), the index (from here readers see it), the plain key. What was begun and not ended is
completed from the record by whoever meets it, never undone.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import Manifest
from gateway.artifact.version import ManifestObject, Record
from gateway.errors import CommitConflict, GatewayError, NotStaged, PreconditionFailed
from gateway.identity import Workspace
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.composing import Composing, Draft, Found
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.excluding import Excluding
from gateway.services.lifecycle.pinning import NO_WEIGHTS
from gateway.services.lifecycle.publishing import Publishing
from gateway.services.lifecycle.validating import Validating
from gateway.storage.bucket import BackendError, Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.commits import Commits
from gateway.storage.endings import Endings
from gateway.storage.intents import Intent
from gateway.storage.records import Records

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit's outcome: the version that is current now, and whether this made it."""

    artifact: Artifact
    record: Record
    new: bool


def _anything(record: Record) -> None:
    """Return: any record will do."""
    del record


class Committing(Publishing):
    """Commits, and completes commits that were interrupted."""

    def __init__(  # noqa: PLR0913, PLR0917 (what a commit touches)
        self,
        bucket: Bucket,
        catalogue: Catalogue,
        excluding: Excluding,
        endings: Endings,
        commits: Commits,
        records: Records,
        composing: Composing,
        validating: Validating,
        examining: Examining,
        arriving: Arriving,
    ) -> None:
        super().__init__(bucket, catalogue, commits)
        self._excluding = excluding
        self._endings = endings
        self._records = records
        self._composing = composing
        self._validating = validating
        self._examining = examining
        self._arriving = arriving

    async def commit(  # noqa: PLR0913 (who commits what, and on which terms)
        self,
        workspace: Workspace,
        artifact: Artifact,
        *,
        author: str,
        now: datetime,
        message: str | None = None,
        manifest: ManifestObject | None = None,
        weights: Mapping[str, int] = NO_WEIGHTS,
        after: Intent | None = None,
        check: Callable[[Record], None] = _anything,
    ) -> Committed:
        """The outcome of committing the stage, with `manifest` in the staged one's place.

        `weights` of paths, in millionths, hold whatever else speaks of them. It follows what
        `after` intends, and raises what `check` does of its record.
        CommitConflict when another commit came first; the stage stays as it was then, and on
        every other refusal.
        """
        # Before anything is looked at: what settles from here on stays staged until the end.
        number = artifact.number + 1
        intent = await self._excluding.begin_commit(artifact, number=number, now=now, after=after)
        try:
            if manifest is None:
                await self._check_open(artifact)
            draft = await self._composing.compose(
                workspace,
                artifact,
                author=author,
                message=message,
                now=now,
                manifest=manifest,
                weights=weights,
            )
            check(draft.record)
            if draft.manifest.collection and not artifact.collection:
                await self._arriving.adopt(workspace, artifact.prefix, draft.manifest, now)
        except Exception:
            await self._endings.finish(intent)
            raise
        record = draft.record
        if not draft.changed:
            committed = await self._leave_unchanged(workspace, artifact, draft)
            await self._examining.revisit(workspace, artifact.id)
            await self._endings.finish(intent)
            return committed
        await self._write_record(workspace, artifact, record, intent)
        await self._commits.publish(
            artifact.id, record, draft.manifest.fields, settled=draft.settled
        )
        await self._finish(workspace, artifact.id, record, intent)
        current = await self._catalogue.by_id(artifact.id)
        return Committed(current or artifact, record, new=True)

    async def _check_open(self, artifact: Artifact) -> None:
        """Return when there is still an edit to commit; NotStaged."""
        current = await self._catalogue.by_id(artifact.id)
        if current is None or current.stage is None:
            raise NotStaged(
                f"the edit of {artifact.prefix!r} has ended meanwhile: somebody committed or "
                "discarded it",
                prefix=artifact.prefix,
            )

    async def adopt(
        self,
        workspace: Workspace,
        artifact: Artifact,
        intent: Intent,
        found: Found,
        *,
        author: str,
        message: str,
        now: datetime,
    ) -> bool:
        """Whether what lies there was committed as it lies, as `intent` says; raises as `commit`.

        Where there is a version by now, somebody was faster.
        """
        if artifact.version:
            await self._endings.finish(intent)
            return False
        try:
            draft = await self._composing.compose(
                workspace, artifact, author=author, message=message, now=now, found=found
            )
        except Exception:
            await self._endings.finish(intent)
            raise
        await self._write_record(workspace, artifact, draft.record, intent)
        await self._commits.adopt(intent, draft.record, draft.manifest.fields, found.pin)
        return True

    async def _write_record(
        self, workspace: Workspace, artifact: Artifact, record: Record, intent: Intent
    ) -> None:
        """Put the record at its number, once and for all: this is the commit."""
        try:
            await self._records.put_record(record)
        except PreconditionFailed:
            await self.complete(workspace, artifact.id, record.number)
            await self._endings.finish(intent)
            raise CommitConflict(
                f"another commit of {artifact.prefix!r} came first and is version "
                f"{record.number}; the stage is as it was: look at it, and commit again",
                prefix=artifact.prefix,
                version=record.number,
            ) from None

    async def _finish(
        self, workspace: Workspace, artifact_id: int, record: Record, intent: Intent
    ) -> None:
        """Write the plain key; what fails here is done later, the commit stands."""
        try:
            await self.publish_manifest(workspace, artifact_id, record)
            await self._examining.revisit(workspace, artifact_id)
        except (GatewayError, BackendError):
            logger.exception(
                "version %d of %r is committed; its %s is to be written later",
                record.number,
                record.prefix,
                MANIFEST,
            )
            return
        await self._endings.finish(intent)

    async def _leave_unchanged(
        self, workspace: Workspace, artifact: Artifact, draft: Draft
    ) -> Committed:
        """End an edit that changed nothing: the plain keys are put right, no version is made."""
        record = draft.record
        key = workspace.backend_key(join(artifact.prefix, MANIFEST))
        last = await self._catalogue.record(artifact, artifact.version)
        if last is not None and await self._bucket.head(workspace.bucket, key) is None:
            await self._put_manifest(workspace, artifact.id, last)
        await self.remove_consumed(workspace, record)
        await self._commits.unchanged(artifact, record, settled=draft.settled)
        current = await self._catalogue.by_id(artifact.id)
        return Committed(current or artifact, last or record, new=False)

    async def complete(self, workspace: Workspace, artifact_id: int, number: int) -> bool:
        """Whether a record with this number stands; its commit or delete is in the index then."""
        artifact = await self._catalogue.by_id(artifact_id)
        if artifact is None:
            return False
        record = await self._records.get_record(workspace.id, artifact.prefix, number)
        if record is None:
            return False
        if record.manifest is None:
            await self._commits.bury(artifact_id, record)
            return True
        manifest: Manifest = await self._validating.parse(record.manifest.data, record.author)
        await self._commits.publish(artifact_id, record, manifest.fields)
        await self.publish_manifest(workspace, artifact_id, record)
        await self._examining.revisit(workspace, artifact_id)
        return True
