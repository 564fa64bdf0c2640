"""Make the next version out of a stage: its pins, checked against manifest and schema."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, check_path, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.manifest import (
    Manifest,
    check_collection,
    collection_schema,
    listed_files,
)
from gateway.artifact.value import Fields
from gateway.artifact.version import NULL_VERSION, ManifestObject, Pin, Record, StagedFile
from gateway.artifact.weights import parse_weight, resolve
from gateway.errors import (
    InvalidManifest,
    MissingFiles,
    NestedArtifact,
    NoSuchArtifact,
    SchemaViolation,
)
from gateway.identity import Workspace
from gateway.services.lifecycle.surveying import Survey, Surveying, bare
from gateway.services.lifecycle.validating import Validating
from gateway.services.lifecycle.versioning import Versioning
from gateway.storage.bucket import Bucket, ListedObject, ObjectHead
from gateway.storage.catalogue import Catalogue

WEIGHT = "download-weight"
NAMED_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """What a commit would record, before it has a number's record written.

    `settled` is what the index said was staged at the paths that are pinned: the bucket has
    been asked, so it is staged no longer, whatever it says.
    """

    record: Record
    manifest: Manifest
    changed: bool
    settled: tuple[StagedFile, ...] = ()


class Composing:
    """Turns what the bucket holds into a record. Nothing is written here."""

    def __init__(
        self,
        bucket: Bucket,
        catalogue: Catalogue,
        surveying: Surveying,
        validating: Validating,
        versioning: Versioning,
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._surveying = surveying
        self._validating = validating
        self._versioning = versioning

    async def compose(
        self,
        workspace: Workspace,
        artifact: Artifact,
        *,
        author: str,
        message: str | None,
        now: datetime,
        manifest: ManifestObject | None,
        weights: Mapping[str, int],
    ) -> Draft:
        """The next version of `artifact`, `manifest` taking the place of the staged one.

        `weights` of paths, in millionths, hold whatever else speaks of them.
        NoSuchArtifact without any manifest, InvalidManifest, InvalidPath, NestedArtifact,
        MissingFiles, SchemaViolation.
        """
        chosen, consumed = await self._manifest(workspace, artifact, manifest)
        parsed = await self._validating.parse(chosen.data)
        survey = await self._surveying.survey(workspace, _as_type(artifact, parsed))
        staged = await self._catalogue.staged_files(artifact.id)
        pins = await self._pins(workspace, artifact, survey, parsed, staged, weights)
        await self._check_files(artifact, parsed, pins)
        await self.check_nesting(workspace, artifact.prefix, parsed)
        await self._check_schema(workspace, artifact.prefix, parsed, pins)
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
        )
        settled = tuple(file for path, file in staged.items() if path in pins)
        return Draft(record, parsed, await self._changes(artifact, record), settled)

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
            last = await self._catalogue.record(artifact, artifact.version)
        if last is None or last.manifest is None:
            raise NoSuchArtifact(
                f"there is no {STAGED_MANIFEST} under {artifact.prefix!r}: stage a manifest first",
                prefix=artifact.prefix,
            )
        return last.manifest, None

    async def _pins(
        self,
        workspace: Workspace,
        artifact: Artifact,
        survey: Survey,
        manifest: Manifest,
        staged: Mapping[str, StagedFile],
        weights: Mapping[str, int],
    ) -> dict[str, Pin]:
        """A pin for every file that the bucket holds, each seen to exist."""
        for path in survey.files:
            check_path(path, collection=manifest.collection)
        previous = await self._catalogue.pins(artifact.id) if artifact.version else {}
        announced = await self._catalogue.announcements(artifact.id)
        before = await self._catalogue.by_id(artifact.id)
        listed = _new_weights(manifest.fields, before.fields if before and before.fields else {})
        known: dict[str, Pin | None] = {
            path: _known(item, path, staged.get(path), previous.get(path))
            for path, item in survey.files.items()
        }
        unsure = [path for path, pin in known.items() if pin is None]
        heads = await self._surveying.heads(workspace, artifact, unsure)
        await self._versioning.ensure(workspace)
        pins: dict[str, Pin] = {}
        for path, candidate in known.items():
            head = heads.get(path)
            pin = candidate or (None if head is None else _of_head(path, head))
            if pin is None:
                continue  # deleted since it was listed
            last = previous.get(path)
            file = staged.get(path)
            weight = (
                weights[path]
                if path in weights
                else resolve(
                    announced.get(path),
                    _metadata_weight(head) if head is not None else (file.weight if file else None),
                    listed.get(path),
                    last.weight if last else None,
                )
            )
            pin = replace(pin.weighing(weight), version_id=pin.version_id or NULL_VERSION)
            pins[path] = last if last is not None and _same(pin, last) else pin
        return pins

    async def _check_files(
        self, artifact: Artifact, manifest: Manifest, pins: Mapping[str, Pin]
    ) -> None:
        wanted = {item.path for item in listed_files(manifest.fields)}
        wanted |= set(await self._catalogue.announcements(artifact.id))
        missing = sorted(wanted - set(pins))
        if missing:
            raise MissingFiles(
                f"{len(missing)} announced or listed files of {artifact.prefix!r} are not there: "
                f"{', '.join(missing[:NAMED_AT_MOST])}; upload them, or take them off the "
                "manifest's files",
                prefix=artifact.prefix,
                missing=missing,
            )

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
        below = await self._catalogue.descendants(workspace.id, prefix)
        if below:
            raise NestedArtifact(
                f"{prefix!r} holds other artifacts ({below[0].prefix!r}), so it can only be a "
                "collection: set type to collection, or delete them first",
                prefix=below[0].prefix,
            )

    async def _check_schema(
        self, workspace: Workspace, prefix: str, manifest: Manifest, pins: Mapping[str, Pin]
    ) -> None:
        if manifest.collection:
            check_collection(manifest.fields)
            own = collection_schema(manifest.fields)
            wrong = [] if own is None else await self._validating.check_schema(own)
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
        found = await self._validating.violations(schema, manifest.fields, pins.values())
        if found:
            said = "; ".join(f"{v.pointer or '/'}: {v.message}" for v in found[:NAMED_AT_MOST])
            raise SchemaViolation(
                f"ValidationError: {said} (schema of the collection {nearest.prefix!r})",
                prefix=prefix,
                collection=nearest.prefix,
                violations=[{"pointer": v.pointer, "message": v.message} for v in found],
            )

    async def _changes(self, artifact: Artifact, record: Record) -> bool:
        """Whether the record says anything that the current version does not."""
        if not artifact.version:
            return True
        last = await self._catalogue.record(artifact, artifact.version)
        if last is None or last.manifest is None or record.manifest is None:
            return True
        pinned = tuple(pin for pin in last.pins if pin.path != MANIFEST)
        return last.manifest.data != record.manifest.data or pinned != record.pins


def _new_weights(fields: Fields, before: Fields) -> dict[str, int | None]:
    """The weights that a manifest brings: those that the one before did not have already.

    One that only stands there still must not undo what `set_download_weight` did since.
    """
    old = {item.path: item.weight for item in listed_files(before)}
    new = {item.path: item.weight for item in listed_files(fields)}
    return {path: weight for path, weight in new.items() if old.get(path) != weight}


def _as_type(artifact: Artifact, manifest: Manifest) -> Artifact:
    """The artifact as the manifest makes it: that decides which keys are its own."""
    return Artifact(
        artifact.id, artifact.workspace_id, artifact.prefix, collection=manifest.collection
    )


def _known(
    item: ListedObject, path: str, staged: StagedFile | None, previous: Pin | None
) -> Pin | None:
    """The pin of a listed object if the index knows its backend version; else None: ask."""
    if staged is not None:
        fits = not staged.removed and bare(staged.etag) == bare(item.etag)
        if not fits or staged.size not in (None, item.size) or staged.content_type is None:
            return None
        return Pin(
            path=path,
            size=item.size,
            etag=staged.etag or item.etag,
            version_id=staged.version_id,
            last_modified=item.last_modified,
            content_type=staged.content_type,
        )
    if previous is not None and bare(previous.etag) == bare(item.etag):
        return previous if previous.size == item.size else None
    return None


def _of_head(path: str, head: ObjectHead) -> Pin:
    return Pin(
        path=path,
        size=head.size,
        etag=head.etag,
        version_id=head.version_id,
        last_modified=head.last_modified,
        content_type=head.content_type,
    )


def _metadata_weight(head: ObjectHead) -> int | None:
    text = head.metadata.get(WEIGHT)
    return None if text is None else parse_weight(text)


def _same(pin: Pin, before: Pin) -> bool:
    """Whether a pin says of the file's content, type and weight what the one before says."""
    return (pin.size, bare(pin.etag), pin.content_type, pin.weight) == (
        before.size,
        bare(before.etag),
        before.content_type,
        before.weight,
    )
