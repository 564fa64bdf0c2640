"""Let callers take turns at few places, so that nobody's crowd keeps the others from theirs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class _Waiting:
    who: str
    go: asyncio.Future[None]


class Turns:
    """Places that are taken in turns: whoever holds fewest goes first, and nobody holds all."""

    def __init__(self, places: int) -> None:
        """Every place is free. A single one may be held by anybody, for one turn."""
        self._free = places
        self._most = max(1, places - 1)
        self._held: Counter[str] = Counter()
        self._waiting: list[_Waiting] = []

    @asynccontextmanager
    async def turn(self, who: str, seconds: float) -> AsyncIterator[None]:
        """A place for `who` while the block lasts; TimeoutError when none came in `seconds`."""
        async with asyncio.timeout(seconds):
            await self._take(who)
        try:
            yield
        finally:
            self._give_back(who)

    async def _take(self, who: str) -> None:
        waiting = _Waiting(who, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._pass_on()
        try:
            await waiting.go
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._give_back(who)  # the place came too late
            raise

    def _give_back(self, who: str) -> None:
        self._held[who] -= 1
        if not self._held[who]:
            del self._held[who]
        self._free += 1
        self._pass_on()

    def _pass_on(self) -> None:
        """Give each free place to who holds fewest; of these, to who waits longest."""
        while self._free:
            ready = [
                one
                for one in self._waiting
                if self._held[one.who] < self._most and not one.go.cancelled()
            ]
            if not ready:
                return
            chosen = min(ready, key=lambda one: self._held[one.who])
            self._waiting.remove(chosen)
            self._held[chosen.who] += 1
            self._free -= 1
            chosen.go.set_result(None)
