"""What a task is there for, done in the calls of others, and what that waits for meanwhile.

To wake a task takes a turn of the event loop. What is answered from memory needs none, nor does
what waits for the backend's answer alone: the call that takes that in goes on with the work.
"""

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class Wait(Protocol):
    """What is done once somebody says so; a future is one."""

    def __await__(self) -> Generator[Any, Any, None]:
        """Nothing, once it is done."""

    def done(self) -> bool:
        """Whether it is, or nobody waits any more."""

    def set_result(self, result: None, /) -> None:
        """Who waits goes on, perhaps in this very call."""


class Deputy(Generic[T]):
    """Runs one work after another on behalf of a task, while that waits for a future.

    It `waits` while the work waits for what is `pending` and for nothing else: the call that says
    that this is done runs the work on, and calls `told` once it waits so no more. Who begins a
    work looks for that himself. If it has `ended`, nothing is left of it but its `result`. Else,
    and where the task is cancelled, the task is to be woken (`waiter`) and to await the `rest`.
    Time-outs inside the work are the task's in any case.
    """

    __slots__ = (
        "_failure",
        "_loop",
        "_raised",
        "_running",
        "_steps",
        "_task",
        "_told",
        "_waits_for",
        "_work",
        "ended",
        "result",
        "waiter",
        "waits",
    )

    _task: asyncio.Task[None]
    _work: Coroutine[Any, Any, T]
    result: T
    waiter: asyncio.Future[None]

    def __init__(self, loop: asyncio.AbstractEventLoop, told: Callable[[], None]) -> None:
        self._loop = loop
        self._told = told
        self._steps = self._endless()
        self._failure: BaseException | None = None  # what the work is to fail with
        self._raised: BaseException | None = None  # what it has failed with
        self._waits_for: Any = None
        self._running = False
        self.ended = True
        self.waits = False

    def begin(
        self, work: Coroutine[Any, Any, T], task: asyncio.Task[None], waiter: asyncio.Future[None]
    ) -> None:
        """Nothing, once the work has run to where it first waits, or to its end."""
        self._work, self._task, self.waiter = work, task, waiter
        self.ended = False
        self._run()

    def fail(self, failure: BaseException) -> None:
        """Whoever awaits the rest makes it fail with this."""
        self._failure = failure

    @coroutine
    def rest(self) -> Generator[Any, Any, T]:
        """What the work comes to; its task awaits it, and it waits for futures from here on."""
        self.waits = False
        failure, self._failure = self._failure, None
        raised, self._raised = self._raised, None
        waits_for, self._waits_for = self._waits_for, None
        if raised is not None:
            self._steps, self.ended = self._endless(), True
            raise raised
        try:
            if failure is not None:
                waits_for = self._steps.throw(failure)
            elif waits_for is self:
                waits_for = next(self._steps)
            while not self.ended:
                try:
                    yield waits_for
                except BaseException as error:  # noqa: BLE001 - it is the work's to see
                    waits_for = self._steps.throw(error)
                else:
                    waits_for = next(self._steps)
        except BaseException:
            self._steps, self.ended = self._endless(), True
            raise
        return self.result

    # What the work waits for.

    def __await__(self) -> Generator[Any, Any, None]:
        if self.waits:
            yield self

    def done(self) -> bool:
        """Whether nothing waits here."""
        return not self.waits

    def set_result(self, _result: None, /) -> None:
        """The work goes on: in this call, unless its task was woken, or another one runs."""
        self.waits = False
        if not (self._running or self.waiter.done()):
            self._run()
            if not self.waits:
                self._told()

    def _run(self) -> None:
        global _deputy  # noqa: PLW0603
        loop, task = self._loop, self._task
        try:
            # As event loops do around each step: "Extending", Task lifetime support.
            _enter_task(loop, task)
        except RuntimeError:  # one task does not run inside another
            return
        _deputy = self
        self._running = True
        try:
            self._waits_for = waits_for = next(self._steps)
            self.waits = self.waits and waits_for is self
        except BaseException as error:  # noqa: BLE001 - it is for who awaits the rest
            self._raised, self.waits = error, False
        finally:
            _deputy = None
            self._running = False
            _leave_task(loop, task)

    @coroutine
    def _endless(self) -> Generator[Any, Any, None]:
        """One work after the other: the end of each were an exception by itself, which costs."""
        while True:
            self.result = yield from self._work
            self.ended = True
            yield


_deputy: Deputy[Any] | None = None


def pending(loop: asyncio.AbstractEventLoop) -> Wait:
    """What is not done yet; who asks for it waits for it at once, itself, and looks what came."""
    global _deputy
    deputy, _deputy = _deputy, None
    if deputy is None:
        return loop.create_future()
    deputy.waits = True
    return deputy
