"""Receive manifests through the S3 door: whatever puts one of the two at its key."""

from datetime import datetime

from gateway.artifact.layout import Role
from gateway.artifact.lifecycle import Location
from gateway.errors import EntityTooLarge, InvalidManifest, NotStaged
from gateway.identity import Caller, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.services.lifecycle.drafting import Drafting, Put, object_headers
from gateway.services.lifecycle.validating import Validating
from gateway.services.objects.releasing import Releasing
from gateway.services.objects.staging import refuse_upload_of_manifest
from gateway.services.transfer.forwarding import Changes, Forwarding, Source
from gateway.services.transfer.payloads import read_payload
from gateway.storage.bucket import Bucket, StoredObject

OK = 200


class Receiving:
    """Tells manifests from ordinary files of that name, and stages or commits them."""

    def __init__(
        self,
        bucket: Bucket,
        forwarding: Forwarding,
        drafting: Drafting,
        releasing: Releasing,
        validating: Validating,
    ) -> None:
        self._bucket = bucket
        self._forwarding = forwarding
        self._drafting = drafting
        self._releasing = releasing
        self._validating = validating

    async def put(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        verified: Verified,
        source: Source | None,
        now: datetime,
    ) -> Reply:
        """The answer to what puts `manifest.yaml`: a commit, or the PUT of an ordinary file."""
        vacant = location.artifact is None
        if source is not None:
            if vacant and not await self._is_manifest(caller, location, None, source):
                changes = Changes(source=source)
                return await self._forwarding.forward(verified, workspace, changes)
            return await self._releasing.copy(
                caller, workspace, location, verified, source, now=now
            )
        plain = vacant and not location.above
        if plain and verified.payload.length > self._validating.manifest_bytes:
            return await self._forwarding.forward(verified, workspace)
        data = await self._read_manifest(verified)
        if vacant and not await self._is_manifest(caller, location, data, None):
            return await self._forwarding.forward(verified, workspace, Changes(body=data))
        return await self._releasing.put(caller, workspace, location, verified, data, now=now)

    async def _is_manifest(
        self, caller: Caller, location: Location, data: bytes | None, source: Source | None
    ) -> bool:
        """Whether bytes at a `manifest.yaml` that is no artifact's yet make it one.

        Below no collection a file of that name without a type is an ordinary one.
        """
        if any(above.collection for above in location.above):
            return True
        if data is None:
            data = await self._releasing.peek(source) if source is not None else None
        if data is None:
            return False
        try:
            await self._validating.parse(data, caller.name)
        except InvalidManifest:
            return False
        return True

    async def complete(
        self, caller: Caller, workspace: Workspace, location: Location, verified: Verified
    ) -> Reply:
        """The answer to a CompleteMultipartUpload onto a `manifest.yaml` that is no artifact's.

        What turns out to be a manifest is taken back: it would stand there uncommitted.
        InvalidManifest.
        """
        reply = await self._forwarding.forward(verified, workspace)
        if reply.status != OK:
            return reply
        if b"<Error" in await reply.whole():
            return reply  # S3 may fail after it said 200
        key = workspace.backend_key(location.key)
        version_id = reply.headers.get("x-amz-version-id")
        source = Source(workspace.bucket, key, version_id)
        try:
            whole = await self._is_manifest(caller, location, None, source)
        except InvalidManifest:
            whole = False  # too long for one
        if whole:
            await self._bucket.delete(workspace.bucket, key, version_id)
            refuse_upload_of_manifest(location)
        return reply

    async def stage(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        verified: Verified,
        source: Source | None,
        now: datetime,
    ) -> Reply:
        """The answer to what puts `_manifest.yaml`."""
        object_headers(verified.request.headers)
        if source is not None:
            data = await self._releasing.peek(source)
            if data is None:
                return await self._forwarding.forward(verified, workspace, Changes(source=source))
            changes = Changes(source=source)
        else:
            data = await self._read_manifest(verified)
            changes = Changes(body=data)
        answered: list[Reply] = []

        async def put() -> Put:
            reply = await self._forwarding.forward(verified, workspace, changes)
            if reply.status != OK:
                answered.append(reply)
                return Put(None)
            await reply.whole()
            answered.append(reply)
            etag = reply.headers.get("ETag") or "-"
            return Put(StoredObject(etag, reply.headers.get("x-amz-version-id")))

        prefix = location.place.prefix
        await self._drafting.stage_by(caller, workspace, prefix, data, put, now=now)
        return answered[0]

    async def _read_manifest(self, verified: Verified) -> bytes:
        try:
            return await read_payload(verified, self._validating.manifest_bytes)
        except EntityTooLarge as error:
            raise InvalidManifest(f"a manifest is held whole: {error.message}") from None


def refuse_parts(location: Location) -> None:
    """Return unless a key is a manifest's, which can't come in parts; InvalidManifest.

    In no artifact and below no collection, `manifest.yaml` may be any file, and `complete`
    sees when it is whole.
    """
    above = location.artifact is not None or any(each.collection for each in location.above)
    role = location.place.role
    if role is Role.STAGED_MANIFEST or (role is Role.MANIFEST and above):
        refuse_upload_of_manifest(location)


def refuse_old_url(location: Location, verified: Verified) -> None:
    """Return unless an upload URL names a stage, and its key is no artifact's file; NotStaged."""
    wanted = None if verified.own is None else verified.own.first("stage")
    there = location.artifact is not None and location.place.role is Role.FILE
    if wanted is not None and not there:
        raise NotStaged(
            f"the edit that this URL was made for has ended, and {location.key!r} is in no "
            "artifact now: ask put_file for a new URL",
            key=location.key,
        )
