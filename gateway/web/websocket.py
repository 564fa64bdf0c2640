"""Websockets: what an Upgrade makes of a connection, within bounds, until it is closed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import WSCloseCode, WSMsgType, web
from multidict import CIMultiDict

from gateway.errors import InvalidRequest
from gateway.web.asked import Asked
from gateway.web.reply import Sent

LONGEST_MESSAGE = 524_288
"""The most bytes of one message that is taken in: twice a piece of what is longer."""

HEARTBEAT_SECONDS = 60.0
"""A client that said nothing for so long is asked; who doesn't answer in half of it is gone."""

STALL_SECONDS = 30.0
"""How long a client may take to make room for a message."""

CLOSE_SECONDS = 2.0
"""How long a client may take to close its side."""


class Socket:
    """One client's websocket: messages in, messages out, each whole and in order.

    `leaving` is set when the gateway stops: then no more is to be read, and what was begun ends.
    """

    def __init__(self, response: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self._response = response
        self._transport = transport
        self._turn = asyncio.Lock()
        self.leaving = asyncio.Event()
        self.received = 0
        self.sent = 0

    async def receive(self, seconds: float) -> str | bytes | None:
        """The next message; None when there is none any more.

        TimeoutError where none comes in so many seconds.
        """
        message = await self._response.receive(timeout=seconds)
        if message.type is WSMsgType.TEXT:
            text: str = message.data
            self.received += len(text)
            return text
        if message.type is WSMsgType.BINARY:
            data: bytes = message.data
            self.received += len(data)
            return data
        return None

    async def send(self, *messages: str | bytes) -> None:
        """Nothing, once the client has room for what comes next; ConnectionError if it is gone.

        A client that makes no room in STALL_SECONDS is cut off: so what waits for it is no more
        than what those who send have in their hands.
        """
        async with self._turn:
            for message in messages:
                await self._put(message)

    async def close(self, code: WSCloseCode, reason: str = "") -> None:
        """Nothing, once the client has closed its side, or has had the time for it."""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                # A close frame has room for 123 bytes.
                await self._response.close(code=code, message=reason.encode()[:120])
        self.cut()

    def cut(self) -> None:
        """Drop the connection, and what the client has not taken."""
        self._transport.abort()

    async def _put(self, message: str | bytes) -> None:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                if isinstance(message, str):
                    await self._response.send_str(message)
                else:
                    await self._response.send_bytes(message)
        except TimeoutError:
            self.cut()
            raise ConnectionError("the client stopped reading") from None
        self.sent += len(message)


Converse = Callable[[Socket], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An answer that makes a websocket of the connection; `converse` speaks on it to its end."""

    converse: Converse


class Sockets:
    """The websockets that are open in this process."""

    def __init__(self) -> None:
        self._open: set[Socket] = set()

    def leave(self) -> None:
        """Tell every conversation that the gateway stops."""
        for socket in self._open:
            socket.leaving.set()

    async def switch(self, asked: Asked, headers: CIMultiDict[str], upgrade: Upgrade) -> Sent:
        """What was sent, after the conversation; InvalidRequest for what is no handshake."""
        # Compressed messages would be small on the wire, and large here.
        response = web.WebSocketResponse(
            compress=False,
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=LONGEST_MESSAGE,
            timeout=CLOSE_SECONDS,
        )
        request, transport = asked.upgraded()
        if transport is None or not response.can_prepare(request):
            raise InvalidRequest("this path is for websockets: RFC 6455, version 13")
        response.headers.update(headers)
        await response.prepare(request)
        socket = Socket(response, transport)
        self._open.add(socket)
        failure: Exception | None = None
        try:
            await upgrade.converse(socket)
        except Exception as error:  # noqa: BLE001 - after the handshake there is one honest answer
            failure = error
        except asyncio.CancelledError:
            # Who serves a connection is cancelled once it is gone, also by a farewell.
            if not transport.is_closing():
                raise
            failure = None if response.closed else ConnectionError("the client left")
        finally:
            self._open.discard(socket)
            socket.cut()
        return Sent(response.status, socket.sent, failure, socket.received)
