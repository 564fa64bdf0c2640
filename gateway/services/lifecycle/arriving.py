"""Mark what waits, below a collection, for its member's manifest."""

from datetime import datetime

from gateway.artifact.layout import join
from gateway.artifact.manifest import Manifest
from gateway.identity import Workspace
from gateway.services.lifecycle.viewing import Range, Viewing
from gateway.storage.announcements import Announcements
from gateway.storage.catalogue import Catalogue


class Arriving:
    """Sets the marks that keep files without a member from readers."""

    def __init__(
        self, catalogue: Catalogue, announcements: Announcements, viewing: Viewing
    ) -> None:
        self._catalogue = catalogue
        self._announcements = announcements
        self._viewing = viewing

    async def arrive(self, workspace: Workspace, directory: str, now: datetime) -> None:
        """Mark a directory below a collection; then its files may be put, within a day."""
        await self._announcements.arrive(workspace.id, directory, now)

    async def adopt(
        self, workspace: Workspace, prefix: str, manifest: Manifest, now: datetime
    ) -> None:
        """Mark what already lies below a prefix that becomes a collection, and is no member's."""
        if not manifest.collection:
            return
        folder = join(prefix, "") if prefix else ""
        token: str | None = None
        while True:
            listing = await self._viewing.page(Range(workspace, folder, "/"), token=token)
            for name in listing.common_prefixes:
                directory = name.rstrip("/")
                if await self._catalogue.artifact(workspace.id, directory) is None:
                    await self._announcements.arrive(workspace.id, directory, now)
            token = listing.next_token
            if not listing.truncated or token is None:
                return
