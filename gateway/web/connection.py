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

from aiohttp import EMPTY_PAYLOAD, StreamReader, web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.web_protocol import ERROR

from gateway.deputy import Deputy
from gateway.web.asked import Asked
from gateway.web.coming import Coming
from gateway.web.deadline import Deadline
from gateway.web.edge import Edge, UnderWay
from gateway.web.heads import Heads, Known, is_alone
from gateway.web.intake import Intake
from gateway.web.misread import LONGEST_LINE, refusal

MOST_HEADERS = 1_000
"""The most headers of a request: 2 kB of metadata are some hundred of them."""

# Longer than what balancers keep a connection for: whoever closes first must be the client.
KEEPALIVE_SECONDS = 630.0

PART_SECONDS = 1.0
"""How long a client that was not understood may take to hear so."""

LINGER_SECONDS = 10.0
"""How long what is still to come of a body is read and dropped, so that its answer is heard."""

REFUSED = 400
logger = logging.getLogger(__name__)


class Connection(Intake):
    """aiohttp's protocol of one connection, within bounds."""

    __slots__ = (
        "_asked",
        "_body",
        "_coming",
        "_deputy",
        "_edge",
        "_heads",
        "_peer",
        "_repeated",
        "_room_due",
        "_under_way",
        "body_due",
        "remote",
    )

    def __init__(
        self,
        server: web.Server,
        edge: Edge,
        under_way: UnderWay,
        loop: asyncio.AbstractEventLoop,
        known: Heads,
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
        self._heads = known
        self._repeated: Known | None = None  # a head that has come before
        self._deputy = Deputy[bool](loop, self._go_on)  # it answers these
        self.remote = ""
        self._peer = b""
        self._asked: Asked | None = None  # what is being answered
        self._body: StreamReader | None = None  # of the request that came last
        self._coming = Coming(loop, self._cut_head)
        self._room_due = Deadline(loop, self._stall)
        self.body_due = Deadline(loop, self._give_up)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember who the client is."""
        super().connection_made(transport)
        peer = self.peername
        self.remote = str(peer[0] if isinstance(peer, tuple) else peer or "")
        self._peer = self.remote.encode()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent in."""
        waiter, known = self._waiter, None
        # Only where nothing is being answered, and nothing of a request has come.
        if waiter is not None and not (waiter.done() or self._coming.size or self._close):
            known = self._heads.find(data, self._peer)
        if known is not None and known.head is not None and not self._force_close:
            self._answer_again(known, known.head)
            return
        body, count = self._body, self._request_count
        read = 0 if body is None else body.total_bytes
        super().data_received(data)
        if self._request_count != count:
            self._coming.end()
            if body is not None and not body.is_eof():
                self._break(body)
            else:
                self._body = self._messages[-1][1]
                if known is not None and is_alone(self._messages, data):
                    self._repeated = known
        elif body is not None and body.total_bytes != read:
            self._coming.end()
        elif (
            self._payload_parser is None
            and data.strip(b"\r\n")
            and self._coming.grows_too_long(len(data))
        ):
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the client."""
        self._coming.end()
        self._room_due.end()
        self.body_due.end()
        if self._asked is not None:
            self._asked.content.set_exception(exc or ConnectionResetError("the client has gone"))
        super().connection_lost(exc)

    async def start(self) -> None:
        """Answer what comes, one after the other, until one side has had enough."""
        while not self._force_close:
            if not self._messages:
                waiter = self._waiter = self._loop.create_future()
                try:
                    await waiter
                except asyncio.CancelledError as cancelled:
                    if self._deputy.ended:
                        raise
                    self._deputy.fail(cancelled)  # it may be a time-out of the answer's own
                finally:
                    self._waiter = None
            lasting = await (self._answer_next() if self._deputy.ended else self._deputy.rest())
            if not lasting or self._close or self._force_close:
                break
            self._keep()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _answer_next(self) -> bool:
        """Whether the connection goes on after the answer to what came first."""
        head, content = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        lasting = await self._answer(head, content)
        if not isinstance(head, RawRequestMessage):
            await self._part()
        return lasting

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

    async def _answer(
        self, head: RawRequestMessage | object, content: StreamReader, known: Known | None = None
    ) -> bool:
        """Whether the connection goes on after the answer; `known` is what is known of its head."""
        self._under_way.begin()
        try:
            if isinstance(head, RawRequestMessage):
                repeated, self._repeated = self._repeated, None
                if repeated is not None:
                    known = repeated
                self._asked = Asked(head, content, self, known)
                sent = await self._edge.handle(self._asked)
                if repeated is not None and sent.lasting and sent.status < REFUSED:
                    repeated.head = head
                    self._heads.keep(repeated)
            else:
                self._asked = Asked(ERROR, content, self)
                sent = await self._edge.refuse(self._asked, refusal(getattr(head, "exc", None)))
            if content is not EMPTY_PAYLOAD and not content.is_eof():
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

    def _answer_again(self, known: Known, head: RawRequestMessage) -> None:
        """Answer a head that was answered before: at once, or as soon as it can be."""
        waiter, task = self._waiter, self._task_handler
        if waiter is None or task is None:
            raise RuntimeError("nobody waits for a head")
        self._request_count += 1
        self._waiter = None  # from here on it is an answer that is waited for
        self._deputy.begin(self._answer(head, EMPTY_PAYLOAD, known), task, waiter)
        if not self._deputy.waits:
            self._go_on()

    def _go_on(self) -> None:
        """Take what has come of an answer that was begun, or wake the task for it."""
        deputy = self._deputy
        if not deputy.ended:
            deputy.waiter.set_result(None)
            return
        self._waiter = deputy.waiter
        if not deputy.result or self._close or self._force_close:
            self.force_close()
            return
        self._keep()
        if self._messages:  # they came meanwhile, when there was no waiter to be told
            deputy.waiter.set_result(None)

    async def _linger(self, content: StreamReader) -> None:
        """Read what is still to come of a body: closing at once would take the answer away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not content.is_eof() and not self._force_close:
                    self.ask()
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

    def _cut_head(self) -> bool:
        """Whether a head that takes too long was cut off: not while one before it is answered."""
        if self._asked is not None:
            return False
        self.force_close()
        return True
