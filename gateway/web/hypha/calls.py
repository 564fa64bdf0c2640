"""The calls of one connection: carried out side by side, answered, and kept within bounds."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.errors import EntityTooLarge, GatewayError, InternalError, InvalidRequest, SlowDown
from gateway.services.registry.method import METHODS
from gateway.web import request_ids
from gateway.web.hypha import frames
from gateway.web.hypha.bounds import AT_ONCE, MOST_WAITING, MOST_WAITING_BYTES, Shared
from gateway.web.hypha.failures import told
from gateway.web.hypha.frames import Broken, Extra, Frame, Writer
from gateway.web.hypha.methods import LARGE, Methods, Value, operation
from gateway.web.websocket import Socket

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
FIRST_BEAT_SECONDS = 5.0
"""Until it is known how often a client wants to hear that its call goes on."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was answered: what it asked for, with which error, its bytes and its time."""

    request_id: str
    operation: str
    error: GatewayError | None
    received: int
    sent: int
    seconds: float
    began: datetime


@dataclass(slots=True)
class Pending:
    """A call that is not answered yet, and when its client is told next that it goes on."""

    frame: Frame
    due: float
    interval: float = FIRST_BEAT_SECONDS


class Calls:
    """Carries out what comes on one socket. Each answer goes out as soon as it is there."""

    def __init__(
        self,
        socket: Socket,
        writer: Writer,
        shared: Shared,
        longest: int,
        tell: Callable[[Answered], None],
    ) -> None:
        """A call brings along at most `longest` bytes. `tell` is told of each that was answered."""
        self._socket = socket
        self._writer = writer
        self._shared = shared
        self._longest = longest
        self._tell = tell
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._pending: dict[asyncio.Task[None], Pending] = {}
        self._waiting = 0  # bytes

    async def take(self, data: bytes, methods: Methods) -> None:
        """Begin with what a message asks for; Broken where it is none. It is not waited for."""
        frame = frames.parse(data)
        if frame is None:
            return
        size = len(frame.rest)
        if size > self._longest:
            error: GatewayError = EntityTooLarge(f"this call has at most {self._longest} bytes")
            await self._send(self._rejection(frame, error))
            return
        crowded = len(self._pending) >= MOST_WAITING or self._waiting + size > MOST_WAITING_BYTES
        if crowded or not self._shared.take(size):
            error = SlowDown("too many calls wait: let some be answered first")
            await self._send(self._rejection(frame, error))
            return
        self._waiting += size
        pending = Pending(frame, time.monotonic() + FIRST_BEAT_SECONDS)
        task = asyncio.create_task(self._carry_out(pending, methods))
        self._pending[task] = pending
        task.add_done_callback(self._end)

    async def beat(self) -> None:
        """Tell, for ever, whoever waits for long that the call goes on."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            now = time.monotonic()
            for pending in list(self._pending.values()):
                if pending.due <= now:
                    pending.due = now + pending.interval
                    await self._send(self._callback(pending.frame, "heartbeat"))

    async def ended(self, seconds: float) -> None:
        """Nothing, once all are answered, or after so many seconds."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=seconds)

    def drop(self) -> None:
        """End what is under way: nobody waits for it. What changes something goes on by itself."""
        for task in list(self._pending):
            task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        pending = self._pending.pop(task)
        size = len(pending.frame.rest)
        self._waiting -= size
        self._shared.give(size)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a call was not answered", exc_info=task.exception())

    async def _carry_out(self, pending: Pending, methods: Methods) -> None:
        frame, name = pending.frame, operation(pending.frame)
        method = METHODS.get(name or "")
        reads = method is not None and method.reads
        async with self._turns:
            # A client that takes no answers keeps its own turns, and nobody else's place.
            async with self._shared.reads if reads else nullcontext():
                started, began = time.monotonic(), datetime.now(UTC)
                request_id = request_ids.draw()
                messages, error = await self._answer(pending, methods, request_id, began)
            sent = sum(map(len, messages))
            if not self._shared.take(sent):
                error = SlowDown("too many answers wait to be taken: try again")
                messages, sent = self._rejection(frame, error), 0
            try:
                await self._send(messages)
            finally:
                self._shared.give(sent)
        if name is not None:
            seconds = time.monotonic() - started
            size = len(frame.rest)
            self._tell(Answered(request_id, name, error, size, sent, seconds, began))

    async def _answer(
        self, pending: Pending, methods: Methods, request_id: str, now: datetime
    ) -> tuple[list[bytes], GatewayError | None]:
        """The messages of a call's answer, and what it was refused for."""
        frame = pending.frame
        try:
            extra = await _brought(frame)
            pending.interval = max(BEAT_SECONDS, extra.interval or FIRST_BEAT_SECONDS)
            value = await methods.carry_out(frame, extra, now)
            return await self._resolution(frame, value), None
        except GatewayError as refused:
            error = refused
        except Broken as broken:
            error = InvalidRequest(str(broken))
        except Exception:
            logger.exception("call %s failed", request_id)
            error = InternalError(f"the gateway failed; its log has the reason: {request_id}")
        return self._rejection(frame, error), error

    async def _resolution(self, frame: Frame, value: Value) -> list[bytes]:
        # What is large is written beside the event loop: others go on meanwhile.
        if value.large:
            return await asyncio.to_thread(self._callback, frame, "resolve", value.plain)
        return self._callback(frame, "resolve", value.plain)

    def _rejection(self, frame: Frame, error: GatewayError) -> list[bytes]:
        encoded = {frames.ENCODED: "error", "_rvalue": told(error, operation(frame))}
        return self._callback(frame, "reject", encoded)

    def _callback(self, frame: Frame, name: str, *arguments: object) -> list[bytes]:
        """The messages that call back into a call's session; none where its client waits not."""
        if frame.session is None:
            return []
        return self._writer.callback(frame.target, frame.session, name, *arguments)

    async def _send(self, messages: list[bytes]) -> None:
        with suppress(ConnectionError):  # whoever reads from the socket hears of it
            await self._socket.send(*messages)


async def _brought(frame: Frame) -> Extra:
    if len(frame.rest) > LARGE:
        return await asyncio.to_thread(frames.brought, frame.rest)
    return frames.brought(frame.rest)
