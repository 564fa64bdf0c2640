"""What is answered from memory, and what is the backend's to answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from sys import getrefcount

import pytest
from multidict import CIMultiDict

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import NULL_VERSION, Pin
from gateway.errors import ServiceUnavailable
from gateway.identity import Workspace
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply
from gateway.services.objects.caching import Caching
from gateway.services.objects.seeing import Sight
from gateway.services.transfer.forwarding import AS_IT_CAME, Changes, Forwarding
from gateway.storage.hot_files import HotFiles, Pinned
from tests.services.forwarded import verified, whole

SPACE = Workspace("id", "ws", "bucket")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = b"a small file"
PIN = Pin("data.csv", len(BODY), '"etag"', "v1", NOW, "text/csv")
SIGHT = Sight("v1", PIN, Artifact(id=1, workspace_id="id", prefix="a", version=1))
HEADERS = {
    "Content-Length": str(len(BODY)),
    "Content-Type": "text/csv",
    "Date": "Thu, 01 Jan 2026 00:00:00 GMT",
    "ETag": '"etag"',
    "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
    "x-amz-meta-who": "alice",
    "x-amz-version-id": "v1",
}
TARGET = "/ws/a/data.csv"


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 5):
        yield body[start : start + 5]


class Backend(Forwarding):
    """Answers when it is let, and says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.headers = dict(HEADERS)
        self.body: bytes | None = None
        self.failure: Exception | None = None
        self.let = asyncio.Event()
        self.let.set()

    async def forward(
        self, verified: Verified, workspace: Workspace, changes: Changes = AS_IT_CAME
    ) -> Reply:
        del workspace
        assert changes.version_id in {"v1", None, NULL_VERSION, "other"}
        self.asked += 1
        await self.let.wait()
        if self.failure is not None:
            raise self.failure
        body = b"" if verified.request.method == "HEAD" else self.body or pieces(BODY)
        return Reply(self.status, CIMultiDict(self.headers), body, authored=True)


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def caching(backend: Backend) -> Caching:
    return Caching(backend, HotFiles(1 << 20))


async def test_a_file_is_asked_for_once_and_answered_the_same(
    caching: Caching, backend: Backend
) -> None:
    for _ in range(3):
        reply = await caching.forward(verified("GET", TARGET), SPACE, SIGHT)
        assert (reply.status, await whole(reply), reply.authored) == (200, BODY, True)
        assert dict(reply.headers) == {k: v for k, v in HEADERS.items() if k != "Date"}
        reply.saying("Content-Disposition", "attachment")  # as one door adds: in this reply alone
    head = await caching.forward(verified("HEAD", TARGET), SPACE, SIGHT)
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(BODY)))
    assert backend.asked == 1


async def test_what_is_remembered_of_an_answer_keeps_no_file_in_memory(
    backend: Backend,
) -> None:
    backend.body = body = bytes(bytearray(BODY))
    files = HotFiles(1 << 20)
    caching = Caching(backend, files)
    before, answers = getrefcount(body), list[object]()
    for _ in range(2):
        replies = [await caching.forward(verified("GET", TARGET), SPACE, SIGHT) for _ in range(2)]
        answers += [reply.of for reply in replies]
        replies.clear()
        assert getrefcount(body) > before
        files.drop(Pinned("bucket", "a/data.csv", "v1"))
    assert getrefcount(body) == before
    assert answers[0] is answers[1]
    assert answers[2] is answers[3] is not answers[0]


@pytest.mark.parametrize(
    "sight",
    [
        replace(SIGHT, version_id=None),
        replace(SIGHT, version_id="other"),
        Sight("v1", ordinary=True),
        Sight(NULL_VERSION, replace(PIN, version_id=NULL_VERSION)),
        replace(SIGHT, pin=replace(PIN, size=2 << 20)),
    ],
    ids=["newest", "another", "ordinary", "null", "large"],
)
async def test_what_no_commit_fixed_is_the_backends(
    caching: Caching, backend: Backend, sight: Sight
) -> None:
    for _ in range(2):
        assert await whole(await caching.forward(verified("GET", TARGET), SPACE, sight)) == BODY
    assert backend.asked == 2


@pytest.mark.parametrize(
    "request_",
    [
        verified("GET", TARGET, headers={"Range": "bytes=0-1"}),
        verified("GET", TARGET, headers={"If-None-Match": '"etag"'}),
        verified("GET", TARGET, headers={"If-Match": '"etag"'}),
        verified("GET", TARGET, headers={"If-Modified-Since": HEADERS["Date"]}),
        verified("GET", TARGET, headers={"x-amz-checksum-mode": "SOMETIMES"}),
        verified("GET", TARGET, headers={"x-amz-expected-bucket-owner": "1"}),
        verified("GET", TARGET, headers={"x-amz-server-side-encryption-customer-algorithm": "x"}),
        verified("GET", TARGET, query="partNumber=1"),
        verified("GET", TARGET, query="tagging"),
    ],
    ids=lambda one: str(dict(one.request.headers)) + one.request.query,
)
async def test_what_could_be_answered_otherwise_is_the_backends(
    caching: Caching, backend: Backend, request_: Verified
) -> None:
    await caching.forward(verified("GET", TARGET), SPACE, SIGHT)
    await caching.forward(request_, SPACE, SIGHT)
    assert backend.asked == 2


async def test_checksums_are_for_who_asks_for_them(caching: Caching, backend: Backend) -> None:
    await caching.forward(verified("GET", TARGET), SPACE, SIGHT)
    backend.headers["x-amz-checksum-crc32"] = "AAAAAA=="
    asked = verified("GET", TARGET, headers={"x-amz-checksum-mode": "ENABLED"})
    for _ in range(2):
        reply = await caching.forward(asked, SPACE, SIGHT)
        assert reply.headers["x-amz-checksum-crc32"] == "AAAAAA=="
    plain = await caching.forward(verified("GET", TARGET), SPACE, SIGHT)
    assert "x-amz-checksum-crc32" not in plain.headers
    assert backend.asked == 2


@pytest.mark.parametrize(
    "odd",
    [
        lambda backend: backend.headers.update({"x-amz-tagging-count": "1"}),
        lambda backend: backend.headers.update({"x-amz-version-id": "v2"}),
        lambda backend: backend.headers.update({"ETag": '"other"'}),
        lambda backend: backend.headers.update({"Content-Length": "1"}),
        lambda backend: setattr(backend, "status", 404),
    ],
)
async def test_answers_that_may_be_others_tomorrow_are_not_kept(
    caching: Caching, backend: Backend, odd: Callable[[Backend], None]
) -> None:
    odd(backend)
    for _ in range(2):
        reply = await caching.forward(verified("GET", TARGET), SPACE, SIGHT)
        assert (reply.status, dict(reply.headers)) == (backend.status, backend.headers)
    assert backend.asked == 2


async def test_of_many_at_once_one_asks(caching: Caching, backend: Backend) -> None:
    backend.let.clear()
    waiting = [
        asyncio.create_task(caching.forward(verified("GET", TARGET), SPACE, SIGHT))
        for _ in range(20)
    ]
    await asyncio.sleep(0)
    backend.let.set()
    assert [await whole(await each) for each in waiting] == [BODY] * 20
    assert backend.asked == 1


@pytest.mark.parametrize("left", [False, True])
async def test_where_the_one_who_asks_fails_or_leaves_each_asks(
    caching: Caching, backend: Backend, *, left: bool
) -> None:
    backend.let.clear()
    first, *others = [
        asyncio.create_task(caching.forward(verified("GET", TARGET), SPACE, SIGHT))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    if left:
        first.cancel()
    else:
        backend.failure = ServiceUnavailable("away")
    backend.let.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert backend.asked == 3
    if left:
        assert isinstance(answers[0], asyncio.CancelledError)
        assert [isinstance(each, Reply) for each in answers[1:]] == [True, True]
    else:
        assert [type(each) for each in answers] == [ServiceUnavailable] * 3
