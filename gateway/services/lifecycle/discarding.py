"""Take a stage away: the pinned versions are the newest again."""

from collections.abc import Mapping
from datetime import datetime

from gateway.artifact.layout import MANIFEST, STAGED_MANIFEST, join
from gateway.artifact.lifecycle import Artifact, Stage
from gateway.artifact.version import Pin, StagedFile
from gateway.identity import Workspace
from gateway.services.lifecycle.examining import Examining
from gateway.services.lifecycle.excluding import Excluding
from gateway.services.lifecycle.gathering import Gathering
from gateway.services.lifecycle.surveying import Survey, Surveying, bare
from gateway.storage.catalogue import Catalogue
from gateway.storage.endings import Endings
from gateway.storage.intents import Intent
from gateway.storage.stages import Stages


class Discarding:
    """Discards edits, and finishes discards that were interrupted."""

    def __init__(
        self,
        catalogue: Catalogue,
        stages: Stages,
        endings: Endings,
        surveying: Surveying,
        gathering: Gathering,
        excluding: Excluding,
        examining: Examining,
    ) -> None:
        self._catalogue = catalogue
        self._stages = stages
        self._endings = endings
        self._surveying = surveying
        self._gathering = gathering
        self._excluding = excluding
        self._examining = examining

    async def discard(self, workspace: Workspace, artifact: Artifact, *, now: datetime) -> None:
        """The artifact as last committed; one that never was goes with what was staged in it.

        Objects that lay there before it was one are ordinary objects again.
        """
        intent = await self._endings.begin_discard(artifact, now)
        await self.carry_out(workspace, artifact, intent)

    async def carry_out(self, workspace: Workspace, artifact: Artifact, intent: Intent) -> None:
        """Finish a discard that `intent` speaks for; safe to repeat.

        What somebody writes meanwhile is left alone: it is staged in an edit of its own. What
        a commit that began before takes out of the stage is the commit's.
        """
        await self._excluding.end_of_commits(artifact)
        artifact = await self._catalogue.by_id(artifact.id) or artifact
        stage = artifact.stage
        if stage is None:
            await self._endings.finish(intent)
            return
        staged = await self._catalogue.staged_files(artifact.id)
        survey = await self._surveying.survey(workspace, artifact)
        pins = await self._catalogue.pins(artifact.id) if artifact.version else {}
        for path in sorted(_changed(survey, pins, staged)):
            await self._take_back(workspace, artifact, path, pins.get(path), staged.get(path))
        await self._take_manifest_back(workspace, artifact, stage)
        await self._endings.end_discard(intent, stage, tuple(staged.values()))
        await self._examining.revisit(workspace, artifact.id)
        await self._gathering.end(artifact.id)

    async def withdraw(self, workspace: Workspace, artifact: Artifact, *, now: datetime) -> None:
        """Take a staged manifest away and nothing else: what was there before stays there."""
        artifact, intent = await self._stages.begin(
            artifact, STAGED_MANIFEST, author="gateway", now=now
        )
        await self._surveying.remove_versions(workspace, artifact, STAGED_MANIFEST)
        await self._stages.settle_manifest(intent, None, author="gateway", now=now)

    async def _take_back(
        self,
        workspace: Workspace,
        artifact: Artifact,
        path: str,
        pin: Pin | None,
        staged: StagedFile | None,
    ) -> None:
        if pin is not None and pin.version_id is None:
            return  # no older version to go back to: nothing could be staged over it
        key = join(artifact.prefix, path)
        versions = await self._surveying.versions(workspace, artifact, path)
        # Asked after the listing: a version in it whose write nobody has settled is not ours.
        if not await self._endings.untouched(artifact, path, staged):
            return
        keep = await self._catalogue.pinned_ids(workspace.id, key)
        if pin is not None:
            await self._surveying.remove_above(workspace, artifact, path, versions, pin, keep)
            return
        written = await self._endings.written(artifact, path)
        left = await self._surveying.remove_newest(
            workspace, artifact, path, versions, written - keep
        )
        # Where an artifact was never committed, what is left is as it was before. In one that
        # was, readers' listings would show it: it is hidden, not lost.
        if artifact.version and left is not None and not left.marker:
            await self._surveying.remove(workspace, artifact, path)

    async def _take_manifest_back(
        self, workspace: Workspace, artifact: Artifact, stage: Stage
    ) -> None:
        versions = await self._surveying.versions(workspace, artifact, STAGED_MANIFEST)
        identities = [version.version_id for version in versions]
        if stage.version_id in identities:
            # A newer one was staged meanwhile, and stays.
            versions = versions[identities.index(stage.version_id) :]
        for version in reversed(versions):
            await self._surveying.remove(workspace, artifact, STAGED_MANIFEST, version.version_id)


def _changed(survey: Survey, pins: Mapping[str, Pin], staged: Mapping[str, StagedFile]) -> set[str]:
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
