"""Garbage in circles is looked for while nobody waits for an answer.

What nobody refers to any more is gone at once. Circles are looked for by the garbage collector,
the young ones often and in microseconds; but now and then it goes through everything there is, in
the midst of a request, and everybody waits: 70 ms after the commit of an artifact of 10,000 files.
"""

import asyncio
import gc
from collections.abc import Callable

YOUNG, OLD = (700, 10), 10
"""Python's own thresholds: things more than went, and collections of the younger generation."""

NEVER = 1 << 30

PAUSE_SECONDS = 5.0
"""Between two looks whether there is reason to go through everything."""

PATIENCE = 60
"""So many pauses in a row a gateway may be busy; then everything is gone through all the same."""


def settle() -> None:
    """What has been made so far stays: it is never gone through again, and nothing is by itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG, NEVER)


async def collect(idle: Callable[[], bool]) -> None:
    """Go through everything when there is reason to and the process is idle, for good."""
    busy = 0
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        if gc.get_count()[2] < OLD:
            continue
        busy = 0 if idle() or busy == PATIENCE else busy + 1
        if not busy:
            gc.collect()
