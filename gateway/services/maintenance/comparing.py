"""Hold one artifact's records and index against each other, at a moment of quiet."""

from collections.abc import Collection, Iterable, Sequence

from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.record import UnreadableRecord
from gateway.artifact.version import Pin, Record
from gateway.services.maintenance.ascertaining import Ascertaining
from gateway.services.maintenance.finding import Finding, Kind
from gateway.services.maintenance.subject import Subject
from gateway.storage.catalogue import Catalogue
from gateway.storage.inspection import Inspection, Snapshot
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
        ascertaining: Ascertaining,
    ) -> None:
        self._catalogue = catalogue
        self._inspection = inspection
        self._shelves = shelves
        self._ascertaining = ascertaining

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
            found += await self._ascertaining.ascertain(subject, snapshot)
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
        workspace_id = subject.workspace.id
        indexed = await self._inspection.numbers(artifact.id)
        found = []
        gone = sorted(indexed - subject.numbers)
        if gone:
            found.append(subject.finding(Kind.MISSING_RECORD, versions=gone))
        weighed, unknown = await self._weights(subject, artifact)
        found += unknown
        for number in sorted(subject.numbers):
            try:
                record = await self._shelves.numbered(workspace_id, subject.prefix, number)
            except UnreadableRecord as error:
                folder = self._shelves.folder(workspace_id, subject.prefix)
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


def _leftover(subject: Subject, snapshot: Snapshot, found: Sequence[Finding]) -> list[Finding]:
    """Dead workers' intents that no finding speaks of yet."""
    explained = {EXPLAINED[each.kind] for each in found if each.kind in EXPLAINED}
    return [
        subject.finding(Kind.LEFTOVER_INTENT, detail=each.intent.action)
        for each in snapshot.undertakings
        if not each.intent.path and each.intent.action not in explained
    ]
