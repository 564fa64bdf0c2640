"""One client's connection: heads within bounds, and what is no request answered once.

aiohttp's protocol reads requests and holds clients back; how they are answered is ours, since its
requests and responses take longer than all that the gateway does. And it leaves three things open.
A head may take minutes to come, and megabytes of memory. A body whose chunked framing breaks off
leaves its reader waiting. And what can't be read as HTTP is repeated in the answer and in the log,
credentials included.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Protocol

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web_protocol import ERROR

from gateway.errors import GatewayError, InvalidRequest, RequestHeaderSectionTooLarge
from gateway.web.asked import Asked
from gateway.web.deadline import Deadline
from gateway.web.reply import Sent

LONGEST_LINE = 65_536
"""The longest request line or header, in bytes: presigned URLs and metadata pass 8,190."""

MOST_HEADERS = 1_000
"""The most headers of a request: 2 kB of metadata are some hundred of them."""

LONGEST_HEAD = 262_144
"""The most bytes of a head, or of what chunks of a body have around them.

What comes in one piece with a request or with bytes of a body is not counted: pieces are smaller.
"""

HEAD_SECONDS = 60.0
"""How long a head may take from its first byte to its last."""

# Longer than what balancers keep a connection for: whoever closes first must be the client.
KEEPALIVE_SECONDS = 630.0

PART_SECONDS = 1.0
"""How long a client that was not understood may take to hear so."""

LINGER_SECONDS = 10.0
"""How long what is still to come of a body is read and dropped, so that its answer is heard."""

logger = logging.getLogger(__name__)


class Edge(Protocol):
    """What answers requests; `web.boundary.Boundary` is one."""

    async def handle(self, asked: Asked) -> Sent:
        """What was sent as the answer to a request."""

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        """What was sent to a client that could not be understood."""

    def leave(self) -> None:
        """Tell those whose connections last that the gateway stops."""


class UnderWay:
    """Knows whether a request is being answered."""

    def __init__(self) -> None:
        self._number = 0
        self._none = asyncio.Event()
        self._none.set()

    def begin(self) -> None:
        """One more is."""
        self._number += 1
        self._none.clear()

    def end(self) -> None:
        """One less is."""
        self._number -= 1
        if not self._number:
            self._none.set()

    def none(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._number

    async def ended(self, seconds: float) -> None:
        """Nothing, once all are answered, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()


class Connection(web.RequestHandler):
    """aiohttp's protocol of one connection, within bounds."""

    __slots__ = (
        "_asked",
        "_body",
        "_deadline",
        "_edge",
        "_head_bytes",
        "_room_due",
        "_under_way",
        "body_due",
    )

    def __init__(
        self,
        server: web.Server,
        edge: Edge,
        under_way: UnderWay,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # it may be; the boundary writes one
            auto_decompress=False,  # bodies are stored as they come
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
            max_line_size=LONGEST_LINE,
        )
        self._edge = edge
        self._under_way = under_way
        self._asked: Asked | None = None  # what is being answered
        self._body: StreamReader | None = None  # of the request that came last
        self._head_bytes = 0  # of a head, or of framing, that has begun
        self._deadline: asyncio.TimerHandle | None = None
        self._room_due = Deadline(loop, self._stall)
        self.body_due = Deadline(loop, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent in."""
        body, count = self._body, self._request_count
        read = 0 if body is None else body.total_bytes
        super().data_received(data)
        if self._request_count != count:
            self._end_head()
            if body is not None and not body.is_eof():
                self._break(body)
            else:
                self._body = self._messages[-1][1]
        elif body is not None and body.total_bytes != read:
            self._end_head()
        elif self._payload_parser is None and data.strip(b"\r\n"):
            self._begin_head(len(data))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the client."""
        self._end_head()
        self._room_due.end()
        self.body_due.end()
        if self._asked is not None:
            self._asked.content.set_exception(exc or ConnectionResetError("the client has gone"))
        super().connection_lost(exc)

    async def start(self) -> None:
        """Answer what comes, one after the other, until one side has had enough."""
        while not self._force_close:
            if not self._messages:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            head, content = self._messages.popleft()
            if self._parser is not None:
                self._parser.message_consumed()
            if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
                self._resume_reading_if_drained()
            lasting = await self._answer(head, content)
            if not isinstance(head, RawRequestMessage):
                await self._part()
            if not lasting or self._close or self._force_close:
                break
            self._keep()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def drain(self, seconds: float) -> None:
        """Nothing, once the client has room again; ConnectionError where it makes none in time."""
        self._room_due.set(seconds)
        try:
            await self._drain_helper()
        finally:
            self._room_due.clear()

    def request_of(self, asked: Asked) -> web.BaseRequest:
        """A request as aiohttp's own handlers have it."""
        if self._request_factory is None or self._task_handler is None:
            raise ConnectionResetError("the client has gone")
        writer = StreamWriter(self, self._loop)
        return self._request_factory(asked.head, asked.content, self, writer, self._task_handler)

    async def _answer(self, head: RawRequestMessage | object, content: StreamReader) -> bool:
        """Whether the connection goes on after the answer."""
        self._under_way.begin()
        try:
            if isinstance(head, RawRequestMessage):
                self._asked = Asked(head, content, self)
                sent = await self._edge.handle(self._asked)
            else:
                self._asked = Asked(ERROR, content, self)
                sent = await self._edge.refuse(self._asked, _refusal(getattr(head, "exc", None)))
            if not content.is_eof():
                await self._linger(content)
        except asyncio.CancelledError:
            self.force_close()
            raise
        except Exception as error:  # noqa: BLE001 - there is nobody else to take it
            self.log_exception("a connection failed", exc_info=error)
            self.force_close()
            return False
        finally:
            self._asked = None
            self._under_way.end()
        return sent.lasting

    async def _linger(self, content: StreamReader) -> None:
        """Read what is still to come of a body: closing at once would take the answer away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not content.is_eof() and not self._force_close:
                    await content.readany()
        if not content.is_eof():
            self.close()

    async def _part(self) -> None:
        """Let a client that may still be sending hear its answer; what it sends is dropped."""
        self._close = True
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
            await asyncio.sleep(PART_SECONDS)

    def _keep(self) -> None:
        self._next_keepalive_close_time = self._loop.time() + KEEPALIVE_SECONDS
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )

    def log_exception(
        self, *args: object, exc_info: BaseException | None = None, **more: object
    ) -> None:
        """Log what aiohttp did not expect; bodies that broke off are no news to the log."""
        if not isinstance(exc_info, web.RequestPayloadError):
            super().log_exception(*args, exc_info=exc_info, **more)

    def _break(self, body: StreamReader) -> None:
        """End a body in which the parser got lost: its request has the one answer to it."""
        self._messages.pop()
        body.set_exception(web.RequestPayloadError("the body's framing broke off"))
        body.feed_eof()
        self.close()

    def _stall(self) -> None:
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_exception(ConnectionError("the client stopped reading"))

    def _give_up(self) -> None:
        if self._asked is not None:
            self._asked.content.set_exception(TimeoutError())

    def _begin_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LONGEST_HEAD:
            logger.warning("a head of more than %d bytes was cut off", LONGEST_HEAD)
            self.force_close()
        elif self._deadline is None:
            self._deadline = self._loop.call_later(HEAD_SECONDS, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        if self._asked is None:
            self.force_close()
        else:
            # The request before it is still being answered.
            self._deadline = self._loop.call_later(HEAD_SECONDS, self._expire)

    def _end_head(self) -> None:
        self._head_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _refusal(failure: BaseException | None) -> GatewayError:
    if isinstance(failure, LineTooLong):
        return RequestHeaderSectionTooLarge(
            f"A request line or header has more than {LONGEST_LINE} bytes."
        )
    if type(failure) is BadHttpMessage:
        # The reason comes before the line's end, what was sent after it.
        reason = failure.message.partition("\n")[0].rstrip(":.")
        return InvalidRequest(f"This is no HTTP/1.1 request: {reason}.")
    return InvalidRequest("This is no HTTP/1.1 request.")
