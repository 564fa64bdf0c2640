"""Do the same for many things, some at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

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
