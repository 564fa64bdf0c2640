"""Pack a version's files into its archive: out of the bucket, one after the other.

The status and the length have left before the first file ends: what goes wrong then breaks the
stream off, so that no client takes a part for the whole.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from zlib import crc32

from gateway.artifact.archive import Archive
from gateway.artifact.download import ANYBODY, Visit
from gateway.artifact.layout import MANIFEST, join
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import NULL_VERSION, Pin
from gateway.errors import ServiceUnavailable
from gateway.identity import Workspace
from gateway.s3.address import Query
from gateway.s3.message import Body
from gateway.services.lifecycle.surveying import bare
from gateway.services.statistics.counting import Counting
from gateway.services.transfer.payloads import close_body
from gateway.storage.bucket import BrokenUpstream, Bucket, Outgoing, Upstream

# The next file is opened when so little of this one is left that it will not wait for long.
AHEAD_BYTES = 1 << 20
TRIES = 3
PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Contents:
    """The pins of one version that go into `archive`, in its order, and the manifest's bytes.

    `visit` is whose downloads they are.
    """

    workspace: Workspace
    artifact: Artifact
    pins: Sequence[Pin]
    manifest: bytes = field(repr=False)
    archive: Archive = field(repr=False)
    visit: Visit = ANYBODY


class Packing:
    """One archive on its way to one client; without `counting`, no download is counted."""

    def __init__(self, bucket: Bucket, contents: Contents, counting: Counting | None) -> None:
        self._bucket = bucket
        self._contents = contents
        self._counting = counting
        self._crcs: list[int] = []
        self._ahead: asyncio.Task[Body] | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The archive; no more is read from the backend than the client takes.

        ServiceUnavailable where a file can't be opened, breaks off or has another size than
        its pin. Closing it closes what is open at the backend.
        """
        archive, between = self._contents.archive, b""
        try:
            for index in range(len(self._contents.pins)):
                async with aclosing(self._file(index, between)) as pieces:
                    async for piece in pieces:
                        yield piece
                between = archive.descriptor(index, self._crcs[index])
            for block in archive.ending(self._crcs):
                yield between + block
                between = b""
        finally:
            await asyncio.shield(self._close())

    async def _file(self, index: int, before: bytes) -> AsyncGenerator[bytes, None]:
        """One file's header and bytes; `before` goes out with them."""
        pin = self._contents.pins[index]
        body = await self._opened(index)
        left, crc = pin.size, 0
        try:
            await self._count(pin)
            yield before + self._contents.archive.header(index)
            async for piece in body:
                if len(piece) > left:
                    raise _broken(pin, "is longer than its commit says")
                left -= len(piece)
                crc = crc32(piece, crc)
                if left <= AHEAD_BYTES:
                    self._begin(index + 1)
                yield piece
            if left:
                raise _broken(pin, "is shorter than its commit says")
        finally:
            self._count_sent(pin, pin.size - left)
            await asyncio.shield(close_body(body))
        self._crcs.append(crc)

    async def _count(self, pin: Pin) -> None:
        artifact, visit = self._contents.artifact, self._contents.visit
        if self._counting is not None and pin.path != MANIFEST:
            self._counting.download(artifact.id, artifact.epoch, pin.path, pin.weight, visit)
            await self._counting.settled()

    def _count_sent(self, pin: Pin, size: int) -> None:
        artifact = self._contents.artifact
        if self._counting is not None and pin.path != MANIFEST:
            self._counting.sent(artifact.id, artifact.epoch, pin.path, size)

    def _begin(self, index: int) -> None:
        """Have a file opened, if there is one at `index`, and none waits to be sent yet."""
        if self._ahead is None and index < len(self._contents.pins):
            self._ahead = asyncio.create_task(self._open(self._contents.pins[index]))

    async def _opened(self, index: int) -> Body:
        self._begin(index)
        if self._ahead is None:
            raise IndexError(index)
        body = await self._ahead
        # Not before: who is cancelled while it waits leaves the task for `_close` to end.
        self._ahead = None
        return body

    async def _open(self, pin: Pin) -> Body:
        if pin.path == MANIFEST:
            return _whole(self._contents.manifest)
        for attempt in range(1, TRIES):
            try:
                return await self._ask(pin)
            except ServiceUnavailable:
                await asyncio.sleep(PAUSE_SECONDS * attempt)
        return await self._ask(pin)

    async def _ask(self, pin: Pin) -> Body:
        """The pinned version's bytes; ServiceUnavailable unless the backend has just those."""
        workspace, prefix = self._contents.workspace, self._contents.artifact.prefix
        version = () if pin.version_id is None else (("versionId", pin.version_id),)
        key = workspace.backend_key(join(prefix, pin.path))
        upstream = await self._bucket.send(Outgoing("GET", workspace.bucket, key, Query(version)))
        if _has(upstream, pin):
            return upstream.stream()
        await upstream.close()
        raise _broken(pin, f"is not as committed: the backend answers {upstream.status}")

    async def _close(self) -> None:
        task, self._ahead = self._ahead, None
        if task is None:
            return
        task.cancel()
        (body,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(body, BaseException):
            await close_body(body)


def _has(upstream: Upstream, pin: Pin) -> bool:
    """Whether the backend answers with what is pinned."""
    length, etag = upstream.headers.get("Content-Length"), upstream.headers.get("ETag")
    if upstream.status != HTTPStatus.OK or length not in (None, str(pin.size)):
        return False
    # Without versions, only the ETag tells.
    return pin.version_id not in (None, NULL_VERSION) or bare(etag) == bare(pin.etag)


def _broken(pin: Pin, what: str) -> BrokenUpstream:
    return BrokenUpstream(f"{pin.path!r} {what}")


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
