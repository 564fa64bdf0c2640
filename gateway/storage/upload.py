"""Bodies of requests, on their way to the backend."""

import asyncio
from collections.abc import AsyncIterator

from gateway.errors import IncompleteBody
from gateway.storage.upstream import Outgoing

IDLE_SECONDS = 60
PIECE_BYTES = 1 << 16


class Upload:
    """A request's body on its way: counted, and watched for a backend that stops reading.

    `failure` is what the body raised. `deadline` is the sender's: it is put off while the
    body's source is waited for, and gone once the sender has its answer.
    """

    def __init__(self, request: Outgoing) -> None:
        self.length = length_of(request)
        self.failure: Exception | None = None
        self.deadline: asyncio.Timeout | None = None
        self._body = _cut(request.body) if isinstance(request.body, bytes) else request.body
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def pieces(self, deadline: asyncio.Timeout) -> AsyncIterator[bytes]:
        """The body, exactly as long as was said: IncompleteBody otherwise."""
        self.deadline = deadline
        left = self.length
        while (piece := await self._next()) is not None:
            left -= len(piece)
            if left < 0:
                break
            self._expect_progress(asyncio.get_running_loop().time() + IDLE_SECONDS)
            yield piece
            self._expect_progress(None)
        if left:
            self.failure = IncompleteBody("the body is not as long as was declared")
            raise self.failure

    async def quiet(self) -> None:
        """Nothing, as soon as nobody reads the body any more."""
        await self._quiet.wait()

    async def _next(self) -> bytes | None:
        self._quiet.clear()
        try:
            return await anext(self._body, None)
        except Exception as error:
            self.failure = error
            raise
        finally:
            self._quiet.set()

    def _expect_progress(self, when: float | None) -> None:
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(when)


def length_of(request: Outgoing) -> int:
    """How many bytes the body of `request` has; ValueError for a stream of unknown length."""
    if isinstance(request.body, bytes):
        return len(request.body)
    if request.length is None:
        raise ValueError("a streamed body needs its length")
    return request.length


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
