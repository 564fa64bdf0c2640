"""A time by which something has to happen, cheap to move: every request moves several."""

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """Calls `missed` when so many seconds have passed since `set`, unless it was moved or cleared.

    The loop's timer is left where it is while it rings early enough: it looks again by itself.
    """

    __slots__ = ("_at", "_loop", "_missed", "_rings", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, missed: Callable[[], None]) -> None:
        self._loop = loop
        self._missed = missed
        self._at = self._rings = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """From now on there are so many seconds."""
        self._at = at = self._loop.time() + seconds
        if at < self._rings:
            self._ring(at)

    def clear(self) -> None:
        """There is all the time in the world."""
        self._at = NEVER

    def end(self) -> None:
        """Nothing will be called any more."""
        self._at = self._rings = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = at
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        self._timer, self._rings = None, NEVER
        if self._at == NEVER:
            return
        if self._at > self._loop.time():
            self._ring(self._at)
        else:
            self._at = NEVER
            self._missed()
