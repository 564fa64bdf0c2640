"""The HTTP server of one process: from a bound socket to the last answer."""

import asyncio
import errno
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from aiohttp import web

from gateway.sockets import socket_for
from gateway.web import garbage
from gateway.web.connection import Connection
from gateway.web.edge import Edge, UnderWay
from gateway.web.heads import Heads

STOP_SECONDS = 10.0
CUT_SECONDS = 0.1
BACKLOG = 1_024
SWITCH_SECONDS = 0.001
"""So long a thread that computes keeps those waiting that have computed nothing for a while.

Python's own 5 ms add up: SQLite's writer and the event loop wait anew after each statement.
"""
TRIES, PAUSE_SECONDS = 20, 0.05

Ready = Callable[[], Awaitable[None]]


async def _unasked(request: web.BaseRequest) -> web.StreamResponse:
    """Nothing: connections ask the edge themselves."""
    raise AssertionError(request.method)


class AddressTaken(Exception):
    """The address to listen on can't be had: the message says why and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens at the address; AddressTaken. Port 0 is any free one.

    What a gateway that was killed leaves behind is on its way out: it gets a moment for that.
    """
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket_for(info)
    except OSError as error:
        raise AddressTaken(f"listen.host: {host}: {error.strerror}") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for left in reversed(range(TRIES)):
        try:
            listener.bind(info[4])
            # With SO_REUSEADDR two sockets can be bound to one port: the first to listen has it.
            listener.listen(BACKLOG)
        except OSError as error:
            if left and error.errno == errno.EADDRINUSE:
                time.sleep(PAUSE_SECONDS)
                continue
            listener.close()
            raise AddressTaken(
                f"port {port} of {host}: {error.strerror}: stop what listens there, or choose "
                "another with --port or listen.port"
            ) from None
        break
    return listener


async def serve(
    app: AbstractAsyncContextManager[Edge],
    listener: socket.socket,
    stopping: asyncio.Event,
    ready: Ready,
) -> None:
    """Opens `app` and serves it until `stopping` is set; then takes no more, and ends what began.

    `ready` runs once requests are answered. What is not answered STOP_SECONDS after the stop
    is cut off. An opening that is not done is given up.
    """
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        edge = await _opened(app, stack, stopping)
        if edge is None:
            return
        under_way = UnderWay()
        connections = web.Server(_unasked, handler_cancellation=True)
        known = Heads()
        listening = await loop.create_server(
            lambda: Connection(connections, edge, under_way, loop, known),
            sock=listener,
            backlog=BACKLOG,
        )
        sys.setswitchinterval(SWITCH_SECONDS)
        garbage.settle()
        collecting = asyncio.create_task(garbage.collect(under_way.none))
        try:
            await ready()
            await stopping.wait()
            listening.close()
            edge.leave()
            # aiohttp's own way of stopping would drop what is still to come of bodies.
            await under_way.ended(STOP_SECONDS)
        finally:
            collecting.cancel()
            listening.close()
            connections.pre_shutdown()
            # By now the time is over; aiohttp takes 0 for no limit.
            await connections.shutdown(CUT_SECONDS)


async def _opened(
    app: AbstractAsyncContextManager[Edge], stack: AsyncExitStack, stopping: asyncio.Event
) -> Edge | None:
    """What `app` opens, which `stack` closes; None where it is to stop before."""
    opening = asyncio.timeout(None)

    async def give_up() -> None:
        await stopping.wait()
        opening.reschedule(0)

    try:
        async with opening:
            giving_up = asyncio.create_task(give_up())
            try:
                return await stack.enter_async_context(app)
            finally:
                giving_up.cancel()
    except TimeoutError:
        if opening.expired():
            return None
        raise
