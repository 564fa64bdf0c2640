"""Change an object: what that means is decided by the place of its key."""

import asyncio
from datetime import datetime

from gateway.artifact.layout import Role
from gateway.artifact.lifecycle import Artifact, Location
from gateway.errors import (
    AccessDenied,
    MethodNotAllowed,
    NotImplementedByGateway,
    NotStaged,
    OperationAborted,
)
from gateway.identity import Caller, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.s3.post import POST_OBJECT
from gateway.s3.xml import names_output_location
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.lifecycle.excluding import Excluding
from gateway.services.lifecycle.gathering import Gathering
from gateway.services.objects.receiving import Receiving, refuse_old_url, refuse_parts
from gateway.services.objects.seeing import Seeing
from gateway.services.objects.staging import Edit, Staging, check_stage
from gateway.services.transfer.forwarding import AS_IT_CAME, Changes, Forwarding, Source
from gateway.services.transfer.payloads import read_payload
from gateway.services.workspaces import Workspaces
from gateway.storage.catalogue import Catalogue

NO_CONTENT = 204
CLIENT_ERROR = 400
DELETING = "deleting"
RESTORE_OBJECT = "RestoreObject"
RESTORE_BYTES = 1 << 20


class Writing:
    """Ordinary objects pass; files and manifests of artifacts are staged, and commit."""

    def __init__(  # noqa: PLR0913, PLR0917 (a write is for whoever owns its key)
        self,
        workspaces: Workspaces,
        catalogue: Catalogue,
        forwarding: Forwarding,
        seeing: Seeing,
        staging: Staging,
        arriving: Arriving,
        receiving: Receiving,
        deleting: Deleting,
        gathering: Gathering,
        excluding: Excluding,
    ) -> None:
        self._workspaces = workspaces
        self._catalogue = catalogue
        self._forwarding = forwarding
        self._seeing = seeing
        self._staging = staging
        self._arriving = arriving
        self._receiving = receiving
        self._deleting = deleting
        self._gathering = gathering
        self._excluding = excluding

    async def write(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        """The answer to PUT, COPY, CompleteMultipartUpload or a form, by the key's place."""
        if verified.operation.name == POST_OBJECT:
            raise MethodNotAllowed("A POST to a bucket is a form: multipart/form-data.")
        location = await self._locate(workspace, verified.address.key, now)
        try:
            return await self._write(caller, workspace, location, verified, now)
        except OperationAborted:
            # It went between the look and the mark, and nothing of the body was read.
            again = await self._locate(workspace, verified.address.key, now)
            if again.artifact is not None:
                raise
            return await self._write(caller, workspace, again, verified, now)

    async def _write(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        verified: Verified,
        now: datetime,
    ) -> Reply:
        refuse_old_url(location, verified)
        role = location.place.role
        if verified.operation.name == "CompleteMultipartUpload":
            refuse_parts(location)
            if role is Role.MANIFEST:
                return await self._receiving.complete(caller, workspace, location, verified)
        source = None if verified.source is None else await self._source(caller, verified)
        if role is Role.MANIFEST:
            return await self._receiving.put(caller, workspace, location, verified, source, now)
        if role is Role.STAGED_MANIFEST:
            return await self._receiving.stage(caller, workspace, location, verified, source, now)
        if role is Role.FILE and location.artifact is not None:
            edit = Edit(caller, workspace, location, now)
            return await self._staging.write(edit, location.artifact, verified, source)
        if role is Role.ARRIVING:
            await self._arriving.arrive(workspace, location.place.prefix, now)
        changes = AS_IT_CAME if source is None else Changes(source=source)
        reply = await self._forwarding.forward(verified, workspace, changes)
        return await self._noticed(caller, workspace, verified, reply, now)

    async def _noticed(
        self, caller: Caller, workspace: Workspace, verified: Verified, reply: Reply, now: datetime
    ) -> Reply:
        """The reply to a write of what was no artifact's file, and may have become one meanwhile.

        Tools send a manifest and the files beside it at the same time. What came too late for
        the commit of the one is staged for the next.
        """
        if reply.status >= CLIENT_ERROR:
            return reply
        location = await self._locate(workspace, verified.address.key, now)
        if location.artifact is None or location.place.role is not Role.FILE:
            return reply
        written = reply.headers.get("x-amz-version-id")
        if written and location.pin is not None and location.pin.version_id == written:
            return reply  # in time: the commit has it
        edit = Edit(caller, workspace, location, now)
        return await self._staging.notice(edit, location.artifact, reply)

    async def delete(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        """The answer to the DELETE of one key, or of one version of it."""
        location = await self._locate(workspace, verified.address.key, now)
        artifact = location.artifact
        version_id = verified.query.first("versionId")
        if version_id is not None:
            await self._check_unpinned(workspace, location.key, version_id)
        role = location.place.role
        if artifact is None or role not in (Role.FILE, Role.MANIFEST, Role.STAGED_MANIFEST):
            return await self._forwarding.forward(verified, workspace)
        edit = Edit(caller, workspace, location, now)
        if role is Role.MANIFEST and not artifact.version:
            return Reply(NO_CONTENT)
        manifest = role is Role.STAGED_MANIFEST
        remove = self._staging.remove_manifest if manifest else self._staging.remove
        try:
            if version_id is None:
                return await remove(edit, artifact, verified)
            async with self._excluding.erasing(artifact, edit.path, now):
                # Again: a commit may have ended meanwhile.
                await self._check_unpinned(workspace, location.key, version_id)
                return await remove(edit, artifact, verified)
        except OperationAborted:
            # It went between the look and the mark; then the key is an ordinary object's.
            again = await self._locate(workspace, verified.address.key, now)
            if again.artifact is not None:
                raise
            return await self._forwarding.forward(verified, workspace)

    async def _check_unpinned(self, workspace: Workspace, key: str, version_id: str) -> None:
        """Return unless a commit, of whatever age, holds this version; AccessDenied."""
        # Some backends find the version of an object also under its key with a slash behind.
        if await self._catalogue.pinned(workspace.id, key.rstrip("/"), version_id) is not None:
            raise AccessDenied(
                f"version {version_id} of {key!r} belongs to a commit; only deleting the "
                "artifact, and then gc, removes it",
                key=key,
                versionId=version_id,
            )

    async def upload(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        """The answer to what makes or changes an upload in parts; no object changes by it.

        NotStaged for a part whose URL is of an edit that is over, or that ended meanwhile.
        """
        location = await self._locate(workspace, verified.address.key, now)
        _check_edit(location, verified)
        if verified.operation.name == "CreateMultipartUpload":
            refuse_parts(location)
        source = await self._source(caller, verified)
        reply = await self._forwarding.forward(verified, workspace, Changes(source=source))
        if verified.own is not None and location.artifact is not None:
            await self._check_kept(location, location.artifact, verified, now)
        return reply

    async def _check_kept(
        self, location: Location, artifact: Artifact, verified: Verified, now: datetime
    ) -> None:
        """A part that came while its edit ended is removed: NotStaged."""
        try:
            _check_edit(await self._catalogue.locate(artifact.workspace_id, location.key), verified)
        except NotStaged:
            upload_id = verified.query.first("uploadId") or ""
            path = location.place.path
            await asyncio.shield(self._gathering.end_again(artifact, path, upload_id, now))
            raise

    async def rename(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        """The answer to RenameObject: outside of artifacts alone."""
        location = await self._locate(workspace, verified.address.key, now)
        origin = verified.source
        if origin is None:
            return await self._forwarding.forward(verified, workspace)
        left = await self._locate(workspace, origin.address.key, now)
        if location.artifact is not None or left.artifact is not None:
            raise NotImplementedByGateway(
                "RenameObject in an artifact is not implemented: copy the object, then delete it",
                key=location.key,
            )
        source = await self._source(caller, verified)
        return await self._forwarding.forward(verified, workspace, Changes(source=source))

    async def alter(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        """The answer to what changes tags, locks and the like; versions of commits stay."""
        del caller, now
        version_id = verified.query.first("versionId")
        if verified.operation.method == "DELETE" and version_id is not None:
            await self._check_unpinned(workspace, verified.address.key, version_id)
        if verified.operation.name != RESTORE_OBJECT:
            return await self._forwarding.forward(verified, workspace)
        document = await read_payload(verified, RESTORE_BYTES)
        if names_output_location(document):
            raise AccessDenied("a restore that writes elsewhere is not for this door")
        return await self._forwarding.forward(verified, workspace, Changes(body=document))

    async def _source(self, caller: Caller, verified: Verified) -> Source | None:
        """The copy source as the caller may see it, in the backend's names."""
        source = verified.source
        if source is None:
            return None
        workspace = await self._workspaces.named(source.address.bucket)
        location = await self._catalogue.locate(workspace.id, source.address.key)
        sight = await self._seeing.source(caller, workspace, location, source.version_id)
        key = workspace.backend_key(source.address.key)
        return Source(workspace.bucket, key, sight.version_id, sight.etag)

    async def _locate(self, workspace: Workspace, key: str, now: datetime) -> Location:
        """Where the key is, after what was deleted around it has really gone."""
        location = await self._catalogue.locate(workspace.id, key)
        artifact: Artifact | None = location.artifact
        if artifact is not None and artifact.unfinished == DELETING:
            await self._deleting.end(workspace, artifact)
            return await self._catalogue.locate(workspace.id, key)
        del now
        return location


def _check_edit(location: Location, verified: Verified) -> None:
    """Return unless a URL was made for an edit that is not open; NotStaged."""
    refuse_old_url(location, verified)
    if location.artifact is not None:
        check_stage(location.artifact, verified)
