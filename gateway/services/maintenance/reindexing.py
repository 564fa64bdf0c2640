"""Build the index anew from the bucket and the system area, and adopt what has no record.

Whatever is found goes in by the same transactions as commits and edits, so a gateway may run
meanwhile, two may do this at once, and whoever is killed leaves work that the next one goes on
with. What is known already is left alone.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from gateway.artifact.record import UnreadableRecord, WorkspaceRecord
from gateway.artifact.record_key import (
    WORKSPACES,
    announcements_folder,
    records_folder,
    weights_folder,
)
from gateway.config import WorkspaceSettings
from gateway.identity import Workspace
from gateway.s3.address import KeyRules
from gateway.services.lifecycle.recovering import Recovering
from gateway.services.maintenance.awaiting import Awaiting
from gateway.services.maintenance.enrolling import Enrolling
from gateway.services.maintenance.outcome import Outcome, Progress, Scene
from gateway.services.maintenance.rebuilding import Rebuilding
from gateway.services.maintenance.reopening import Reopening
from gateway.services.workspaces import Workspaces
from gateway.storage.bucket import BackendError, Bucket
from gateway.storage.histories import Histories
from gateway.storage.inventory import Inventory
from gateway.storage.records import Records
from gateway.storage.registry import Entry, Overlap, Registry

SYSTEM = "the system area"


class Reindexing:
    """Goes through every workspace."""

    def __init__(  # noqa: PLR0913, PLR0917 (all that an index is made of)
        self,
        bucket: Bucket,
        rules: KeyRules,
        records: Records,
        registry: Registry,
        workspaces: Workspaces,
        histories: Histories,
        recovering: Recovering,
        rebuilding: Rebuilding,
        enrolling: Enrolling,
        reopening: Reopening,
        awaiting: Awaiting,
        clock: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._rules = rules
        self._records = records
        self._registry = registry
        self._workspaces = workspaces
        self._histories = histories
        self._recovering = recovering
        self._rebuilding = rebuilding
        self._enrolling = enrolling
        self._reopening = reopening
        self._awaiting = awaiting
        self._clock = clock

    async def reindex(
        self, configured: tuple[WorkspaceSettings, ...], progress: Progress
    ) -> list[Outcome]:
        """What became of the system area, and of each workspace.

        ServiceUnavailable, and ConfigError as workspaces are opened.
        """
        general = Outcome(SYSTEM)
        await self._restore_workspaces(general)
        await self._workspaces.open(configured, self._clock())
        await self._recovering.recover(self._clock())
        outcomes = [general]
        for workspace, _ in await self._workspaces.all():
            outcome = Outcome(workspace.name)
            outcomes.append(outcome)
            try:
                await self._workspace(workspace, outcome, progress)
            except BackendError as error:
                outcome.refuse(
                    workspace.bucket, f"{error}; make the bucket readable, and reindex again"
                )
            outcome.census = await self._histories.census(workspace.id)
        return outcomes

    async def _restore_workspaces(self, outcome: Outcome) -> None:
        """Make known again what was made at run time."""
        async for page in self._records.pages(WORKSPACES):
            for item in page:
                try:
                    record = await self._records.read_workspace(item.key)
                except UnreadableRecord as error:
                    outcome.refuse(item.key, f"{error}: bring it back from a copy")
                    continue
                if record is not None and record.created_by is not None:
                    await self._restore(record, outcome)

    async def _restore(self, record: WorkspaceRecord, outcome: Outcome) -> None:
        entry = Entry(
            record.id,
            record.name,
            record.bucket,
            record.prefix,
            record.created_at,
            record.created_by,
        )
        if not await self._bucket.bucket_exists(record.bucket):
            outcome.refuse(
                record.name, f"the backend has no bucket {record.bucket!r}: make it, or forget it"
            )
            return
        try:
            outcome.restored += await self._registry.restore(entry)
        except Overlap as overlap:
            outcome.refuse(
                record.name, f"its place is that of the workspace {overlap.entry.name!r} now"
            )

    async def _workspace(self, workspace: Workspace, outcome: Outcome, progress: Progress) -> None:
        with Inventory() as objects, Inventory() as system:
            scene = Scene(workspace, objects, system, outcome, progress)
            # The records first: what is committed meanwhile is then a difference that is looked
            # at, and not an artifact without its files.
            await self._list_system(scene)
            await self._list_objects(scene)
            progress.begin(f"{workspace.name}: records", len(system))
            damaged = await self._rebuilding.rebuild(scene)
            progress.begin(f"{workspace.name}: manifests", outcome.manifests)
            await self._enrolling.enroll(scene, damaged, self._clock)
            progress.begin(f"{workspace.name}: edits", None)
            await self._reopening.reopen(scene)
            await self._awaiting.wait(scene)
            await self._recovering.recover(self._clock())  # what was left half done

    async def _list_system(self, scene: Scene) -> None:
        identity = scene.workspace.id
        scene.progress.begin(f"{scene.workspace.name}: system area", None)
        for folder in (records_folder, announcements_folder, weights_folder):
            async for page in self._records.pages(folder(identity)):
                scene.system.add(page)
                scene.progress.advance(len(page))

    async def _list_objects(self, scene: Scene) -> None:
        workspace, cut = scene.workspace, len(scene.workspace.prefix)
        scene.progress.begin(f"{workspace.name}: objects", None)
        async for page in self._bucket.list(workspace.bucket, workspace.prefix):
            scene.objects.add(
                replace(item, key=item.key[cut:])
                for item in page
                if not self._rules.is_private(item.key[cut:])
            )
            scene.progress.advance(len(page))
        scene.outcome.objects = len(scene.objects)
        scene.outcome.manifests = sum(
            1 for depth in scene.objects.depths() for _ in scene.objects.manifests(depth)
        )
