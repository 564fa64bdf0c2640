"""Work that is done side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable


async def side_by_side(jobs: int, work: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Return when all is done, so many at once; the first failure ends the rest and is raised."""
    waiting = iter(work)

    async def go() -> None:
        for each in waiting:  # shared: each is taken once
            await each()

    tasks = [asyncio.create_task(go()) for _ in range(jobs)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
