"""What is waited for: a new future, or one that a task is waiting for already.

To wake a task takes a turn of the event loop. What is begun before its task gets to it
(`web.begun`) may wait for the future that the task waits for: nobody has to wake it then before
there is something to go on with.
"""

import asyncio

Wait = asyncio.Future[None]

_offered: Wait | None = None


def offer(future: Wait | None) -> None:
    """Nothing; the first who asks for one from here on has this future, or with None a new one."""
    global _offered  # noqa: PLW0603
    _offered = future


def pending(loop: asyncio.AbstractEventLoop) -> Wait:
    """A future of the loop's that is not done; who asks for it waits for it at once, and itself."""
    global _offered
    offered, _offered = _offered, None
    if offered is None or offered.get_loop() is not loop or offered.done():
        return loop.create_future()
    return offered
