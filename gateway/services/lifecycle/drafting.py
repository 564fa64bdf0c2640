"""Stage manifests: `_manifest.yaml`, through the S3 door or RPC, kept byte for byte."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.artifact.layout import STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import Manifest
from gateway.errors import InvalidManifest, OperationAborted
from gateway.identity import Caller, Workspace
from gateway.services.enduring import Enduring
from gateway.services.lifecycle.arriving import Arriving
from gateway.services.lifecycle.composing import Composing
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.storage.bucket import Bucket, StoredObject
from gateway.storage.stages import StagedManifest, Stages

FORBIDDEN = ("x-amz-server-side-encryption-customer-algorithm",)
KEPT = (
    "cache-control",
    "content-disposition",
    "content-language",
    "content-type",
    "expires",
)
META = "x-amz-meta-"


@dataclass(frozen=True, slots=True)
class Put:
    """What storing a manifest brought: the object, or None where the backend refused."""

    stored: StoredObject | None


class Drafting:
    """Puts staged manifests."""

    def __init__(
        self,
        bucket: Bucket,
        stages: Stages,
        examining: Examining,
        versioning: Versioning,
        validating: Validating,
        composing: Composing,
        arriving: Arriving,
        enduring: Enduring,
    ) -> None:
        self._bucket = bucket
        self._stages = stages
        self._examining = examining
        self._versioning = versioning
        self._validating = validating
        self._composing = composing
        self._arriving = arriving
        self._enduring = enduring

    async def stage(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        data: bytes,
        *,
        now: datetime,
        headers: Mapping[str, str] | None = None,
    ) -> Artifact:
        """The artifact with `data` as its staged manifest; new if it was none before."""

        async def put() -> Put:
            key = workspace.backend_key(join(prefix, STAGED_MANIFEST))
            stored = await self._bucket.put(workspace.bucket, key, data, headers or {})
            return Put(stored)

        return await self.stage_by(caller, workspace, prefix, data, put, now=now)

    async def stage_by(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        data: bytes,
        put: Callable[[], Awaitable[Put]],
        *,
        now: datetime,
    ) -> Artifact:
        """As `stage`, with `put` doing the PUT of `_manifest.yaml` once the mark is set.

        InvalidManifest and NestedArtifact before anything is marked or stored.
        """
        manifest = await self._validating.parse(data, caller.name)
        await self._composing.check_nesting(workspace, prefix, manifest)
        await self._versioning.ensure(workspace)
        work = self._stage(caller, workspace, prefix, manifest, put, now=now)
        return await self._enduring.finish(work)

    async def _stage(
        self,
        caller: Caller,
        workspace: Workspace,
        prefix: str,
        manifest: Manifest,
        put: Callable[[], Awaitable[Put]],
        *,
        now: datetime,
    ) -> Artifact:
        artifact, intent = await self._stages.begin_new(
            workspace.id, prefix, STAGED_MANIFEST, manifest.fields, author=caller.name, now=now
        )
        try:
            await self._arriving.adopt(workspace, prefix, manifest, now)
            outcome = await put()
        except Exception:
            await self._examining.attempt(workspace, intent)
            raise
        stored = outcome.stored
        if stored is None:
            await self._stages.drop(intent)
            return artifact
        staged = StagedManifest(manifest.fields, stored.etag, stored.version_id)
        settled = await self._stages.settle_manifest(intent, staged, author=caller.name, now=now)
        if settled.buried > intent.number:
            key = workspace.backend_key(join(prefix, STAGED_MANIFEST))
            await self._bucket.delete(workspace.bucket, key, stored.version_id)
            raise OperationAborted(
                f"{prefix!r} was deleted meanwhile: its new manifest was taken back; put it again",
                prefix=prefix,
            )
        await self._examining.revisit(workspace, artifact.id)
        return settled


def object_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that are stored with a manifest, lower-cased.

    InvalidManifest for an encoding or a key of the client's own: nobody else could read it.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    if any(name in lowered for name in FORBIDDEN):
        raise InvalidManifest("a manifest can't be encrypted with a key of the client's own")
    encodings = [part.strip() for part in lowered.get("content-encoding", "").split(",")]
    if any(part not in ("", "aws-chunked") for part in encodings):
        raise InvalidManifest("a manifest is plain YAML or JSON: put it without Content-Encoding")
    kept = {name: value for name, value in lowered.items() if name in KEPT or name.startswith(META)}
    for name, value in kept.items():
        if not value.isprintable():
            raise InvalidManifest(
                f"the header {name} of a manifest holds what can't be stored: use printable "
                "UTF-8 text",
                header=name,
            )
    return kept
