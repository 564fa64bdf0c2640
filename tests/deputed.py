"""A task with a deputy, as each connection of the gateway's has one."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.deputy import Deputy, Wait, pending


class Waiting:
    """A task that waits as a connection's does, and awaits what was begun for it if it has to."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiter: asyncio.Future[None] = self.loop.create_future()
        self.deputy = Deputy[str](self.loop, self._go_on)
        self.waits: list[Wait] = []
        self.task: asyncio.Task[None] = asyncio.create_task(self._start())
        self.result = ""
        self.told = 0

    async def turn(self) -> None:
        """Nothing, once somebody lets it go on."""
        self.waits.append(pending(self.loop))
        await self.waits[-1]

    async def begin(self, work: Coroutine[Any, Any, str]) -> None:
        """Nothing, once the work has run to where it waits; as a protocol does it, in no task."""
        await asyncio.sleep(0)
        await self.call(self._begin, work)

    async def call(self, act: Callable[..., object], *given: object) -> None:
        """Nothing, once an act has happened in a callback of the loop's."""
        self.loop.call_soon(act, *given)
        await asyncio.sleep(0)

    async def _start(self) -> None:
        try:
            await self.waiter
        except asyncio.CancelledError as cancelled:
            self.deputy.fail(cancelled)
        self.result = await self.deputy.rest()

    def _begin(self, work: Coroutine[Any, Any, str]) -> None:
        self.deputy.begin(work, self.task, self.waiter)
        if not self.deputy.waits:
            self._go_on()

    def _go_on(self) -> None:
        self.told += 1
        if self.deputy.ended:
            self.result = self.deputy.result
        else:
            self.waiter.set_result(None)
