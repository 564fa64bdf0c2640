"""Do things side by side: the same for many, some at a time, or two at once."""

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


async def both(one: Awaitable[object], other: Awaitable[object]) -> None:
    """Nothing, when both are done; then the first failure is raised. Neither stops the other."""
    for outcome in await asyncio.gather(one, other, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
