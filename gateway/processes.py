"""Processes: what one may hold open, how children end, and how they are started again."""

import asyncio
import resource
from asyncio.subprocess import Process
from contextlib import suppress
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


def allow_open_files() -> None:
    """Raises the number of files and connections that this process and its children may hold.

    Many systems start processes with 1,024, which a crowd of idle clients uses up, and allow
    more to those that ask.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
