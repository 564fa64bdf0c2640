"""Change files of an artifact: the mark first, then the bytes, then what became of them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import Pin, StagedFile
from gateway.artifact.weights import parse_weight
from gateway.errors import BucketNotVersioned, InvalidManifest, NotStaged
from gateway.identity import Caller, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Body, Reply
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.pinning import WEIGHT
from gateway.services.lifecycle.surveying import bare
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.transfer.forwarding import Changes, Forwarding, Source
from gateway.services.transfer.payloads import close_body
from gateway.storage.intents import Intent
from gateway.storage.stages import Stages

NO_CONTENT = 204
CLIENT_ERROR = 400
SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one key in an artifact, by somebody, at a time."""

    caller: Caller
    workspace: Workspace
    location: Location
    now: datetime

    @property
    def path(self) -> str:
        """The key's path in its artifact."""
        return self.location.place.path


class Staging:
    """Writes and removals of an artifact's files, through the S3 door."""

    def __init__(
        self,
        stages: Stages,
        forwarding: Forwarding,
        examining: Examining,
        versioning: Versioning,
        deleting: Deleting,
    ) -> None:
        self._stages = stages
        self._forwarding = forwarding
        self._examining = examining
        self._versioning = versioning
        self._deleting = deleting

    async def write(
        self, edit: Edit, artifact: Artifact, verified: Verified, source: Source | None
    ) -> Reply:
        """The backend's answer to a write of a file, which is staged when it arrives."""
        check_stage(artifact, verified)
        weight = verified.request.headers.get(f"x-amz-meta-{WEIGHT}")
        micros = None if weight is None else parse_weight(weight)
        await self._check_versions(edit)
        artifact, intent = await self._begin(edit, artifact)
        reply = await self._forward(edit, intent, verified, source)
        if reply.status >= CLIENT_ERROR:
            await self._refused(edit, intent, reply.status)
            return reply
        if verified.operation.name != "PutObject":
            return await self._watch(edit, intent, reply)
        staged = StagedFile(
            path=edit.path,
            size=verified.payload.length,
            etag=reply.headers.get("ETag"),
            version_id=reply.headers.get("x-amz-version-id"),
            content_type=verified.request.headers.get("Content-Type") or None,
            weight=micros,
        )
        if _only_typed_by_backend(staged, edit.location.pin):
            await asyncio.shield(self._examining.attempt(edit.workspace, intent))
        else:
            await asyncio.shield(self._settle(edit, intent, staged))
        return reply

    async def notice(self, edit: Edit, artifact: Artifact, reply: Reply) -> Reply:
        """The answer to a write that is the artifact's now, though it began before that was one."""
        artifact, intent = await self._begin(edit, artifact)
        return await self._watch(edit, intent, reply)

    async def remove(self, edit: Edit, artifact: Artifact, verified: Verified) -> Reply:
        """The backend's answer to a DELETE of a file or of `manifest.yaml`: a staged removal."""
        await self._check_versions(edit)
        artifact, intent = await self._begin(edit, artifact)
        reply = await self._forward(edit, intent, verified, None)
        if reply.status >= CLIENT_ERROR:
            await self._refused(edit, intent, reply.status)
            return reply
        if verified.query.has("versionId"):
            await asyncio.shield(self._examining.examine(edit.workspace, intent, edit.now))
        else:
            staged = None
            if edit.location.pin is not None:
                marker = reply.headers.get("x-amz-version-id")
                staged = StagedFile(path=edit.path, removed=True, version_id=marker)
            await asyncio.shield(self._settle(edit, intent, staged))
        await self._delete_if_empty(edit, artifact)
        return reply

    async def remove_manifest(self, edit: Edit, artifact: Artifact, verified: Verified) -> Reply:
        """The answer to a DELETE of `_manifest.yaml`: the staged manifest goes."""
        if not artifact.manifest_staged and not verified.query.has("versionId"):
            return Reply(NO_CONTENT)
        artifact, intent = await self._begin(edit, artifact)
        reply = await self._forward(edit, intent, verified, None)
        if reply.status >= CLIENT_ERROR:
            await self._refused(edit, intent, reply.status)
            return reply
        await asyncio.shield(self._examining.examine(edit.workspace, intent, edit.now))
        await self._delete_if_empty(edit, artifact)
        return reply

    async def _begin(self, edit: Edit, artifact: Artifact) -> tuple[Artifact, Intent]:
        return await self._stages.begin(artifact, edit.path, author=edit.caller.name, now=edit.now)

    async def _check_versions(self, edit: Edit) -> None:
        """A pinned file may change only where its bucket keeps the pinned version."""
        if edit.location.pin is None:
            await self._versioning.ensure(edit.workspace)
            return
        if not await self._versioning.ensure(edit.workspace):
            raise BucketNotVersioned(
                f"{edit.location.key!r} is committed, and the bucket behind "
                f"{edit.workspace.name!r} keeps no versions: turn its versioning on first",
                key=edit.location.key,
            )

    async def _forward(
        self,
        edit: Edit,
        intent: Intent,
        verified: Verified,
        source: Source | None,
    ) -> Reply:
        """The backend's answer; whatever goes wrong, the bucket is asked what became of the key."""
        try:
            return await self._forwarding.forward(verified, edit.workspace, Changes(source=source))
        except Exception:
            await asyncio.shield(self._examining.attempt(edit.workspace, intent))
            raise
        except BaseException:
            self._examining.later(edit.workspace, intent)
            raise

    async def _refused(self, edit: Edit, intent: Intent, status: int) -> None:
        if status < SERVER_ERROR:
            await asyncio.shield(self._stages.drop(intent))
        else:
            await asyncio.shield(self._examining.attempt(edit.workspace, intent))

    async def _settle(self, edit: Edit, intent: Intent, staged: StagedFile | None) -> None:
        await self._stages.settle(intent, staged, author=edit.caller.name, now=edit.now)

    async def _watch(self, edit: Edit, intent: Intent, reply: Reply) -> Reply:
        """A reply that ends only when the index knows what the backend did.

        CopyObject and CompleteMultipartUpload answer 200 before they have succeeded, and
        white space meanwhile: that passes, the result waits.
        """
        if isinstance(reply.body, bytes):
            await asyncio.shield(self._examining.attempt(edit.workspace, intent))
            return reply
        return replace(reply, body=self._watched(edit, intent, reply.body))

    async def _watched(self, edit: Edit, intent: Intent, body: Body) -> AsyncIterator[bytes]:
        examined = False
        held = b""
        try:
            async for chunk in body:
                if held or b"<C" in chunk or b"<E" in chunk:
                    held += chunk
                else:
                    yield chunk
            await asyncio.shield(self._examining.attempt(edit.workspace, intent))
            examined = True
            yield held
        finally:
            if not examined:
                self._examining.later(edit.workspace, intent)
            await asyncio.shield(close_body(body))

    async def _delete_if_empty(self, edit: Edit, artifact: Artifact) -> None:
        if await self._stages.emptied(artifact):
            await self._deleting.delete_if_empty(
                edit.workspace, artifact.id, author=edit.caller.name, now=edit.now
            )


def _only_typed_by_backend(staged: StagedFile, pin: Pin | None) -> bool:
    """Whether the committed bytes came again without a type: only the backend knows which it is."""
    if pin is None or staged.content_type is not None:
        return False
    return (bare(staged.etag), staged.size) == (bare(pin.etag), pin.size)


def check_stage(artifact: Artifact, verified: Verified) -> None:
    """Return when an upload URL's stage is still open, or none is named; NotStaged."""
    wanted = verified.own.first("stage") if verified.own is not None else None
    if wanted is None:
        return
    if artifact.stage is None or artifact.stage.id != wanted:
        raise NotStaged(
            f"the edit of {artifact.prefix!r} that this URL was made for has ended: open one "
            "with edit, and ask put_file for a new URL",
            prefix=artifact.prefix,
        )


def refuse_upload_of_manifest(location: Location) -> None:
    """A manifest is held whole, so it can't come in parts: InvalidManifest."""
    if location.place.path in (MANIFEST, STAGED_MANIFEST):
        raise InvalidManifest(
            f"{location.key!r} is a manifest: put it in one request, not as a multipart upload",
            key=location.key,
        )
