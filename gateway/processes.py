"""Child processes: asked to end before they are made to, started again with patience."""

import asyncio
from asyncio.subprocess import Process
from dataclasses import dataclass, field

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # seconds
STEADY_SECONDS = 60.0


@dataclass(slots=True)
class Backoff:
    """The pauses before what died is started again.

    They double up to LONGEST_PAUSE; a life of STEADY_SECONDS makes the next one short again.
    """

    _next: float = field(default=FIRST_PAUSE, init=False)

    def after(self, lived: float) -> float:
        """The pause, in seconds, after a life of `lived` seconds."""
        pause = FIRST_PAUSE if lived >= STEADY_SECONDS else self._next
        self._next = min(2 * pause, LONGEST_PAUSE)
        return pause


async def end(process: Process, seconds: float) -> None:
    """Ends the process: by SIGTERM, and by SIGKILL when that takes longer than `seconds`."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
