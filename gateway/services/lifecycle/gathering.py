"""Gather files that come in parts: uploads that `put_file` began, until their edit is over.

The backend keeps the parts of an upload until it is completed or aborted. So an intent is
written before one is begun, and the index knows each until nothing of it is left.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from gateway.artifact.layout import join
from gateway.artifact.lifecycle import Artifact
from gateway.errors import (
    BucketNotVersioned,
    EntityTooSmall,
    GatewayError,
    InvalidArgument,
    InvalidPart,
    InvalidPartOrder,
    NoSuchUpload,
    ServiceUnavailable,
)
from gateway.identity import Workspace
from gateway.s3.parts import Part, joined_etag
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.surveying import Surveying, bare
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.workspaces import Workspaces
from gateway.storage.bucket import BackendError, Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.endings import Endings
from gateway.storage.intents import Intent
from gateway.storage.multiparts import Multiparts
from gateway.storage.stages import Stages

logger = logging.getLogger(__name__)

# By how much the clocks of gateway and backend may differ.
CLOCKS = timedelta(minutes=1)
NAMED_AT_MOST = 100
CLIENT_ERROR = 400
SERVER_ERROR = 500
REFUSALS: Mapping[str, type[GatewayError]] = {
    refusal.code: refusal
    for refusal in (InvalidPart, InvalidPartOrder, EntityTooSmall, NoSuchUpload)
}


class Gathering:
    """Begins uploads in parts, completes them, and aborts those whose edit is over."""

    def __init__(  # noqa: PLR0913, PLR0917 (a file's whole way, from its first part to the stage)
        self,
        bucket: Bucket,
        workspaces: Workspaces,
        catalogue: Catalogue,
        multiparts: Multiparts,
        stages: Stages,
        endings: Endings,
        surveying: Surveying,
        versioning: Versioning,
        examining: Examining,
    ) -> None:
        self._bucket = bucket
        self._workspaces = workspaces
        self._catalogue = catalogue
        self._multiparts = multiparts
        self._stages = stages
        self._endings = endings
        self._surveying = surveying
        self._versioning = versioning
        self._examining = examining

    async def begin(
        self,
        workspace: Workspace,
        artifact: Artifact,
        path: str,
        headers: Mapping[str, str],
        now: datetime,
    ) -> str:
        """The id of an upload of `path` that ends with the edit; BucketNotVersioned.

        `headers` are the object's. InvalidArgument when the backend does not take them.
        """
        await self._check_versions(workspace, artifact, path)
        key = workspace.backend_key(join(artifact.prefix, path))
        intent = await self._multiparts.begin(artifact, path, now)
        try:
            upload_id = await self._bucket.create_upload(workspace.bucket, key, headers)
        except (BackendError, InvalidArgument) as error:
            await self._endings.finish(intent)
            raise InvalidArgument(f"no upload of {path!r} can begin: {error}", path=path) from error
        stage_id = artifact.stage.id if artifact.stage else ""
        await self._multiparts.begun(intent, upload_id, stage_id, now)
        return upload_id

    async def complete(
        self,
        workspace: Workspace,
        artifact: Artifact,
        path: str,
        upload_id: str,
        parts: Sequence[Part],
        *,
        author: str,
        now: datetime,
    ) -> None:
        """The file is staged, made of its parts; a repeat changes nothing.

        NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall.
        """
        _check_order(parts)
        upload = await self._multiparts.find(artifact, path, upload_id)
        if upload is None:
            raise _no_upload(artifact, path, upload_id)
        if upload.completed:
            return
        await self._check_versions(workspace, artifact, path)
        marked, intent = await self._stages.begin(artifact, path, author=author, now=now)
        # From here on nobody aborts it; who did before has been faster.
        if await self._multiparts.find(marked, path, upload_id) is None:
            await self._stages.drop(intent)
            raise _no_upload(artifact, path, upload_id)
        key = workspace.backend_key(join(artifact.prefix, path))
        try:
            await self._bucket.complete_upload(workspace.bucket, key, upload_id, parts)
        except BackendError as error:
            if not await self._is_there(workspace, artifact, path, parts, error):
                if CLIENT_ERROR <= error.status < SERVER_ERROR:
                    await self._stages.drop(intent)
                else:
                    await asyncio.shield(self._examining.attempt(workspace, intent))
                if error.code == InvalidPart.code:
                    await self._name_missing(workspace, key, path, upload_id, parts)
                raise _refusal(error, path, upload_id) from error
        except Exception:
            await asyncio.shield(self._examining.attempt(workspace, intent))
            raise
        await asyncio.shield(self._examining.attempt(workspace, intent))
        await self._multiparts.completed(upload)

    async def _name_missing(
        self, workspace: Workspace, key: str, path: str, upload_id: str, parts: Sequence[Part]
    ) -> None:
        """Say which parts the backend can't mean: InvalidPart; nothing where it has them all."""
        try:
            arrived = await self._bucket.parts(workspace.bucket, key, upload_id)
        except BackendError:
            return
        there = {(part.number, bare(part.etag)) for part in arrived}
        missing = [part.number for part in parts if (part.number, bare(part.etag)) not in there]
        if missing:
            named = ", ".join(map(str, missing[:NAMED_AT_MOST]))
            raise InvalidPart(
                f"{len(missing)} parts of {path!r} did not arrive, or with another ETag: {named}; "
                "put them, and list the ETag that each PUT answered",
                path=path,
                upload_id=upload_id,
                parts=missing,
            )

    async def _is_there(
        self,
        workspace: Workspace,
        artifact: Artifact,
        path: str,
        parts: Sequence[Part],
        error: BackendError,
    ) -> bool:
        """Whether an upload is not there any more because it was completed with these parts.

        So it is when the answer got lost, to whoever asked for it before.
        """
        if error.code != NoSuchUpload.code:
            return False
        head = await self._surveying.head(workspace, artifact, path)
        return head is not None and bare(head.etag) == joined_etag(parts)

    async def _check_versions(self, workspace: Workspace, artifact: Artifact, path: str) -> None:
        pin = await self._catalogue.pin(artifact.id, path) if artifact.version else None
        if not await self._versioning.ensure(workspace) and pin is not None:
            raise BucketNotVersioned(
                f"{path!r} is committed, and the bucket behind {workspace.name!r} keeps no "
                "versions: turn its versioning on first",
                path=path,
            )

    async def forgo(self, artifact: Artifact, path: str | None = None) -> bool:
        """End the uploads of a path, or of the whole edit; whether there were any."""
        if not await self._multiparts.forgo(artifact, path):
            return False
        await self.end(artifact.id)
        return True

    async def end_again(self, artifact: Artifact, path: str, upload_id: str, now: datetime) -> None:
        """Abort once more, after a part that was on its way meanwhile: it may have been kept."""
        await self._multiparts.remember(artifact, path, upload_id, now)
        await self.end(artifact.id)

    async def end(self, artifact_id: int | None = None) -> None:
        """Nothing is left of uploads, of one artifact or of all, whose edit is over.

        What can't be aborted now is found again by whoever looks next.
        """
        for upload in await self._multiparts.stale(artifact_id):
            workspace = await self._workspaces.with_id(upload.workspace_id)
            if workspace is not None and not upload.completed:
                key = workspace.backend_key(join(upload.prefix, upload.path))
                try:
                    await self._bucket.abort_upload(workspace.bucket, key, upload.upload_id)
                except ServiceUnavailable as error:
                    logger.warning("parts are to be removed when the backend answers: %s", error)
                    return
                except (GatewayError, BackendError) as error:
                    logger.warning("the parts of %r are to be removed later: %s", key, error)
                    continue
            await self._multiparts.forget(upload)

    async def finish(self, workspace: Workspace, artifact: Artifact, intent: Intent) -> None:
        """Abort the upload, if there is one, whose id an interrupted `begin` never learned.

        Nobody else did either. It is known by what it is not: an upload of the same key in the
        index, or one that was begun before. Safe to repeat.
        """
        since = await self._multiparts.since(intent)
        if since is None:
            return
        key = workspace.backend_key(join(artifact.prefix, intent.path))
        found = await self._bucket.uploads(workspace.bucket, key)
        # Asked after the listing: what is in it and known to nobody yet is somebody's intent.
        known = await self._multiparts.known(intent)
        if known is None:
            return
        for upload in found:
            if upload.upload_id not in known and upload.initiated >= since - CLOCKS:
                await self._bucket.abort_upload(workspace.bucket, key, upload.upload_id)
        await self._endings.finish(intent)


def _check_order(parts: Sequence[Part]) -> None:
    # Not every backend minds: SeaweedFS joins a part that is listed twice once.
    numbers = [part.number for part in parts]
    for before, after in pairwise(numbers):
        if after <= before:
            raise InvalidPartOrder(
                f"part {after} is listed after part {before}: list the parts by ascending number, "
                "each once",
                part_number=after,
            )


def _no_upload(artifact: Artifact, path: str, upload_id: str) -> NoSuchUpload:
    return NoSuchUpload(
        f"there is no upload {upload_id!r} of {path!r} in the open edit of {artifact.prefix!r}: "
        "ask put_file for a new one",
        path=path,
        upload_id=upload_id,
    )


def _refusal(error: BackendError, path: str, upload_id: str) -> Exception:
    """What a client is told of the backend's refusal to complete an upload."""
    refusal = REFUSALS.get(error.code)
    if refusal is not None:
        return refusal(f"{path!r}: {error.message}", path=path, upload_id=upload_id)
    if CLIENT_ERROR <= error.status < SERVER_ERROR:
        return error
    return ServiceUnavailable("the backend could not join the parts now; complete it again")
