"""Long work in short turns, between which the event loop serves others."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

TURN = 100
"""So many of an artifact's files are looked at in half a millisecond.

A request of somebody else's waits a turn for each of its own steps, of which it has a dozen.
"""

MANY = 500
"""More files than these are not looked at in one go."""


async def turns(items: Iterable[T], size: int = TURN) -> AsyncIterator[list[T]]:
    """The items in their order, at most `size` at a time; others have their turn between."""
    rest = iter(items)
    while turn := list(islice(rest, size)):
        yield turn
        await asyncio.sleep(0)
