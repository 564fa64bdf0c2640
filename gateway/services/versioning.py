"""Keep old versions: what pins need of a backend bucket."""

from gateway.identity import Workspace
from gateway.storage.bucket import Bucket


class Versioning:
    """Knows which workspaces' buckets keep versions, and turns that on where it may."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._on: set[str] = set()

    async def ensure(self, workspace: Workspace) -> bool:
        """Whether the bucket keeps versions; turned on now where it was off and may be.

        That it is on is remembered, that it is off is asked again each time.
        """
        if workspace.bucket in self._on:
            return True
        on = await self._bucket.versioning(workspace.bucket)
        if not on and workspace.versioning:
            await self._bucket.enable_versioning(workspace.bucket)
            on = True
        if on:
            self._on.add(workspace.bucket)
        return on
