"""Ask the bucket what became of a key, and record that."""

import asyncio
import logging
from collections.abc import Collection
from datetime import UTC, datetime

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import StagedFile
from gateway.artifact.weights import parse_weight
from gateway.errors import GatewayError
from gateway.identity import Workspace
from gateway.services.lifecycle.pinning import WEIGHT
from gateway.services.lifecycle.surveying import Surveying
from gateway.services.lifecycle.validating import Validating
from gateway.storage.bucket import BackendError, ObjectHead
from gateway.storage.catalogue import Catalogue
from gateway.storage.intents import Intent
from gateway.storage.stages import StagedManifest, Stages

logger = logging.getLogger(__name__)

AUTHOR = "gateway"
RETRY_SECONDS = 5.0
CLOSE_SECONDS = 2.0


class Examining:
    """Settles intents by what the bucket holds."""

    def __init__(
        self,
        catalogue: Catalogue,
        stages: Stages,
        surveying: Surveying,
        validating: Validating,
    ) -> None:
        self._catalogue = catalogue
        self._stages = stages
        self._surveying = surveying
        self._validating = validating
        self._tasks: set[asyncio.Task[None]] = set()

    async def examine(
        self,
        workspace: Workspace,
        intent: Intent,
        now: datetime,
        replaced: Collection[str] = (),
    ) -> None:
        """Settle the intent by what the bucket now holds at its key; safe to repeat.

        `replaced` are versions of it that the same edit wrote before what is there now.
        """
        artifact = await self._catalogue.by_id(intent.artifact_id)
        if artifact is None:
            return
        if intent.path == STAGED_MANIFEST:
            manifest = await self._staged_manifest(workspace, artifact)
            await self._stages.settle_manifest(intent, manifest, author=AUTHOR, now=now)
            return
        pin = await self._catalogue.pin(artifact.id, intent.path) if artifact.version else None
        head = await self._surveying.head(workspace, artifact, intent.path)
        staged: StagedFile | None = None
        if head is not None and intent.path != MANIFEST:
            staged = StagedFile(
                path=intent.path,
                size=head.size,
                etag=head.etag,
                version_id=head.version_id,
                content_type=head.content_type,
                weight=stored_weight(head),
            )
        elif head is None and pin is not None:
            staged = StagedFile(path=intent.path, removed=True)
        await self._stages.settle(intent, staged, author=AUTHOR, now=now, replaced=replaced)

    async def revisit(self, workspace: Workspace, artifact_id: int) -> None:
        """Forget a staged manifest that the bucket no longer holds.

        A commit, or a discard, may take a `_manifest.yaml` before its PUT has been settled. So
        both look here: who settled after it was taken, and who took it after it was settled.
        """
        artifact = await self._catalogue.by_id(artifact_id)
        stage = None if artifact is None else artifact.stage
        if artifact is None or stage is None or not stage.has_manifest:
            return
        try:
            head = await self._surveying.head(
                workspace, artifact, STAGED_MANIFEST, stage.version_id
            )
        except (GatewayError, BackendError) as error:
            logger.warning("whether %r is staged is unknown: %s", artifact.prefix, error)
            return
        if head is None:
            await self._stages.forget_manifest(artifact)

    async def attempt(self, workspace: Workspace, intent: Intent) -> None:
        """Examine; where even that fails, it is tried again in the background."""
        try:
            await self.examine(workspace, intent, datetime.now(UTC))
        except (GatewayError, BackendError) as error:
            logger.warning("what became of %r is to be examined later: %s", intent.path, error)
            self.later(workspace, intent, RETRY_SECONDS)

    def later(self, workspace: Workspace, intent: Intent, delay: float = 0.0) -> None:
        """Attempt it in the background: the caller is being cancelled, or the backend is away."""

        async def work() -> None:
            await asyncio.sleep(delay)
            await self.attempt(workspace, intent)

        task = asyncio.get_running_loop().create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give what is under way a moment; an intent that is left is the next worker's."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()

    async def _staged_manifest(
        self, workspace: Workspace, artifact: Artifact
    ) -> StagedManifest | None:
        limit = self._validating.manifest_bytes
        found = await self._surveying.manifest(workspace, artifact, limit)
        if found is None:
            return None
        head, data = found
        parsed = await self._validating.parse(data)
        return StagedManifest(parsed.fields, head.etag, head.version_id)


def stored_weight(head: ObjectHead) -> int | None:
    """The weight in an object's metadata, in millionths; None where it has none, or no weight."""
    text = head.metadata.get(WEIGHT)
    try:
        return None if text is None else parse_weight(text)
    except GatewayError:
        return None
