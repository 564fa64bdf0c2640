"""Both ends of a long body's way from one socket to another (`passage`, `sieve`).

For long bodies that pass as they are. Both sockets are plain TCP and belong to transports of the
event loop, of which the one does not read meanwhile, and the other has nothing to write. Where
that can't be, or there is neither pipe nor buffer, nothing moves here: a body goes as others do.
"""

import asyncio
import fcntl
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from select import POLLIN, poll
from typing import Self

LEAST = 1 << 18
"""How many bytes have to be left, or it does not pay."""

Sieve = Callable[[bytes | memoryview, int], tuple[Sequence[bytes | memoryview], int]]
"""What looks at a body, at its next bytes, until they have fallen into so many pieces.

It gives what of them may go, in views of them, and how many it has looked at; or it raises.
"""

MOST_PIECES = 256
"""How many pieces a body may fall into before others have their turn: each takes microseconds.

The system writes four times as many at once.
"""

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

    Once it is waited for it has to be closed: it is opened once more then, since event loops keep
    the transport's to themselves.
    """

    __slots__ = ("_errors", "_transport", "fd", "seconds")

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._errors: poll | None = None  # once it is opened
        self.seconds = seconds
        self.fd: int = transport.get_extra_info("socket").fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._errors is not None:
            os.close(self.fd)

    def open(self) -> None:
        """Nothing; the socket stays what it is, whatever becomes of its transport. OSError."""
        if self._errors is None:
            self.fd = os.dup(self.fd)
            self._errors = poll()
            self._errors.register(self.fd, 0)

    @property
    def closed(self) -> bool:
        """Whether the transport has come to its end."""
        return self._transport.is_closing()

    @property
    def failed(self) -> bool:
        """Whether the connection was reset: event loops may tell of that once, and no more."""
        return self._errors is not None and bool(self._errors.poll(0))

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
    """Where a body goes; `size` bytes of it have gone, of `most` that may.

    With a `sieve`, what comes is to go through it first.
    """

    __slots__ = ("most", "sieve", "size")

    def __init__(self, transport: asyncio.Transport, most: int, seconds: float) -> None:
        super().__init__(transport, seconds)
        self.most = most
        self.size = 0
        self.sieve: Sieve | None = None

    def write(self, piece: bytes) -> None:
        """Nothing; what was read already goes before the rest."""
        self.size += len(piece)
        self._transport.write(piece)

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


class Ends:
    """Both ends that a transport can be. What its socket is like is found out once."""

    __slots__ = ("_plain", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._plain = _is_plain(transport)

    @property
    def passing(self) -> bool:
        """Whether bytes may pass here that nobody reads."""
        return self._plain and not self._transport.is_closing()

    def tap(self, left: int, seconds: float) -> Tap | None:
        """Where so many bytes come from; None where they have to be read."""
        if left < LEAST or not self.passing:
            return None
        try:
            return Tap(self._transport, left, seconds)
        except OSError:
            return None

    def quiet(self) -> bool:
        """Whether nothing is in the socket that has not been read, not even its end."""
        looking = poll()
        looking.register(self._transport.get_extra_info("socket").fileno(), POLLIN)
        return not looking.poll(0)

    def outlet(self, most: int, seconds: float) -> Outlet | None:
        """Where so many bytes may go; None where they have to be written."""
        if most < LEAST or not self.passing:
            return None
        try:
            return Outlet(self._transport, most, seconds)
        except OSError:
            return None


def _is_plain(transport: asyncio.Transport) -> bool:
    """Whether a transport's bytes are those of a TCP socket."""
    if not AVAILABLE or transport.get_extra_info("sslcontext") is not None:
        return False
    carrier = transport.get_extra_info("socket")
    return carrier is not None and carrier.family in (socket.AF_INET, socket.AF_INET6)
