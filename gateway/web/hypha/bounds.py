"""How much one client may ask for at once, and how fast."""

import asyncio
import time
from collections.abc import Callable

BURST = 2_000
PER_SECOND = 500.0
MOST_WAITING = 1_024
"""Calls of one connection that are not answered yet."""

MOST_WAITING_BYTES = 16_777_216
"""What they bring along."""

MOST_HELD = 268_435_456
"""Bytes of calls that wait, and of answers that are not taken yet, of all connections."""

AT_ONCE = 8
"""Calls of one connection that are carried out at once; the others wait."""

READS_AT_ONCE = 32
"""Calls that read, of all connections: they are short, and the database has room for so many."""


class Shared:
    """What all connections of a process have together: places for reads, and room for bytes."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.reads = asyncio.Semaphore(READS_AT_ONCE)
        self._free = most

    def take(self, size: int) -> bool:
        """Whether there was room for so many bytes; it is taken then, until it is given back."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def give(self, size: int) -> None:
        """Give room back."""
        self._free += size


class Pace:
    """Lets messages through: BURST at once, and PER_SECOND in the long run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = float(BURST)
        self._since = clock()

    async def keep(self) -> None:
        """Nothing, once the next message may be read."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._since) * PER_SECOND)
        self._since = now
        self._left -= 1
        if self._left < 0:
            await asyncio.sleep(-self._left / PER_SECOND)
