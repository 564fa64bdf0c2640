"""What comes back for a request, from its first byte to its last."""

import asyncio
from collections import deque

from gateway.deputy import Wait, pending
from gateway.storage.wire.head import Head


class Broken(Exception):
    """The connection ended, or spoke no HTTP."""


class Silent(Broken):
    """Nothing moved for too long."""


class Incoming:
    """An answer as it comes: its head, then the pieces of its body.

    `head` is None until it is there; `written` is what it was read from. `ended` says that all of
    the body has come. `failure` says what ended it before. `eager` says that as much may come at a
    time as there is room for: with a head, where nobody would tap what is behind it, and after it.
    """

    __slots__ = (
        "_loop",
        "_waiter",
        "eager",
        "ended",
        "failure",
        "head",
        "held",
        "method",
        "pieces",
        "written",
    )

    def __init__(
        self, method: str, loop: asyncio.AbstractEventLoop, *, eager: bool = False
    ) -> None:
        self.method = method
        self.eager = eager
        self._loop = loop  # to ask for the running one is a system call, in Python 3.11
        self.head: Head | None = None
        self.written = b""
        self.pieces: deque[bytes] = deque()
        self.held = 0
        self.ended = False
        self.failure: Exception | None = None
        self._waiter: Wait | None = None

    def change(self) -> Wait:
        """What is done once something has come, or the answer has ended one way or the other."""
        self._waiter = waiter = pending(self._loop)
        return waiter

    def wake(self) -> None:
        """Whoever waits goes on, perhaps at once: the last that is done where something came."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
