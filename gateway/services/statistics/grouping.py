"""One run of a piece of work for many who wait for it."""

import asyncio
from collections.abc import Awaitable, Callable


class Grouped:
    """Runs `work` for whoever waits, one run at a time.

    A caller gets the result of a run that began after it asked: those who come during a run
    share the next one. A run goes on when those who wait for it are cancelled.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._next: asyncio.Future[None] | None = None
        self._runner: asyncio.Task[None] | None = None

    async def done(self) -> None:
        """Return when a run that began after this call has ended; raise what it raised."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        try:
            while self._next is not None:
                group, self._next = self._next, None
                try:
                    await self._work()
                except Exception as error:  # noqa: BLE001 (it is theirs who wait)
                    group.set_exception(error)
                    group.exception()  # seen, even where all who waited were cancelled
                except BaseException:
                    group.cancel()
                    raise
                else:
                    group.set_result(None)
        finally:
            self._runner = None
