"""Find the open edits: what a bucket holds that no commit pins, and what was announced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.record import Announcement
from gateway.artifact.version import NULL_VERSION, Pin, StagedFile
from gateway.errors import GatewayError, ServiceUnavailable
from gateway.services.lifecycle.examining import Examining, stored_weight
from gateway.services.lifecycle.surveying import Surveying, bare
from gateway.services.maintenance.abreast import abreast, patiently
from gateway.services.maintenance.dating import AUTHOR, SECOND, Dating, stage_of
from gateway.services.maintenance.outcome import Scene, own
from gateway.storage.announcements import Announcements
from gateway.storage.bucket import BackendError, ListedObject, ObjectVersion
from gateway.storage.catalogue import Catalogue
from gateway.storage.histories import Histories
from gateway.storage.stages import Stages

PATHS_AT_ONCE = 8
NONE = timedelta()


@dataclass(frozen=True, slots=True)
class _Change:
    """A path at which the bucket differs from the commit: its versions of this edit, newest first.

    A removal is one of them.
    """

    path: str
    versions: Sequence[ObjectVersion]


class Reopening:
    """Sets marks, and notes what is staged and announced."""

    def __init__(
        self,
        catalogue: Catalogue,
        histories: Histories,
        stages: Stages,
        announcements: Announcements,
        surveying: Surveying,
        examining: Examining,
        dating: Dating,
    ) -> None:
        self._catalogue = catalogue
        self._histories = histories
        self._stages = stages
        self._announcements = announcements
        self._surveying = surveying
        self._examining = examining
        self._dating = dating

    async def reopen(self, scene: Scene) -> None:
        """Nothing; every edit that the bucket shows is open in the index."""
        after: str | None = None
        while page := await self._histories.live(scene.workspace.id, after):
            for artifact in page:
                try:
                    await patiently(partial(self._artifact, scene, artifact))
                except ServiceUnavailable:
                    raise  # nothing else would go better
                except (GatewayError, BackendError) as error:
                    place = join(artifact.prefix, STAGED_MANIFEST)
                    scene.outcome.refuse(place, f"{error}; mend it and reindex again")
                scene.progress.advance()
            after = page[-1].prefix

    async def _artifact(self, scene: Scene, artifact: Artifact) -> None:
        announced = await self._dating.announced(scene, artifact.prefix, artifact.modified_at)
        changes = await self._changes(scene, artifact, announced)
        if changes:
            await self._note(scene, artifact, changes, announced)
        elif artifact.stage is not None:
            await self._stages.reconsider(artifact)
        if announced and (changes or artifact.stage is not None):
            scene.outcome.reopened += await self._announcements.recall(artifact, announced)

    async def _note(
        self,
        scene: Scene,
        artifact: Artifact,
        changes: Sequence[_Change],
        announced: Sequence[Announcement],
    ) -> None:
        """Have each change examined: what it is by now goes into the index."""
        times = [change.versions[-1].last_modified for change in changes if change.versions]
        opened = min(times, default=datetime.now(UTC))
        stage_id = stage_of(announced, opened)
        for change in changes:
            _, intent = await self._stages.begin(
                artifact, change.path, author=AUTHOR, now=opened, stage_id=stage_id
            )
            replaced = [each.version_id for each in change.versions[1:]]
            await self._examining.examine(scene.workspace, intent, opened, replaced)
            scene.outcome.reopened += 1

    async def _changes(
        self, scene: Scene, artifact: Artifact, announced: Sequence[Announcement]
    ) -> list[_Change]:
        """Where bucket and commit differ and the index does not know it, the manifest last."""
        cut = len(artifact.prefix) + 1 if artifact.prefix else 0
        listed = {item.key[cut:]: item for item in own(scene.objects, artifact)}
        staged_manifest = listed.pop(STAGED_MANIFEST, None)
        pins = await self._catalogue.pins(artifact.id) if artifact.version else {}
        staged = await self._catalogue.staged_files(artifact.id)
        own_paths = listed if artifact.version else _since(artifact, listed, announced)
        wanted = [
            path
            for path in sorted({*own_paths, *pins, *staged})
            if not _is_noted(path, staged.get(path), listed.get(path), pins.get(path))
        ]
        found: list[_Change] = []

        async def one(path: str) -> None:
            pin, item = pins.get(path), listed.get(path)
            alike = pin is not None and item is not None and _alike(pin, item)
            if pin is not None and alike and await self._same(scene, artifact, pin):
                return
            found.append(_Change(path, await self._versions(scene, artifact, path)))

        await abreast(wanted, one, at_once=PATHS_AT_ONCE)
        found.sort(key=lambda change: change.path)
        there = "" if staged_manifest is None else bare(staged_manifest.etag)
        if there != (bare(artifact.stage.etag) if artifact.stage else ""):
            versions = await self._versions(scene, artifact, STAGED_MANIFEST)
            found.append(_Change(STAGED_MANIFEST, versions))
        return found

    async def _same(self, scene: Scene, artifact: Artifact, pin: Pin) -> bool:
        """Whether what lies there is what is pinned; the listing told equal bytes."""
        head = await self._surveying.head(scene.workspace, artifact, pin.path)
        if head is None:
            return False
        if (head.version_id or NULL_VERSION) == pin.version_id:
            return True
        same = (bare(head.etag), head.content_type) == (bare(pin.etag), pin.content_type)
        return same and stored_weight(head) in (None, pin.weight)

    async def _versions(self, scene: Scene, artifact: Artifact, path: str) -> list[ObjectVersion]:
        """The versions of a path that this edit wrote, as far as can be told, newest first."""
        kept = await self._catalogue.pinned_ids(scene.workspace.id, join(artifact.prefix, path))
        since, slack = artifact.modified_at, SECOND
        if not artifact.version and artifact.stage is not None:
            since, slack = artifact.stage.opened_at, NONE
        found: list[ObjectVersion] = []
        for version in await self._surveying.versions(scene.workspace, artifact, path):
            late = since is None or version.last_modified + slack > since
            if version.version_id in kept or (found and not late):
                break
            if version.marker and path == STAGED_MANIFEST:
                break
            found.append(version)
        return found


def _since(
    artifact: Artifact, listed: Mapping[str, ListedObject], announced: Sequence[Announcement]
) -> set[str]:
    """What was put into an artifact that was never committed, since it is one.

    What lay there before is not staged: a discard leaves it there. In one that others opened
    the index knows it better.
    """
    stage = artifact.stage
    if stage is None or stage.opened_by != AUTHOR:
        return set()
    promised = {each.path: each.time for each in announced if each.stage_id == stage.id}
    return {
        path
        for path, item in listed.items()
        if path != MANIFEST
        and (
            item.last_modified > stage.opened_at
            or (path in promised and item.last_modified + SECOND > promised[path])
        )
    }


def _is_noted(
    path: str, staged: StagedFile | None, item: ListedObject | None, pin: Pin | None
) -> bool:
    """Whether the index knows what lies at a path: as the commit has it, or as it is staged."""
    if staged is not None and staged.removed:
        return item is None and pin is not None
    if staged is not None:
        same = item is not None and bare(item.etag) == bare(staged.etag)
        return item is not None and same and staged.size in (None, item.size)
    if path == MANIFEST:
        return item is not None  # what it says is for the commit to tell
    if item is None or pin is None or not _alike(pin, item):
        return False
    return item.last_modified.replace(microsecond=0) == pin.last_modified.replace(microsecond=0)


def _alike(pin: Pin, item: ListedObject) -> bool:
    return (bare(pin.etag), pin.size) == (bare(item.etag), item.size)
