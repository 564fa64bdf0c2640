"""Take what was written past the gateway into an edit: readers keep the commit, writers decide."""

import logging
from dataclasses import replace
from datetime import datetime

from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.errors import BucketNotVersioned, EntityTooLarge, InvalidManifest, NestedArtifact
from gateway.identity import Caller, Grants, Workspace
from gateway.services.lifecycle.committing import Committing
from gateway.services.lifecycle.drafting import Drafting, object_headers
from gateway.services.lifecycle.examining import AUTHOR, Examining
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.maintenance.finding import Finding, Kind
from gateway.storage.bucket import Bucket, ObjectHead
from gateway.storage.catalogue import Catalogue
from gateway.storage.stages import Stages

NOBODY = Caller(None, AUTHOR, Grants())
OUTSIDE = frozenset(
    (Kind.CHANGED_OUTSIDE, Kind.ADDED_OUTSIDE, Kind.REMOVED_OUTSIDE, Kind.MISSING_STAGE)
)

logger = logging.getLogger(__name__)


class Adopting:
    """Stages what is there, whoever put it; and ends edits in which nothing is."""

    def __init__(
        self,
        bucket: Bucket,
        catalogue: Catalogue,
        stages: Stages,
        examining: Examining,
        drafting: Drafting,
        committing: Committing,
        validating: Validating,
        versioning: Versioning,
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._stages = stages
        self._examining = examining
        self._drafting = drafting
        self._committing = committing
        self._validating = validating
        self._versioning = versioning

    async def adopt(
        self, workspace: Workspace, artifact: Artifact, finding: Finding, now: datetime
    ) -> bool:
        """Whether the finding is of a kind that is mended here."""
        if finding.kind is Kind.CHANGED_OUTSIDE and finding.path == MANIFEST:
            await self._stage_manifest(workspace, artifact, now)
        elif finding.kind in OUTSIDE:
            await self._stage(workspace, artifact, finding.path, now)
        elif finding.kind is Kind.EMPTY_MARK:
            _, intent = await self._stages.begin(artifact, MANIFEST, author=AUTHOR, now=now)
            await self._stages.drop(intent)
        else:
            return False
        return True

    async def _stage(
        self, workspace: Workspace, artifact: Artifact, path: str, now: datetime
    ) -> None:
        """Mark the artifact, then stage what the bucket holds at a path, or its absence."""
        artifact, intent = await self._stages.begin(artifact, path, author=AUTHOR, now=now)
        try:
            await self._examining.examine(workspace, intent, now)
        except Exception:
            await self._stages.drop(intent)
            raise

    async def _stage_manifest(
        self, workspace: Workspace, artifact: Artifact, now: datetime
    ) -> None:
        """Stage a manifest that was put at the plain key, and put the committed one there again.

        The committed one belongs there, and who put another one wanted it to be the next. What
        is no manifest stays as an older version of the key.
        """
        record = await self._catalogue.record(artifact, artifact.version)
        if record is None:
            return
        key = workspace.backend_key(join(artifact.prefix, MANIFEST))
        limit = self._validating.manifest_bytes
        try:
            held = await self._bucket.get(workspace.bucket, key, limit=limit)
            if held is not None:
                await self._draft(workspace, artifact, held, now)
        except (EntityTooLarge, InvalidManifest, NestedArtifact) as error:
            logger.warning("%s is no manifest that could be staged: %s", key, error.message)
            if not await self._versioning.kept(workspace):
                raise BucketNotVersioned(
                    f"{key!r} holds no manifest, and the bucket keeps no versions: it would be "
                    "lost; copy it elsewhere, and remove it",
                    key=key,
                ) from error
        whole = replace(record, staged_manifest=None)
        await self._committing.publish_manifest(workspace, artifact.id, whole)

    async def _draft(
        self,
        workspace: Workspace,
        artifact: Artifact,
        held: tuple[ObjectHead, bytes],
        now: datetime,
    ) -> None:
        head, data = held
        await self._drafting.stage(
            NOBODY,
            workspace,
            artifact.prefix,
            data,
            now=now,
            headers=object_headers(head.headers),
        )
