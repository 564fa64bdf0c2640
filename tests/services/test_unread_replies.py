"""A reply that no client will get is cut off: the backend's connection is not left open."""

import asyncio

import pytest
from multidict import CIMultiDict

from gateway.artifact.lifecycle import Artifact, Location
from gateway.errors import ServiceUnavailable, SlowDown
from gateway.identity import ANONYMOUS, Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.services.objects.caching import Caching
from gateway.services.objects.reading import Reading
from gateway.services.objects.seeing import Seeing, Sight
from gateway.services.statistics.counting import Counting
from gateway.services.transfer.forwarding import AS_IT_CAME, Changes
from gateway.storage.hot_files import HotFiles
from tests.services.test_looking_twice import (
    KEY,
    PIN,
    SPACE,
    Backend,
    Index,
    Reader,
    View,
    verified,
)

SIGHT = Sight("pinned", PIN, Artifact(id=1, workspace_id="id", prefix="a", version=1))


class Stream:
    """A body of which nothing is read."""

    def __init__(self) -> None:
        self.closed = False

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        raise AssertionError("nobody reads this")

    async def aclose(self) -> None:
        self.closed = True


class Late(Counting):
    """Counting for which the disk takes its time, and then takes nothing."""

    def __init__(self) -> None:
        self.unsettled = self.anybodys = True
        self.asked = asyncio.Event()
        self.fails = asyncio.Event()

    def download(self, *_: object, **__: object) -> None:
        """Nothing; it is in memory."""

    def sent(self, *_: object) -> None:
        """Nothing."""

    async def settled(self) -> None:
        self.asked.set()
        await self.fails.wait()
        raise ServiceUnavailable("Downloads can't be recorded; try again.")


class Busy(Index):
    """An index that answers the first who asks, and after that has too much to do."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def locate(self, workspace_id: str, key: str, *, recalled: bool = False) -> Location:
        self.asked += 1
        if self.asked > 1:
            raise SlowDown("The database has too much to do; try again.")
        return await super().locate(workspace_id, key, recalled=recalled)


class Streaming(Backend):
    """Answers with one body."""

    def __init__(self, body: Stream) -> None:
        self._stream = body

    async def forward(
        self, verified: Verified, workspace: Workspace, changes: Changes = AS_IT_CAME
    ) -> Reply:
        del verified, workspace, changes
        return Reply(200, CIMultiDict(), self._stream)


@pytest.fixture
def body() -> Stream:
    return Stream()


@pytest.mark.parametrize("leaves", [False, True])
async def test_reply_whose_download_is_not_recorded_is_cut_off(
    body: Stream, *, leaves: bool
) -> None:
    counting = Late()
    reading = Reading(None, None, None, None, counting)  # type: ignore[arg-type]  # none is asked
    request = verified(KEY).request
    asking = asyncio.create_task(
        reading.counted(Reply(200, body=body), SIGHT, ANONYMOUS, request),
    )
    await counting.asked.wait()
    assert not body.closed
    if leaves:
        asking.cancel()
    else:
        counting.fails.set()
    with pytest.raises(asyncio.CancelledError if leaves else ServiceUnavailable):
        await asking
    assert body.closed


async def test_reply_of_which_the_index_can_not_be_asked_again_is_cut_off(body: Stream) -> None:
    index, backend = Busy(), Streaming(body)
    seeing = Seeing(Reader(), None, index, None, None, View(index))  # type: ignore[arg-type]
    caching = Caching(backend, HotFiles(0))
    reading = Reading(seeing, index, backend, caching, None)  # type: ignore[arg-type]
    location = await index.locate("id", KEY)
    with pytest.raises(SlowDown):
        await reading.open(ANONYMOUS, SPACE, location, verified(KEY))
    assert body.closed
