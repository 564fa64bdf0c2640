"""Hold one artifact's records, index and keys against each other, at a moment of quiet."""

from collections.abc import Collection, Iterable, Sequence

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST
from gateway.artifact.lifecycle import Artifact, State
from gateway.artifact.record import UnreadableRecord
from gateway.artifact.version import Pin, Record, StagedFile
from gateway.services.lifecycle.surveying import Survey, Surveying, bare
from gateway.services.maintenance.finding import Finding, Kind
from gateway.services.maintenance.subject import Subject
from gateway.storage.bucket import ListedObject
from gateway.storage.catalogue import Catalogue
from gateway.storage.inspection import Inspection, Snapshot, Span
from gateway.storage.intents import COMMIT, DELETE, DISCARD
from gateway.storage.shelves import Shelves

ALONE = frozenset(
    (
        Kind.UNFINISHED_DELETE,
        Kind.UNFINISHED_DISCARD,
        Kind.LEFTOVER_INTENT,
        Kind.DIFFERING_RECORD,
    )
)
"""The findings after which the keys can't be held against the index yet."""

EXPLAINED = {
    Kind.UNFINISHED_DELETE: DELETE,
    Kind.UNFINISHED_DISCARD: DISCARD,
    Kind.UNPUBLISHED_MANIFEST: COMMIT,
    Kind.LEFTOVER_STAGE: COMMIT,
}
"""The findings that an intent of the same artifact says nothing new to."""


class Comparing:
    """Compares. Nothing is written here."""

    def __init__(
        self,
        catalogue: Catalogue,
        inspection: Inspection,
        shelves: Shelves,
        surveying: Surveying,
    ) -> None:
        self._catalogue = catalogue
        self._inspection = inspection
        self._shelves = shelves
        self._surveying = surveying

    async def compare(self, subject: Subject, snapshot: Snapshot | None) -> list[Finding]:
        """What is wrong with an artifact at which nobody is.

        What was interrupted comes alone, and so does what the index has wrong: the rest can be
        told when that is mended.
        """
        artifact = None if snapshot is None else snapshot.artifact
        number = 0 if artifact is None else artifact.number
        ahead = [each for each in subject.numbers if each > number]
        if ahead:
            return [subject.finding(Kind.UNINDEXED_RECORD, versions=ahead)]
        if snapshot is None or artifact is None:
            return []
        found = [*self._interrupted(subject, snapshot)]
        if not found:
            found += await self._versions(subject, artifact)
        if not any(each.kind in ALONE for each in found):
            found += await self._keys(subject, snapshot)
        return found + _leftover(subject, snapshot, found)

    def _interrupted(self, subject: Subject, snapshot: Snapshot) -> Iterable[Finding]:
        artifact = snapshot.artifact
        if artifact.unfinished == "deleting":
            yield subject.finding(Kind.UNFINISHED_DELETE, versions=[artifact.buried])
        elif artifact.unfinished:
            yield subject.finding(Kind.UNFINISHED_DISCARD)
        for undertaking in snapshot.undertakings:
            if undertaking.intent.path:
                detail = undertaking.intent.action
                yield subject.finding(Kind.LEFTOVER_INTENT, undertaking.intent.path, detail=detail)

    async def _versions(self, subject: Subject, artifact: Artifact) -> list[Finding]:
        """Where the index and the records differ in what they say of versions."""
        indexed = await self._inspection.numbers(artifact.id)
        found = []
        gone = sorted(indexed - subject.numbers)
        if gone:
            found.append(subject.finding(Kind.MISSING_RECORD, versions=gone))
        weighed, unknown = await self._weights(subject, artifact)
        found += unknown
        for number in sorted(subject.numbers):
            try:
                record = await self.record(subject, number)
            except UnreadableRecord as error:
                folder = self._shelves.folder(subject.workspace.id, subject.prefix)
                key = f"{folder}{number:010d}"
                found.append(
                    subject.finding(Kind.UNREADABLE_RECORD, key, [number], detail=str(error))
                )
                continue
            if record is None:
                continue  # it went since it was listed: the next look tells
            known = await self._catalogue.record(artifact, number)
            differing = _difference(record, known, weighed)
            if differing:
                kind = Kind.DIFFERING_RECORD
                found.append(subject.finding(kind, versions=[number], detail=differing))
        return found

    async def record(self, subject: Subject, number: int) -> Record | None:
        """The record of this number; UnreadableRecord."""
        folder = self._shelves.folder(subject.workspace.id, subject.prefix)
        return await self._shelves.record(subject.workspace.id, folder, number)

    async def _weights(
        self, subject: Subject, artifact: Artifact
    ) -> tuple[set[str], list[Finding]]:
        """The paths whose weight was set since they were committed, and what the index missed."""
        paths, found = set(), []
        async for change in self._shelves.weights(subject.workspace.id, subject.prefix):
            paths.add(change.path)
            if not artifact.version or change.version != artifact.version:
                continue  # later records hold what became of it
            pin = await self._catalogue.pin(artifact.id, change.path)
            if pin is not None and pin.weight != change.weight:
                kind = Kind.UNKNOWN_WEIGHT
                found.append(subject.finding(kind, change.path, [change.version]))
        return paths, found

    async def _keys(self, subject: Subject, snapshot: Snapshot) -> list[Finding]:
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
            record = await self.record(subject, artifact.version)
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


def _difference(record: Record, known: Record | None, weighed: Collection[str]) -> str:
    """In what the index says something else than a record, in words; "" where it does not."""
    if known is None:
        return "the index lacks it"
    said = None if record.manifest is None else record.manifest.data
    if said != (None if known.manifest is None else known.manifest.data):
        return "manifest"
    pins = {pin.path: pin for pin in known.pins if pin.path != MANIFEST}
    wanted = {pin.path: pin for pin in record.pins}
    differing = [
        path
        for path in sorted(pins.keys() | wanted.keys())
        if not _same(wanted.get(path), pins.get(path), weighed=path in weighed)
    ]
    if not differing and record.manifest is not None:
        differing = [] if any(pin.path == MANIFEST for pin in known.pins) else [MANIFEST]
    if not differing:
        return ""
    return f"pins of {len(differing)} files, the first one {differing[0]}"


def _same(pin: Pin | None, known: Pin | None, *, weighed: bool) -> bool:
    if pin is None or known is None:
        return False
    return pin == (known.weighing(pin.weight) if weighed else known)


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


def _leftover(subject: Subject, snapshot: Snapshot, found: Sequence[Finding]) -> list[Finding]:
    """Dead workers' intents that no finding speaks of yet."""
    explained = {EXPLAINED[each.kind] for each in found if each.kind in EXPLAINED}
    return [
        subject.finding(Kind.LEFTOVER_INTENT, detail=each.intent.action)
        for each in snapshot.undertakings
        if not each.intent.path and each.intent.action not in explained
    ]
