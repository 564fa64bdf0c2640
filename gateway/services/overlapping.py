"""Do things side by side: the same for many, some at a time, or two at once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def some_at_a_time(
    work: Callable[[T], Awaitable[None]], items: Iterable[T], limit: asyncio.Semaphore
) -> None:
    """Nothing, when `work` is done with every item; then the first failure is raised.

    One that fails keeps no other from being done; `limit` is held by each that is at work.
    """

    async def one(item: T) -> None:
        async with limit:
            await work(item)

    outcomes = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def both(one: Awaitable[object], other: Coroutine[Any, Any, T]) -> T:
    """What `other` returns, when both are done; then the first failure is raised.

    Neither stops the other. `other` begins where `one` first waits.
    """
    beside = asyncio.create_task(other)
    try:
        await one
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError):
            beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        raise
    return await beside
