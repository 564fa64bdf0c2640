"""Bytes from one socket to another that are never copied: through a pipe, by Linux's splice(2).

For long bodies that pass as they are. Both sockets are plain TCP and belong to transports of the
event loop, of which the one does not read meanwhile, and the other has nothing to write. Where
that can't be, or there is no pipe, nothing moves here, and a body goes as others do.
"""

import asyncio
import fcntl
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

from gateway.pipes import PIPE_BYTES, PIPES, Pipe

LEAST = 1 << 18
"""How many bytes have to be left, or it does not pay."""

AVAILABLE = hasattr(os, "splice") and hasattr(fcntl, "F_SETPIPE_SZ")


class Dry(Exception):
    """What was to be read has ended too early."""


class Silent(Dry):
    """What was to be read did not come in time."""


class Blocked(ConnectionError):
    """Nothing can be written any more."""


class Stalled(Blocked):
    """Nothing was taken in time."""


class End(ABC):
    """A transport's socket, at one end of the way. `seconds` is how long it may do nothing.

    It is opened once more, and has to be closed: event loops keep the transport's to themselves.
    """

    __slots__ = ("_transport", "fd", "seconds")

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self.seconds = seconds
        self.fd = os.dup(transport.get_extra_info("socket").fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @abstractmethod
    def watch(self, loop: asyncio.AbstractEventLoop, ready: Callable[[], None]) -> None:
        """Call `ready` for as long as something can be done here."""

    @abstractmethod
    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call nobody any more."""

    @abstractmethod
    def overdue(self) -> Exception:
        """What is raised when nothing was done here for too long."""


class Tap(End):
    """Where a body comes from; `left` bytes of it are still in the socket, or will be."""

    __slots__ = ("left",)

    def __init__(self, transport: asyncio.Transport, left: int, seconds: float) -> None:
        super().__init__(transport, seconds)
        self.left = left

    def watch(self, loop: asyncio.AbstractEventLoop, ready: Callable[[], None]) -> None:
        """Call `ready` while there is something to read."""
        loop.add_reader(self.fd, ready)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call nobody any more."""
        loop.remove_reader(self.fd)

    def overdue(self) -> Silent:
        """Nothing came."""
        return Silent(f"nothing came for {self.seconds:g} seconds")


class Outlet(End):
    """Where a body goes; `size` bytes of it have gone, of `most` that may."""

    __slots__ = ("most", "size")

    def __init__(self, transport: asyncio.Transport, most: int, seconds: float) -> None:
        super().__init__(transport, seconds)
        self.most = most
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Nothing; what was read already goes before the rest."""
        self.size += len(piece)
        self._transport.write(piece)

    @property
    def closed(self) -> bool:
        """Whether the transport has come to its end."""
        return self._transport.is_closing()

    @property
    def occupied(self) -> bool:
        """Whether the transport has something to write first."""
        return self._transport.get_write_buffer_size() > 0

    def watch(self, loop: asyncio.AbstractEventLoop, ready: Callable[[], None]) -> None:
        """Call `ready` while there is room."""
        loop.add_writer(self.fd, ready)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call nobody any more."""
        loop.remove_writer(self.fd)

    def overdue(self) -> Stalled:
        """Nothing was taken."""
        return Stalled(f"nothing was taken for {self.seconds:g} seconds")


def tap_of(transport: asyncio.Transport, left: int, seconds: float) -> Tap | None:
    """Where so many bytes come from; None where they have to be read."""
    if left < LEAST or not _is_plain(transport):
        return None
    try:
        return Tap(transport, left, seconds)
    except OSError:
        return None


def outlet_of(transport: asyncio.Transport, most: int, seconds: float) -> Outlet | None:
    """Where so many bytes may go; None where they have to be written."""
    if most < LEAST or not _is_plain(transport):
        return None
    try:
        return Outlet(transport, most, seconds)
    except OSError:
        return None


def _is_plain(transport: asyncio.Transport) -> bool:
    """Whether a transport is open, and its bytes are those of a TCP socket."""
    if not AVAILABLE or transport.is_closing():
        return False
    if transport.get_extra_info("sslcontext") is not None:
        return False
    carrier = transport.get_extra_info("socket")
    return carrier is not None and carrier.family in (socket.AF_INET, socket.AF_INET6)


async def conduct(tap: Tap, outlet: Outlet) -> None:
    """Nothing, once all has gone, or as much as can go here: `tap.left` says what has not.

    Dry, Blocked: then something may have been taken that has not gone.
    """
    passage = _Passage(tap, outlet)
    try:
        await passage.ended
    finally:
        passage.close()


class _Passage:
    """A body on its way. It has a pipe while there is something in it."""

    __slots__ = (
        "_inside",
        "_loop",
        "_moved",
        "_outlet",
        "_pipe",
        "_tap",
        "_timer",
        "_waits",
        "ended",
    )

    def __init__(self, tap: Tap, outlet: Outlet) -> None:
        self._loop = asyncio.get_running_loop()
        self._tap = tap
        self._outlet = outlet
        self._pipe: Pipe | None = None
        self._inside = 0
        self._waits: End | None = None
        self._moved = self._loop.time()
        self._timer = self._loop.call_later(min(tap.seconds, outlet.seconds), self._look)
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._go_on()

    def close(self) -> None:
        """Nothing; whatever is inside is lost."""
        self._wait(None)
        self._timer.cancel()
        if self._pipe is not None:
            PIPES.destroy(self._pipe)

    def _go_on(self) -> None:
        if self.ended.done():
            return
        try:
            waits = self._move()
        except (Dry, Blocked) as error:
            self.ended.set_exception(error)
            return
        if waits is None:
            self.ended.set_result(None)
        self._wait(waits)

    def _move(self) -> End | None:
        """Whom to wait for, once what could go at once has gone; None at the end."""
        tap, outlet = self._tap, self._outlet
        if outlet.closed:
            raise Blocked("the connection was closed")
        if outlet.occupied:
            return outlet
        if self._pipe is None:
            self._pipe = PIPES.take()
        pipe = self._pipe
        if pipe is None:
            return None
        if not self._inside and not self._fill(pipe):
            return tap
        self._moved = self._loop.time()
        if not self._empty(pipe):
            return outlet
        return tap if tap.left else None

    def _fill(self, pipe: Pipe) -> bool:
        """Whether something is in the pipe now."""
        tap = self._tap
        most = min(tap.left, PIPE_BYTES)
        try:
            self._inside = os.splice(tap.fd, pipe.into, most, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            self._give_back(pipe)
            return False
        except OSError as error:
            raise Dry(str(error)) from error
        if not self._inside:
            raise Dry("the connection was closed")
        tap.left -= self._inside
        return True

    def _empty(self, pipe: Pipe) -> bool:
        """Whether nothing is in the pipe any more."""
        outlet = self._outlet
        try:
            while self._inside:
                size = os.splice(pipe.out, outlet.fd, self._inside, flags=os.SPLICE_F_NONBLOCK)
                self._inside -= size
                outlet.size += size
        except BlockingIOError:
            return False
        except OSError as error:
            raise Blocked(str(error)) from error
        self._give_back(pipe)
        return True

    def _give_back(self, pipe: Pipe) -> None:
        self._pipe = None
        PIPES.give_back(pipe)

    def _wait(self, end: End | None) -> None:
        if end is self._waits:
            return
        if self._waits is not None:
            self._waits.leave(self._loop)
        if end is not None:
            end.watch(self._loop, self._go_on)
        self._waits = end

    def _look(self) -> None:
        """End what has not moved for too long: one timer a body, not one a move."""
        unused = self._loop.time() - self._moved
        end = self._waits or self._tap
        if unused < end.seconds:
            self._timer = self._loop.call_later(max(end.seconds - unused, 0.01), self._look)
        elif not self.ended.done():
            self.ended.set_exception(end.overdue())
