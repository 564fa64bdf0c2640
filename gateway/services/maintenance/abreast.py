"""Much of the same, some at a time, and once more where the moment was bad."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from gateway.errors import OperationAborted, SlowDown

T = TypeVar("T")

PASSING = (OperationAborted, SlowDown)
"""What says nothing of the matter, but of this moment."""
PAUSES = (1.0, 5.0, 15.0)


async def abreast(
    items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int
) -> None:
    """Return when `work` is done for each item; they are taken one by one, as hands get free."""
    rest = iter(items)

    async def hand() -> None:
        for item in rest:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(hand())
    except BaseExceptionGroup as failures:
        # The first one ended the others.
        raise failures.exceptions[0] from None


async def patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Return when `work`, which is safe to repeat, is done; what is PASSING is waited out."""
    for pause in PAUSES:
        try:
            return await work()
        except PASSING:
            await asyncio.sleep(pause)
    return await work()
