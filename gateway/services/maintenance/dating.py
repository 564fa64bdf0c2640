"""Tell when an edit was opened, and under which id: for what it has announced."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.artifact.layout import STAGED_MANIFEST, join
from gateway.artifact.record import Announcement, UnreadableRecord
from gateway.artifact.record_key import announcement_folder
from gateway.services.maintenance.outcome import Scene
from gateway.storage.bucket import Bucket
from gateway.storage.records import Records

AUTHOR = "reindex"
"""Who commits what was adopted, and opens edits again: nobody knows who it was."""

# Backends tell times in whole seconds.
SECOND = timedelta(seconds=1)


class Dating:
    """Asks the bucket and the system area about edits that the index does not know."""

    def __init__(self, bucket: Bucket, records: Records) -> None:
        self._bucket = bucket
        self._records = records

    async def announced(
        self, scene: Scene, prefix: str, since: datetime | None
    ) -> list[Announcement]:
        """What was announced at a prefix since the last commit, in the order of time."""
        found = []
        for item in scene.system.below(announcement_folder(scene.workspace.id, prefix)):
            try:
                announcement = await self._records.read_announcement(item.key)
            except UnreadableRecord as error:
                scene.outcome.refuse(item.key, f"{error}: take it away, and announce it again")
                continue
            if announcement is not None and (since is None or announcement.time > since):
                found.append(announcement)
        return sorted(found, key=lambda each: each.time)

    async def opened(self, scene: Scene, prefix: str, now: datetime) -> datetime:
        """When the staged manifest came that makes an artifact of a prefix; `now` if it has gone.

        It may have been replaced since.
        """
        key = scene.workspace.backend_key(join(prefix, STAGED_MANIFEST))
        opened = now
        for version in await self._bucket.versions(scene.workspace.bucket, key):
            if version.marker:
                break
            opened = version.last_modified
        return opened


def stage_of(announced: Sequence[Announcement], opened: datetime) -> str | None:
    """The id of the edit that was opened then, if it has announced anything."""
    of_it = [each for each in announced if each.time >= opened.replace(microsecond=0)]
    return of_it[-1].stage_id if of_it else None
