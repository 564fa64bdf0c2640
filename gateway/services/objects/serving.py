"""Answer an S3 request: authorise it, then act by its operation's effect.

Every request of the S3 door takes this one path, so no operation can forget a check: the
right of its row first, then the rules of the key's place.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from gateway.artifact.layout import Role
from gateway.artifact.lifecycle import Artifact, Location
from gateway.errors import (
    AccessDenied,
    InvalidPath,
    MethodNotAllowed,
    NotImplementedByGateway,
    OperationAborted,
)
from gateway.identity import Caller, Right, Workspace
from gateway.s3.address import KeyRules
from gateway.s3.buckets import bucket_page
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.s3.operation import Effect
from gateway.s3.post import POST_OBJECT, Posted, answer_form
from gateway.s3.xml import names_output_location, render_buckets
from gateway.services.keys.access import Access
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.deleting import Deleting
from gateway.services.objects.configuring import Configuring
from gateway.services.objects.erasing import Erasing
from gateway.services.objects.exempting import Exempting
from gateway.services.objects.listing import Listings
from gateway.services.objects.posting import opened
from gateway.services.objects.provisioning import Provisioning
from gateway.services.objects.reading import Reading
from gateway.services.objects.receiving import Receiving, refuse_old_url, refuse_parts
from gateway.services.objects.seeing import Seeing
from gateway.services.objects.staging import Edit, Staging
from gateway.services.transfer.forwarding import Changes, Forwarding, Source
from gateway.services.transfer.payloads import read_payload
from gateway.services.workspaces import Workspaces
from gateway.storage.catalogue import Catalogue

OK = 200
NO_CONTENT = 204
DELETING = "deleting"
CREATE_BUCKET = "CreateBucket"
DELETE_BUCKET = "DeleteBucket"
RESTORE_OBJECT = "RestoreObject"
RESTORE_BYTES = 1 << 20

Act = Callable[[Caller, Workspace, Verified, datetime], Awaitable[Reply]]


class Serving:
    """The S3 door's rooms behind one door."""

    def __init__(  # noqa: PLR0913, PLR0917 (one for each effect)
        self,
        access: Access,
        workspaces: Workspaces,
        catalogue: Catalogue,
        forwarding: Forwarding,
        seeing: Seeing,
        reading: Reading,
        listings: Listings,
        staging: Staging,
        arriving: Arriving,
        receiving: Receiving,
        deleting: Deleting,
        erasing: Erasing,
        configuring: Configuring,
        provisioning: Provisioning,
        exempting: Exempting,
        keys: KeyRules,
    ) -> None:
        self._access = access
        self._workspaces = workspaces
        self._catalogue = catalogue
        self._forwarding = forwarding
        self._seeing = seeing
        self._reading = reading
        self._listings = listings
        self._staging = staging
        self._arriving = arriving
        self._receiving = receiving
        self._deleting = deleting
        self._erasing = erasing
        self._configuring = configuring
        self._provisioning = provisioning
        self._exempting = exempting
        self._keys = keys
        self._acts: dict[Effect, Act] = {
            Effect.LIST: self._list,
            Effect.READ_OBJECT: self._read,
            Effect.WRITE_OBJECT: self._write,
            Effect.ALTER_OBJECT: self._alter,
            Effect.RENAME_OBJECT: self._rename,
            Effect.DELETE_OBJECT: self._delete,
            Effect.DELETE_MANY: self._delete_many,
            Effect.READ_UPLOAD: self._pass,
            Effect.WRITE_UPLOAD: self._upload,
            Effect.BUCKET_READ: self._ask,
            Effect.BUCKET_WRITE: self._set,
        }

    async def answer(self, caller: Caller, verified: Verified, now: datetime) -> Reply:
        """The answer to a verified request; GatewayError for every refusal."""
        if verified.operation.effect is Effect.SERVICE:
            return await self._buckets(caller, verified)
        if verified.operation.name == CREATE_BUCKET:
            return await self._provisioning.create(caller, verified, now)
        if verified.operation.name == DELETE_BUCKET:
            return await self._provisioning.delete(caller, verified, now)
        workspace = await self._workspaces.named(verified.address.bucket)
        if verified.operation.effect is Effect.UNLISTED:
            return await self._exempting.pass_on(caller, workspace, verified)
        self._authorise(caller, workspace, verified)
        self._forwarding.check_known(verified.operation)
        if verified.posted is not None:
            return await self._post(caller, workspace, verified, verified.posted, now)
        return await self._acts[verified.operation.effect](caller, workspace, verified, now)

    def _authorise(self, caller: Caller, workspace: Workspace, verified: Verified) -> None:
        operation = verified.operation
        if operation.public and operation.right <= Right.READ:
            return  # reading and listing decide which right the key or the prefix needs
        self._access.require(caller, workspace, operation.right)
        if operation.dangerous and not workspace.backend_settings:
            raise AccessDenied(
                f"{operation.name} would open or change the backend behind the gateway's back; "
                "an operator can allow it by backend_settings of the workspace",
                workspace=workspace.name,
            )

    async def _buckets(self, caller: Caller, verified: Verified) -> Reply:
        if caller.anonymous:
            raise AccessDenied("listing workspaces needs credentials")
        seen = [
            (workspace.name, made)
            for workspace, made in await self._workspaces.all()
            if self._access.right_on(caller, workspace) >= Right.READ
        ]
        page = bucket_page(verified.query, seen)
        document = render_buckets(caller.name, page.buckets, prefix=page.prefix, token=page.token)
        reply = Reply(OK, body=document)
        reply.headers["Content-Type"] = "application/xml"
        return reply

    async def _pass(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del caller, now
        return await self._forwarding.forward(verified, workspace)

    async def _alter(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        version_id = verified.query.first("versionId")
        if verified.operation.method == "DELETE" and version_id is not None:
            await self._check_unpinned(workspace, verified.address.key, version_id)
        if verified.operation.name != RESTORE_OBJECT:
            return await self._pass(caller, workspace, verified, now)
        document = await read_payload(verified, RESTORE_BYTES)
        if names_output_location(document):
            raise AccessDenied("a restore that writes elsewhere is not for this door")
        return await self._forwarding.forward(verified, workspace, Changes(body=document))

    async def _list(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del now
        if verified.operation.name not in ("ListObjects", "ListObjectsV2"):
            return await self._listings.pass_on(workspace, verified)
        return await self._listings.list(caller, workspace, verified)

    async def _read(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del now
        location = await self._catalogue.locate(workspace.id, verified.address.key)
        return await self._reading.open(caller, workspace, location, verified)

    async def _post(
        self,
        caller: Caller,
        workspace: Workspace,
        verified: Verified,
        posted: Posted,
        now: datetime,
    ) -> Reply:
        reply = await self._write(caller, workspace, await opened(verified, posted), now)
        if reply.status != OK:
            return reply
        url = self._forwarding.url(verified, verified.address)
        return answer_form(posted, verified.address, url, reply)

    async def _write(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        if verified.operation.name == POST_OBJECT:
            raise MethodNotAllowed("A POST to a bucket is a form: multipart/form-data.")
        location = await self._locate(workspace, verified.address.key, now)
        refuse_old_url(location, verified)
        role = location.place.role
        if verified.operation.name == "CompleteMultipartUpload":
            refuse_parts(location)
            if role is Role.MANIFEST:
                return await self._receiving.complete(workspace, location, verified)
        source = await self._source(caller, verified)
        if role is Role.MANIFEST:
            return await self._receiving.put(caller, workspace, location, verified, source, now)
        if role is Role.STAGED_MANIFEST:
            return await self._receiving.stage(caller, workspace, location, verified, source, now)
        if role is Role.FILE and location.artifact is not None:
            edit = Edit(caller, workspace, location, now)
            return await self._staging.write(edit, location.artifact, verified, source)
        if role is Role.ARRIVING:
            await self._arriving.arrive(workspace, location.place.prefix)
        return await self._forwarding.forward(verified, workspace, Changes(source=source))

    async def _delete(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
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

    async def _delete_many(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        async def one(single: Verified) -> Reply:
            folded = replace(single.address, key=self._keys.fold(single.address.key))
            if self._keys.is_private(folded.key):
                raise InvalidPath("the backend keeps this key for itself", key=folded.key)
            return await self._delete(caller, workspace, replace(single, address=folded), now)

        return await self._erasing.delete_many(workspace, verified, one)

    async def _upload(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        location = await self._locate(workspace, verified.address.key, now)
        if verified.operation.name == "CreateMultipartUpload":
            refuse_parts(location)
        source = await self._source(caller, verified)
        return await self._forwarding.forward(verified, workspace, Changes(source=source))

    async def _rename(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
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

    async def _ask(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del caller, now
        return await self._configuring.read(workspace, verified)

    async def _set(
        self, caller: Caller, workspace: Workspace, verified: Verified, now: datetime
    ) -> Reply:
        del caller, now
        return await self._configuring.change(workspace, verified)

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
            await asyncio.shield(self._deleting.remove_files(workspace, artifact))
            return await self._catalogue.locate(workspace.id, key)
        del now
        return location
