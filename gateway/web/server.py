"""The HTTP server of one process: from a bound socket to the last answer."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

LONGEST_LINE = 65_536  # bytes: presigned URLs and metadata pass aiohttp's own 8,190
STOP_SECONDS = 10.0
# Longer than what balancers keep a connection for: whoever closes first must be the client.
KEEPALIVE_SECONDS = 630.0
BACKLOG = 1_024

Ready = Callable[[], Awaitable[None]]


class AddressTaken(Exception):
    """The address to listen on can't be had: the message says why and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet; AddressTaken. Port 0 is any free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise AddressTaken(f"listen.host: {host}: {error.strerror}") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        # With SO_REUSEADDR two sockets can be bound to one port: the first to listen has it.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise AddressTaken(
            f"port {port} of {host}: {error.strerror}: stop what listens there, or choose "
            "another with --port or listen.port"
        ) from None
    return listener


async def serve(
    app: web.Application, listener: socket.socket, stopping: asyncio.Event, ready: Ready
) -> None:
    """Serves until `stopping` is set; then takes no more, and ends what it has begun.

    `ready` runs once requests are answered. What is not answered STOP_SECONDS after the stop
    is cut off.
    """
    under_way = UnderWay()
    app.middlewares.append(under_way.counting())
    runner = web.AppRunner(
        app,
        access_log=None,  # the boundary writes its own
        auto_decompress=False,  # bodies are stored as they come
        handler_cancellation=True,
        keepalive_timeout=KEEPALIVE_SECONDS,
        max_field_size=LONGEST_LINE,
        max_line_size=LONGEST_LINE,
        shutdown_timeout=0.1,  # by then the time is over; aiohttp takes 0 for no limit
    )
    try:
        await runner.setup()
        site = web.SockSite(runner, listener, backlog=BACKLOG)
        await site.start()
        await ready()
        await stopping.wait()
        await site.stop()
        # The runner's own way of stopping would drop what is still to come of bodies.
        await under_way.ended(STOP_SECONDS)
    finally:
        await runner.cleanup()


class UnderWay:
    """The requests that are being answered."""

    def __init__(self) -> None:
        self._number = 0
        self._none = asyncio.Event()
        self._none.set()

    def counting(self) -> Middleware:
        """A middleware that counts those of its application."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._number += 1
            self._none.clear()
            try:
                return await handler(request)
            finally:
                self._number -= 1
                if not self._number:
                    self._none.set()

        return count

    async def ended(self, seconds: float) -> None:
        """Nothing, once all are answered, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()
