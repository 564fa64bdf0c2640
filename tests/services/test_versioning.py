"""That a bucket keeps versions is believed for a short time, and never across a change of it."""

from gateway.identity import Workspace
from gateway.services.lifecycle.versioning import TRUSTED_SECONDS, Versioning
from gateway.storage.bucket import Bucket


class Clock:
    """Seconds that a test lets pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Buckets(Bucket):
    """A bucket whose versioning a test switches."""

    def __init__(self) -> None:
        self.on = True
        self.asked = 0

    async def versioning(self, bucket: str) -> bool:
        del bucket
        self.asked += 1
        return self.on


async def test_versioning_is_asked_again_after_a_change_and_after_a_time() -> None:
    clock, bucket = Clock(), Buckets()
    versioning = Versioning(bucket, clock)
    kept = Workspace("id", "ws", "bucket", "", "none", backend_settings=False, versioning=False)
    assert await versioning.ensure(kept)
    bucket.on = False
    assert await versioning.ensure(kept)
    assert bucket.asked == 1
    versioning.forget(kept)
    assert not await versioning.ensure(kept)
    bucket.on = True
    assert await versioning.ensure(kept)
    bucket.on = False
    clock.now += TRUSTED_SECONDS
    assert not await versioning.ensure(kept)


async def test_a_bucket_that_was_made_again_is_another_workspace_s() -> None:
    bucket = Buckets()
    versioning = Versioning(bucket, Clock())
    first = Workspace("first", "ws", "bucket", versioning=False)
    assert await versioning.ensure(first)
    bucket.on = False
    assert await versioning.ensure(first)
    assert not await versioning.ensure(Workspace("second", "ws", "bucket", versioning=False))
