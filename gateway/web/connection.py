"""One client's connection: heads within bounds, and what is no request answered once.

aiohttp's protocol leaves three things open. A head may take minutes to come, and megabytes of
memory. A body whose chunked framing breaks off leaves its reader waiting. And what can't be
read as HTTP is repeated in the answer and in the log, credentials included.
"""

import asyncio
import logging
from typing import Protocol

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from gateway.errors import GatewayError, InvalidRequest, RequestHeaderSectionTooLarge

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

logger = logging.getLogger(__name__)


class Edge(Protocol):
    """What answers requests; `web.boundary.Boundary` is one."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request."""

    def refuse(self, request: web.BaseRequest, error: GatewayError) -> web.StreamResponse:
        """The answer to what could not be read as a request."""

    def leave(self) -> None:
        """Tell those whose connections last that the gateway stops."""


class Connection(web.RequestHandler):
    """aiohttp's protocol of one connection, within bounds."""

    __slots__ = ("_body", "_deadline", "_edge", "_head_bytes")

    def __init__(self, server: web.Server, edge: Edge, loop: asyncio.AbstractEventLoop) -> None:
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
        self._body: StreamReader | None = None  # of the request that came last
        self._head_bytes = 0  # of a head, or of framing, that has begun
        self._deadline: asyncio.TimerHandle | None = None

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
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request: nothing of it is repeated, here or in the log."""
        del status, message
        return self._edge.refuse(request, _refusal(exc))

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

    def _begin_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LONGEST_HEAD:
            logger.warning("a head of more than %d bytes was cut off", LONGEST_HEAD)
            self.force_close()
        elif self._deadline is None:
            self._deadline = self._loop.call_later(HEAD_SECONDS, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        if self._current_request is None:
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
