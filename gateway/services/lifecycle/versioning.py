"""Keep old versions: what pins need of a backend bucket."""

import time
from collections.abc import Callable

from gateway.identity import Workspace
from gateway.storage.bucket import Bucket

TRUSTED_SECONDS = 10.0


class Versioning:
    """Knows which workspaces' buckets keep versions, and turns that on where it may."""

    def __init__(self, bucket: Bucket, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that only grow."""
        self._bucket = bucket
        self._clock = clock
        self._asked: dict[str, float] = {}
        self._changes = 0

    async def ensure(self, workspace: Workspace) -> bool:
        """Whether the bucket keeps versions; turned on now where it was off and may be.

        That it is on is remembered for 10 s, that it is off is asked again each time.
        """
        asked = self._asked.get(workspace.id)
        now = self._clock()
        if asked is not None and now - asked < TRUSTED_SECONDS:
            return True
        changes = self._changes
        on = await self._bucket.versioning(workspace.bucket)
        if not on and workspace.versioning:
            await self._bucket.enable_versioning(workspace.bucket)
            on = True
        # An answer from before a change through the gateway says nothing of the time after it.
        if on and changes == self._changes:
            # By id: a bucket that was removed and made again is another workspace's.
            self._asked[workspace.id] = now
        return on

    async def kept(self, workspace: Workspace) -> bool:
        """Whether the bucket keeps versions at this moment; nothing is turned on."""
        return await self._bucket.versioning(workspace.bucket)

    def forget(self, workspace: Workspace) -> None:
        """Nothing; the bucket is asked again, as its versioning was written."""
        self._changes += 1
        self._asked.pop(workspace.id, None)
