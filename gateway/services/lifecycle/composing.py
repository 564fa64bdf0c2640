"""Make the next version out of a stage: its pins, checked against manifest and schema."""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import (
    Manifest,
    check_collection,
    collection_schema,
)
from gateway.artifact.version import ManifestObject, Pin, Record, StagedFile
from gateway.errors import (
    InvalidManifest,
    MissingFiles,
    NestedArtifact,
    NoSuchArtifact,
    SchemaViolation,
)
from gateway.identity import Workspace
from gateway.services.lifecycle.pinning import NO_WEIGHTS, Pinning, listed_weights
from gateway.services.lifecycle.surveying import Survey, Surveying
from gateway.services.lifecycle.validating import Validating
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue

NAMED_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """What a commit would record, before it has a number's record written.

    `settled` is what the index said was staged at paths that are pinned, and pinned otherwise:
    the bucket has been asked, so it is staged no longer, whatever it says.
    """

    record: Record
    manifest: Manifest
    changed: bool
    settled: tuple[StagedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What lay there before anybody committed it: its files, its manifest, and that one's pin.

    Who commits it has listed it already; the manifest stays where it lies.
    """

    survey: Survey
    manifest: ManifestObject
    pin: Pin


class Composing:
    """Turns what the bucket holds into a record. Nothing is written here."""

    def __init__(
        self,
        bucket: Bucket,
        catalogue: Catalogue,
        surveying: Surveying,
        validating: Validating,
        pinning: Pinning,
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._surveying = surveying
        self._validating = validating
        self._pinning = pinning

    async def compose(
        self,
        workspace: Workspace,
        artifact: Artifact,
        *,
        author: str,
        message: str | None,
        now: datetime,
        manifest: ManifestObject | None = None,
        weights: Mapping[str, int] = NO_WEIGHTS,
        found: Found | None = None,
    ) -> Draft:
        """The next version of `artifact`, `manifest` taking the place of the staged one.

        `weights` of paths, in millionths, hold whatever else speaks of them. With `found`, the
        version of what lies there; a staged manifest is none of it.
        NoSuchArtifact without any manifest, InvalidManifest, InvalidPath, NestedArtifact,
        MissingFiles, SchemaViolation.
        """
        if found is None:
            # Three looks at the same moment; a manifest seldom makes a collection of what was none.
            (chosen, consumed), survey, told = await asyncio.gather(
                self._manifest(workspace, artifact, manifest),
                self._surveying.survey(workspace, artifact),
                self._pinning.told_and_seen(workspace, artifact),
            )
        else:
            chosen, consumed, survey = found.manifest, None, found.survey
            told = await self._pinning.told(artifact)
        parsed = await self._validating.parse(chosen.data, author)
        if found is None and parsed.collection != artifact.collection:
            survey = await self._surveying.survey(workspace, _as_type(artifact, parsed))
        listed = await listed_weights(parsed.fields)
        told = told.beside(listed, weights)
        pins = await self._pinning.pins(
            workspace, artifact, survey, told, collection=parsed.collection
        )
        _check_files(artifact, pins, told.announced.keys() | listed.keys())
        await self.check_nesting(workspace, artifact.prefix, parsed)
        await self._check_schema(workspace, artifact.prefix, parsed, pins, author)
        record = Record(
            workspace_id=workspace.id,
            prefix=artifact.prefix,
            number=artifact.number + 1,
            parent=artifact.version,
            author=author,
            time=now,
            message=message,
            manifest=chosen,
            pins=tuple(pins.values()),
            staged_manifest=consumed,
            manifest_version=None if found is None else found.pin.version_id,
        )
        changed = await self._changes(artifact, record, told.pinned)
        return Draft(record, parsed, changed, _settled(told.staged, pins))

    async def _manifest(
        self, workspace: Workspace, artifact: Artifact, given: ManifestObject | None
    ) -> tuple[ManifestObject, str | None]:
        """The manifest to commit, and the `_manifest.yaml` that goes with it."""
        key = workspace.backend_key(join(artifact.prefix, STAGED_MANIFEST))
        limit = self._validating.manifest_bytes
        staged = await self._bucket.get(workspace.bucket, key, limit=limit)
        consumed = None if staged is None else staged[0].version_id or staged[0].etag
        if given is not None:
            return given, consumed
        if staged is not None:
            return ManifestObject(staged[1], staged[0].headers), consumed
        last = None
        if artifact.version:
            last = await self._catalogue.version(artifact, artifact.version)
        if last is None or last.manifest is None:
            raise NoSuchArtifact(
                f"there is no {STAGED_MANIFEST} under {artifact.prefix!r}: stage a manifest first",
                prefix=artifact.prefix,
            )
        return last.manifest, None

    async def check_nesting(self, workspace: Workspace, prefix: str, manifest: Manifest) -> None:
        """Return when an artifact with this manifest may be at `prefix`; NestedArtifact."""
        if prefix in ("", "public") and not manifest.collection:
            where = "the workspace's root" if not prefix else "'public'"
            raise NestedArtifact(
                f"{where} can only be a collection, not of type {manifest.type!r}", prefix=prefix
            )
        for above in await self._catalogue.above(workspace.id, prefix):
            if above.prefix != prefix and not above.collection:
                raise NestedArtifact(
                    f"{prefix!r} lies in the artifact {above.prefix!r}, which is no collection",
                    prefix=above.prefix,
                )
        if manifest.collection:
            return
        below = await self._catalogue.first_below(workspace.id, prefix)
        if below is not None:
            raise NestedArtifact(
                f"{prefix!r} holds other artifacts ({below.prefix!r}), so it can only be a "
                "collection: set type to collection, or delete them first",
                prefix=below.prefix,
            )

    async def _check_schema(
        self,
        workspace: Workspace,
        prefix: str,
        manifest: Manifest,
        pins: Mapping[str, Pin],
        author: str,
    ) -> None:
        if manifest.collection:
            check_collection(manifest.fields)
            own = collection_schema(manifest.fields)
            wrong = [] if own is None else await self._validating.check_schema(own, author)
            if wrong:
                raise InvalidManifest(
                    f"collection_schema is no valid JSON Schema: {wrong[0].message}",
                    violations=[{"pointer": v.pointer, "message": v.message} for v in wrong],
                )
        above = await self._catalogue.above(workspace.id, prefix)
        nearest = next(
            (a for a in above if a.prefix != prefix and a.collection and a.version), None
        )
        schema = None if nearest is None else collection_schema(nearest.fields or {})
        if nearest is None or schema is None:
            return
        found = await self._validating.violations(schema, manifest.fields, pins.values(), author)
        if found:
            said = "; ".join(f"{v.pointer or '/'}: {v.message}" for v in found[:NAMED_AT_MOST])
            raise SchemaViolation(
                f"ValidationError: {said} (schema of the collection {nearest.prefix!r})",
                prefix=prefix,
                collection=nearest.prefix,
                violations=[{"pointer": v.pointer, "message": v.message} for v in found],
            )

    async def _changes(self, artifact: Artifact, record: Record, pinned: Mapping[str, Pin]) -> bool:
        """Whether the record says anything that the current version does not."""
        if not artifact.version:
            return True
        last = await self._catalogue.version(artifact, artifact.version)
        if last is None or last.manifest is None or record.manifest is None:
            return True
        before = tuple(pin for path, pin in pinned.items() if path != MANIFEST)
        return last.manifest.data != record.manifest.data or before != record.pins


def _check_files(artifact: Artifact, pins: Mapping[str, Pin], wanted: AbstractSet[str]) -> None:
    """Return when every wanted file is pinned; MissingFiles."""
    missing = sorted(wanted - pins.keys())
    if missing:
        raise MissingFiles(
            f"{len(missing)} announced or listed files of {artifact.prefix!r} are not there: "
            f"{', '.join(missing[:NAMED_AT_MOST])}; upload them, or take them off the "
            "manifest's files",
            prefix=artifact.prefix,
            missing=missing,
        )


def _settled(staged: Mapping[str, StagedFile], pins: Mapping[str, Pin]) -> tuple[StagedFile, ...]:
    """What is staged no longer though a pin names another backend version than it does."""
    return tuple(
        file
        for path, file in staged.items()
        if path in pins and (file.removed or file.version_id != pins[path].version_id)
    )


def _as_type(artifact: Artifact, manifest: Manifest) -> Artifact:
    """The artifact as the manifest makes it: that decides which keys are its own."""
    return Artifact(
        artifact.id, artifact.workspace_id, artifact.prefix, collection=manifest.collection
    )
