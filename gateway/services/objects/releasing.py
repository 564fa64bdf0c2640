"""Commit through the S3 door: whatever puts `manifest.yaml` at its key."""

from datetime import datetime, timedelta

from multidict import CIMultiDict

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST
from gateway.artifact.lifecycle import Artifact, Location
from gateway.artifact.version import ManifestObject, Pin
from gateway.errors import EntityTooLarge, InvalidManifest, NoSuchKey, PreconditionFailed
from gateway.identity import Caller, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.s3.xml import render_copy
from gateway.services.enduring import Enduring
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.committing import Committed, Committing
from gateway.services.lifecycle.composing import Composing
from gateway.services.lifecycle.drafting import object_headers
from gateway.services.lifecycle.surveying import bare
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.services.transfer.forwarding import Source
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue
from gateway.storage.stages import Stages

REPEAT = timedelta(hours=1)
REPLACE = "REPLACE"


class Releasing:
    """Commits by PUT and by COPY of `manifest.yaml`."""

    def __init__(  # noqa: PLR0913, PLR0917 (what a commit touches)
        self,
        bucket: Bucket,
        catalogue: Catalogue,
        stages: Stages,
        versioning: Versioning,
        validating: Validating,
        composing: Composing,
        committing: Committing,
        arriving: Arriving,
        enduring: Enduring,
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._stages = stages
        self._versioning = versioning
        self._validating = validating
        self._composing = composing
        self._committing = committing
        self._arriving = arriving
        self._enduring = enduring

    async def put(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        verified: Verified,
        data: bytes,
        *,
        now: datetime,
    ) -> Reply:
        """The answer to a PUT of `manifest.yaml`: the commit of it with what is there."""
        await self._check_conditions(location, verified)
        headers = object_headers(verified.request.headers)
        manifest = ManifestObject(data, headers)
        committed = await self._commit(caller, workspace, location, manifest, now)
        pin = await self._manifest_pin(committed.artifact)
        return Reply(200, _object_headers(pin))

    async def copy(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        verified: Verified,
        source: Source,
        *,
        now: datetime,
    ) -> Reply:
        """The answer to a COPY onto `manifest.yaml`: a PUT of the source's bytes."""
        await self._check_conditions(location, verified)
        artifact = location.artifact
        own = self._is_own_stage(workspace, location, verified)
        if own and (artifact is None or not artifact.manifest_staged):
            return await self._repeat(caller, location, now)
        limit = self._validating.manifest_bytes
        found = await self._bucket.get(source.bucket, source.key, source.version_id, limit=limit)
        if found is None:
            raise NoSuchKey("the copy source is not there", key=location.key)
        head, data = found
        _check_source_conditions(verified, head.etag)
        headers = object_headers(head.headers)
        if verified.request.headers.get("x-amz-metadata-directive", "").upper() == REPLACE:
            headers = object_headers(verified.request.headers)
        manifest = ManifestObject(data, headers)
        committed = await self._commit(caller, workspace, location, manifest, now)
        return await self._copied(committed.artifact, head.version_id)

    async def peek(self, source: Source) -> bytes | None:
        """The bytes of a source that may be a manifest, None when nothing is there."""
        limit = self._validating.manifest_bytes
        try:
            found = await self._bucket.get(
                source.bucket, source.key, source.version_id, limit=limit
            )
        except EntityTooLarge as error:
            raise InvalidManifest(f"a manifest is held whole: {error.message}") from None
        return None if found is None else found[1]

    def _is_own_stage(self, workspace: Workspace, location: Location, verified: Verified) -> bool:
        """Whether the source is the artifact's own `_manifest.yaml`, at its newest."""
        source = verified.source
        if source is None or source.version_id is not None:
            return False
        prefix = location.key[: -len(MANIFEST)]
        wanted = (workspace.name, prefix + STAGED_MANIFEST)
        return (source.address.bucket, source.address.key) == wanted

    async def _repeat(self, caller: Caller, location: Location, now: datetime) -> Reply:
        """A client that missed the answer to its commit asks again: the same answer."""
        artifact = location.artifact
        if artifact is not None and artifact.version and artifact.stage is None:
            record = await self._catalogue.version(artifact, artifact.version)
            if record is not None and record.author == caller.name and now - record.time < REPEAT:
                return await self._copied(artifact, None)
        raise NoSuchKey(
            f"there is no {STAGED_MANIFEST} beside {location.key!r}: nothing is staged to commit",
            key=location.key.removesuffix(MANIFEST) + STAGED_MANIFEST,
        )

    async def _commit(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        manifest: ManifestObject,
        now: datetime,
    ) -> Committed:
        """Commit; where no artifact was before, it is one only if the commit succeeds."""
        return await self._enduring.finish(
            self._carry_out(caller, workspace, location, manifest, now)
        )

    async def _carry_out(
        self,
        caller: Caller,
        workspace: Workspace,
        location: Location,
        manifest: ManifestObject,
        now: datetime,
    ) -> Committed:
        await self._versioning.ensure(workspace)
        artifact = location.artifact
        if artifact is not None:
            return await self._committing.commit(
                workspace, artifact, author=caller.name, now=now, manifest=manifest
            )
        prefix = location.place.prefix
        parsed = await self._validating.parse(manifest.data, caller.name)
        await self._composing.check_nesting(workspace, prefix, parsed)
        artifact, intent = await self._stages.begin_new(
            workspace.id, prefix, MANIFEST, parsed.fields, author=caller.name, now=now
        )
        try:
            await self._arriving.adopt(workspace, prefix, parsed, now)
            return await self._committing.commit(
                workspace, artifact, author=caller.name, now=now, manifest=manifest
            )
        finally:
            await self._stages.drop(intent)

    async def _check_conditions(self, location: Location, verified: Verified) -> None:
        """Evaluate If-Match and If-None-Match against the `manifest.yaml` that writers see."""
        wanted = verified.request.headers.get("If-Match")
        refused = verified.request.headers.get("If-None-Match")
        if wanted is None and refused is None:
            return
        etag = await self._seen(location)
        if wanted is not None and not _names(wanted, etag):
            raise PreconditionFailed("If-Match does not hold for manifest.yaml", key=location.key)
        if refused is not None and _names(refused, etag):
            raise PreconditionFailed(
                "If-None-Match does not hold for manifest.yaml", key=location.key
            )

    async def _seen(self, location: Location) -> str | None:
        """The ETag of the `manifest.yaml` that writers see; None where they see none."""
        artifact = location.artifact
        if artifact is None or artifact.manifest_staged or not artifact.version:
            return None
        staged = (await self._catalogue.staged_files(artifact.id)).get(MANIFEST)
        removed = staged is not None and staged.removed
        return None if removed or location.pin is None else bare(location.pin.etag)

    async def _copied(self, artifact: Artifact, source_version: str | None) -> Reply:
        pin = await self._manifest_pin(artifact)
        headers = _object_headers(pin)
        if source_version is not None:
            headers["x-amz-copy-source-version-id"] = source_version
        headers.pop("ETag")
        headers["Content-Type"] = "application/xml"
        return Reply(200, headers, render_copy(pin.etag, pin.last_modified))

    async def _manifest_pin(self, artifact: Artifact) -> Pin:
        pin = await self._catalogue.pin(artifact.id, MANIFEST)
        if pin is None:
            raise NoSuchKey(f"{artifact.prefix!r} was deleted meanwhile", key=artifact.prefix)
        return pin


def _names(condition: str, etag: str | None) -> bool:
    return etag is not None and condition.strip() in ("*", f'"{etag}"', etag)


def _check_source_conditions(verified: Verified, etag: str) -> None:
    headers = verified.request.headers
    wanted = headers.get("x-amz-copy-source-if-match")
    refused = headers.get("x-amz-copy-source-if-none-match")
    if wanted is not None and bare(wanted.strip()) not in ("*", bare(etag)):
        raise PreconditionFailed("x-amz-copy-source-if-match does not hold")
    if refused is not None and bare(refused.strip()) in ("*", bare(etag)):
        raise PreconditionFailed("x-amz-copy-source-if-none-match does not hold")


def _object_headers(pin: Pin) -> CIMultiDict[str]:
    headers = CIMultiDict({"ETag": pin.etag})
    if pin.version_id is not None:
        headers["x-amz-version-id"] = pin.version_id
    return headers
