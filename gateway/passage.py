"""Bytes from one socket to another that are never copied: through a pipe, by Linux's splice(2)."""

import asyncio
import math
import os
from abc import ABC, abstractmethod

from gateway.conduit import Blocked, Dry, End, Outlet, Tap
from gateway.deputy import Wait, pending
from gateway.pipes import PIPE_BYTES, PIPES, Pipe

MOVES = 4
"""How many times a pipe is filled and emptied before others have their turn."""

WITHOUT_WAITING = getattr(os, "SPLICE_F_NONBLOCK", 0)


async def conduct(tap: Tap, outlet: Outlet) -> None:
    """Nothing, once all has gone, or as much as can go here: `tap.left` says what has not.

    Dry, Blocked: then something may have been taken that has not gone.
    """
    if tap.closed:
        raise Dry("the connection was closed")
    await _Spliced(tap, outlet).end()


class Passage(ABC):
    """A body on its way: what has to be waited for, and for how long."""

    __slots__ = (
        "_failure",
        "_loop",
        "_moved",
        "_outlet",
        "_over",
        "_tap",
        "_timer",
        "_waiter",
        "_waits",
    )

    _waiter: Wait

    def __init__(self, tap: Tap, outlet: Outlet) -> None:
        self._tap = tap
        self._outlet = outlet
        self._waits: End | None = None
        self._over = False
        self._failure: Exception | None = None

    async def end(self) -> None:
        """Nothing, once all has gone that can go here."""
        try:
            waits = self._move()
            if waits is not None:
                await self._rest(waits)
        finally:
            self._close()

    @abstractmethod
    def _carry(self) -> End | None:
        """Whom to wait for, once what could go at once has gone; None at the end."""

    @property
    @abstractmethod
    def _laden(self) -> bool:
        """Whether something is inside that has not gone yet."""

    @abstractmethod
    def _spill(self) -> None:
        """Nothing is inside any more: it goes as what was read does."""

    @abstractmethod
    def _close(self) -> None:
        """Nothing; whatever is inside is lost."""

    def _next(self) -> End | None:
        """Whom to wait for, where all has gone that was there; None at the end.

        Not for the other end before it has to be: to change takes ten system calls.
        """
        return (self._waits or self._tap) if self._tap.left else None

    async def _rest(self, waits: End) -> None:
        """Nothing, once what could not go at once has gone too."""
        tap, outlet = self._tap, self._outlet
        try:
            tap.open()
            outlet.open()
        except OSError:  # too many files are open
            self._spill()
            return
        self._loop = loop = asyncio.get_running_loop()
        self._moved = loop.time()
        self._timer = loop.call_later(self._pause(), self._look)
        try:
            self._wait(waits)
            while not self._over:
                self._waiter = pending(loop)
                await self._waiter
            if self._failure is not None:
                raise self._failure
        finally:
            self._wait(None)
            self._timer.cancel()

    def _go_on(self) -> None:
        if self._over:
            return
        try:
            waits = self._move()
        except Exception as error:  # noqa: BLE001 - who waits for the end is told
            self._finish(error)
            return
        self._wait(waits)
        if waits is None:
            self._finish()

    def _move(self) -> End | None:
        if self._outlet.closed:
            raise Blocked("the connection was closed")
        return self._outlet if self._outlet.occupied else self._carry()

    def _note_move(self) -> None:
        if self._waits is not None:
            self._moved = self._loop.time()

    def _wait(self, end: End | None) -> None:
        if end is self._waits and (end is None or not end.failed):
            return
        if self._waits is not None:
            self._waits.leave(self._loop)
        if end is not None:
            end.watch(self._loop, self._go_on)
        self._waits = end

    def _look(self) -> None:
        """End what has not moved for too long: one timer a body, not one a move."""
        if self._waits is self._outlet and not self._laden and not self._outlet.occupied:
            self._wait(self._tap)  # with nothing to be written it is the tap that is late
        unused = self._loop.time() - self._moved
        end = self._waits or self._tap
        if unused < end.seconds:
            self._timer = self._loop.call_later(self._pause(end.seconds - unused), self._look)
        elif not self._over:
            self._finish(end.overdue())

    def _pause(self, left: float = math.inf) -> float:
        """How long until the next look, in seconds: by then another end may be waited for."""
        return min(max(left, 0.01), self._tap.seconds, self._outlet.seconds)

    def _finish(self, failure: Exception | None = None) -> None:
        """Who waits goes on; nothing is to be done here any more."""
        self._over, self._failure = True, failure
        if not self._waiter.done():
            self._waiter.set_result(None)


class _Spliced(Passage):
    """A body that nobody looks at. It has a pipe while there is something in it."""

    __slots__ = ("_inside", "_pipe")

    def __init__(self, tap: Tap, outlet: Outlet) -> None:
        super().__init__(tap, outlet)
        self._pipe: Pipe | None = None
        self._inside = 0

    def _carry(self) -> End | None:
        if self._pipe is None:
            self._pipe = PIPES.take()
        return None if self._pipe is None else self._move_through(self._pipe)

    def _move_through(self, pipe: Pipe) -> End | None:
        tap, outlet = self._tap, self._outlet
        for _ in range(MOVES):
            most = 0
            if not self._inside:
                most = min(tap.left, PIPE_BYTES)
                if not self._fill(pipe, most):
                    self._give_back(pipe)
                    return tap
            all_was_there = self._inside < most
            self._note_move()
            if not self._empty(pipe):
                return outlet
            if all_was_there or not tap.left:
                break
        self._give_back(pipe)
        return self._next()

    def _fill(self, pipe: Pipe, most: int) -> bool:
        """Whether something is in the pipe now."""
        tap = self._tap
        try:
            inside = os.splice(tap.fd, pipe.into, most, flags=WITHOUT_WAITING)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Dry(str(error)) from error
        if not inside:
            raise Dry("the connection was closed")
        self._inside = inside
        tap.left -= inside
        return True

    def _empty(self, pipe: Pipe) -> bool:
        """Whether nothing is in the pipe any more."""
        outlet = self._outlet
        try:
            while self._inside:
                size = os.splice(pipe.out, outlet.fd, self._inside, flags=WITHOUT_WAITING)
                self._inside -= size
                outlet.size += size
        except BlockingIOError:
            return False
        except OSError as error:
            raise Blocked(str(error)) from error
        return True

    @property
    def _laden(self) -> bool:
        return self._inside > 0

    def _spill(self) -> None:
        pipe = self._pipe
        while pipe is not None and self._inside:
            piece = os.read(pipe.out, self._inside)
            self._inside -= len(piece)
            self._outlet.write(piece)

    def _give_back(self, pipe: Pipe) -> None:
        self._pipe = None
        PIPES.give_back(pipe)

    def _close(self) -> None:
        if self._pipe is None:
            return
        if self._inside:
            PIPES.destroy(self._pipe)
        else:
            self._give_back(self._pipe)
