"""Find the directories below collections whose files wait for their member's manifest."""

from gateway.artifact.layout import ancestors, join
from gateway.artifact.lifecycle import Artifact
from gateway.services.maintenance.outcome import Scene
from gateway.storage.announcements import Announcements
from gateway.storage.catalogue import Catalogue
from gateway.storage.histories import Histories


class Awaiting:
    """Sets the marks that keep files without a member from readers."""

    def __init__(
        self, catalogue: Catalogue, histories: Histories, announcements: Announcements
    ) -> None:
        self._catalogue = catalogue
        self._histories = histories
        self._announcements = announcements

    async def wait(self, scene: Scene) -> None:
        """Nothing; each directory of such files is marked."""
        after: str | None = None
        while page := await self._histories.live(scene.workspace.id, after):
            for artifact in page:
                if artifact.collection:
                    await self._below(scene, artifact)
            after = page[-1].prefix

    async def _below(self, scene: Scene, collection: Artifact) -> None:
        workspace_id = scene.workspace.id
        folder = join(collection.prefix, "") if collection.prefix else ""
        known = set(await self._catalogue.arrivals(workspace_id, folder))
        members = {folder + name for name in scene.objects.folders(folder)}
        members -= known | await self._histories.live_among(workspace_id, members)
        for directory in sorted(members):
            if await self._holds_waiting(scene, directory):
                await self._announcements.arrive(workspace_id, directory)
                scene.outcome.reopened += 1

    async def _holds_waiting(self, scene: Scene, directory: str) -> bool:
        """Whether anything below a directory, which is no artifact itself, is no artifact's."""
        inner = await self._histories.live_below(scene.workspace.id, directory)
        return any(
            not item.key.endswith("/") and inner.isdisjoint(ancestors(item.key))
            for item in scene.objects.below(f"{directory}/")
        )
