"""Ascertain that a bucket holds what the index says is committed or staged in an artifact."""

from collections.abc import Collection, Iterable, Sequence

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST
from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.record import UnreadableRecord
from gateway.artifact.version import Pin, StagedFile
from gateway.services.lifecycle.surveying import Survey, Surveying, bare
from gateway.services.maintenance.finding import Finding, Kind
from gateway.services.maintenance.subject import Subject
from gateway.storage.bucket import ListedObject
from gateway.storage.inspection import Inspection, Snapshot, Span
from gateway.storage.shelves import Shelves


class Ascertaining:
    """Holds the index against the keys. Nothing is written here."""

    def __init__(self, inspection: Inspection, shelves: Shelves, surveying: Surveying) -> None:
        self._inspection = inspection
        self._shelves = shelves
        self._surveying = surveying

    async def ascertain(self, subject: Subject, snapshot: Snapshot) -> list[Finding]:
        """Where the bucket is not what the index says is committed or staged."""
        artifact = snapshot.artifact
        spans = await self._inspection.spans(artifact.id, since=artifact.buried)
        found, lost = await self._lost(subject, artifact, spans)
        if artifact.state is State.NOTHING:
            return found
        survey = await self._surveying.survey(subject.workspace, artifact)
        pins = {
            span.pin.path: span.pin
            for span in spans
            if span.until is None and span.pin.path not in lost
        }
        manifest = next((s for s in spans if s.until is None and s.pin.path == MANIFEST), None)
        removed = any(file.path == MANIFEST and file.removed for file in snapshot.staged)
        if manifest is not None and not manifest.published and not removed:
            kind = Kind.UNPUBLISHED_MANIFEST
            found.append(subject.finding(kind, MANIFEST, [artifact.version]))
            pins.pop(MANIFEST, None)
            lost.add(MANIFEST)
        else:
            found += await self._staged_manifest(subject, artifact, survey)
        staged = _unheld(subject, snapshot.staged, survey)
        outside = _outside(subject, survey, pins, lost) if artifact.version else []
        if artifact.stage is None:
            found += outside
        elif staged:
            found += staged
        elif not (artifact.manifest_staged or survey.staged_manifest):
            # What is there without being staged is the edit's all the same: a commit takes it.
            empty = not (artifact.version and (snapshot.staged or outside))
            found += [subject.finding(Kind.EMPTY_MARK)] if empty and not found else []
        return found

    async def _lost(
        self, subject: Subject, artifact: Artifact, spans: Sequence[Span]
    ) -> tuple[list[Finding], set[str]]:
        """What is lost, and the paths at which something of the current version is."""
        named = [span for span in spans if span.pin.version_id is not None]
        lost = await self._surveying.lost(subject.workspace, artifact, [span.pin for span in named])
        found, paths = [], set()
        for pin in lost:
            same = [
                span
                for span in named
                if (span.pin.path, span.pin.version_id) == (pin.path, pin.version_id)
            ]
            versions = {number for span in same for number in span.versions(artifact.version)}
            detail = f"version id {pin.version_id}, {pin.size} bytes"
            found.append(subject.finding(Kind.LOST_VERSION, pin.path, versions, detail))
            if any(span.until is None for span in same):
                paths.add(pin.path)
        return found, paths

    async def _staged_manifest(
        self, subject: Subject, artifact: Artifact, survey: Survey
    ) -> list[Finding]:
        """Whether `_manifest.yaml` is what the index says; one that was committed is left over."""
        stage, there = artifact.stage, survey.staged_manifest
        etag = None if stage is None else stage.etag
        if there is None:
            return [subject.finding(Kind.MISSING_STAGE, STAGED_MANIFEST)] if etag else []
        if etag is not None and bare(etag) == bare(there.etag):
            return []
        if artifact.version and await self._is_consumed(subject, artifact, there):
            return [subject.finding(Kind.LEFTOVER_STAGE, STAGED_MANIFEST, [artifact.version])]
        kind = Kind.CHANGED_OUTSIDE if etag else Kind.ADDED_OUTSIDE
        return [subject.finding(kind, STAGED_MANIFEST)]

    async def _is_consumed(self, subject: Subject, artifact: Artifact, there: ListedObject) -> bool:
        try:
            record = await self._shelves.numbered(
                subject.workspace.id, subject.prefix, artifact.version
            )
        except UnreadableRecord:
            return False
        consumed = None if record is None else record.staged_manifest
        if consumed is None:
            return False
        head = await self._surveying.head(subject.workspace, artifact, STAGED_MANIFEST)
        if head is None:
            return False
        if head.version_id is None:
            return bare(consumed) == bare(there.etag)
        versions = await self._surveying.versions(subject.workspace, artifact, STAGED_MANIFEST)
        identities = [version.version_id for version in versions]
        # It, or an older one that its removal left: nothing was staged after it.
        return identities[:1] == [consumed]


def _differs(item: ListedObject, size: int | None, etag: str | None) -> bool:
    return (etag is not None and bare(etag) != bare(item.etag)) or size not in (None, item.size)


def _unheld(subject: Subject, staged: Iterable[StagedFile], survey: Survey) -> list[Finding]:
    """What is staged, and is not so in the bucket."""
    found = []
    for file in staged:
        there = survey.manifest if file.path == MANIFEST else survey.files.get(file.path)
        if file.removed:
            wrong = there is not None
        else:
            wrong = there is None or _differs(there, file.size, file.etag)
        if wrong:
            found.append(subject.finding(Kind.MISSING_STAGE, file.path))
    return found


def _outside(
    subject: Subject, survey: Survey, pins: dict[str, Pin], apart: Collection[str]
) -> list[Finding]:
    """Where the plain keys are not the pinned ones; the paths in `apart` are another matter."""
    held = dict(survey.files)
    if survey.manifest is not None:
        held[MANIFEST] = survey.manifest
    found = []
    for path in sorted(held.keys() | pins.keys()):
        item, pin = held.get(path), pins.get(path)
        if path in apart:
            continue
        if item is None:
            found.append(subject.finding(Kind.REMOVED_OUTSIDE, path))
        elif pin is None:
            found.append(subject.finding(Kind.ADDED_OUTSIDE, path))
        elif _differs(item, pin.size, pin.etag):
            found.append(subject.finding(Kind.CHANGED_OUTSIDE, path))
    return found
