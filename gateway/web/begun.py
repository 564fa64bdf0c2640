"""Work that is begun before its task gets to it: what never has to wait is done at once.

To wake a task takes a turn of the event loop. What is answered from memory needs none.
"""

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

from gateway.awaited import Wait, offer

T = TypeVar("T")


class Begun(Generic[T]):
    """A coroutine that has run to where it first waits, or to its end; await it for the rest.

    It runs on behalf of `task`, which awaits it then: time-outs inside are that task's. `ended`
    says that nothing is left of it but its `result`. The task waits for `waiter`; where the
    coroutine `shares` it, the task has nothing to be woken for before that is done.
    """

    __slots__ = ("_failure", "_waits_for", "_work", "ended", "result", "shares")

    def __init__(
        self,
        work: Coroutine[Any, Any, T],
        task: asyncio.Task[None],
        loop: asyncio.AbstractEventLoop,
        waiter: Wait | None = None,
    ) -> None:
        self._work = work
        self._failure: BaseException | None = None
        self.ended = self.shares = False
        # As event loops do around each step: "Extending", Task lifetime support.
        _enter_task(loop, task)
        offer(waiter)
        try:
            self._waits_for = work.send(None)
            self.shares = waiter is not None and self._waits_for is waiter
        except StopIteration as end:
            self.ended = True
            self.result: T = end.value
        finally:
            _leave_task(loop, task)
            if not self.shares:  # who shares has taken what was offered
                offer(None)

    def fail(self, failure: BaseException) -> None:
        """Whoever awaits it makes it fail with this."""
        self._failure = failure

    def __await__(self) -> Generator[Any, Any, T]:
        work, waits_for, failure = self._work.__await__(), self._waits_for, self._failure
        waited = self.shares  # the task has waited for it
        try:
            while failure is not None or not waited:
                if failure is not None:
                    waits_for, failure = work.throw(failure), None
                try:
                    yield waits_for
                except BaseException as error:  # noqa: BLE001 - it is the coroutine's to see
                    failure = error
                waited = True
        except StopIteration as end:
            result: T = end.value
            return result
        return (yield from work)  # by hand, its end would be an exception that is caught
