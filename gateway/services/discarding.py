"""Take a stage away: the pinned versions are the newest again."""

from datetime import datetime

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Pin, StagedFile
from gateway.identity import Workspace
from gateway.services.surveying import Survey, Surveying, bare
from gateway.storage.catalogue import Catalogue
from gateway.storage.marks import Intent
from gateway.storage.stages import Stages


class Discarding:
    """Discards edits, and finishes discards that were interrupted."""

    def __init__(self, catalogue: Catalogue, stages: Stages, surveying: Surveying) -> None:
        self._catalogue = catalogue
        self._stages = stages
        self._surveying = surveying

    async def discard(self, workspace: Workspace, artifact: Artifact, *, now: datetime) -> None:
        """The artifact as last committed; one that never was goes with its staged files."""
        intent = await self._stages.begin_discard(artifact, now)
        await self.carry_out(workspace, artifact, intent)

    async def carry_out(self, workspace: Workspace, artifact: Artifact, intent: Intent) -> None:
        """Finish a discard that `intent` speaks for; safe to repeat."""
        survey = await self._surveying.survey(workspace, artifact)
        pins = await self._catalogue.pins(artifact.id) if artifact.version else {}
        staged = await self._catalogue.staged_files(artifact.id)
        for path in sorted(_changed(survey, pins, staged)):
            keep = await self._catalogue.pinned_ids(workspace.id, join(artifact.prefix, path))
            pin = pins.get(path)
            if pin is not None and pin.version_id is None:
                continue  # no older version to go back to: nothing could be staged over it
            await self._surveying.restore(workspace, artifact, path, pin, keep)
        await self._surveying.restore(workspace, artifact, STAGED_MANIFEST, None, set())
        await self._stages.end_discard(intent)


def _changed(survey: Survey, pins: dict[str, Pin], staged: dict[str, StagedFile]) -> set[str]:
    """Paths at which the bucket does not hold what was committed."""
    changed = set(staged)
    for path, item in survey.files.items():
        pin = pins.get(path)
        if pin is None or (bare(pin.etag), pin.size) != (bare(item.etag), item.size):
            changed.add(path)
    changed |= {path for path in pins if path != MANIFEST and path not in survey.files}
    if MANIFEST in pins and survey.manifest is None:
        changed.add(MANIFEST)
    return changed
