"""A head that has begun to come: how large it may become, and how long it may take."""

import asyncio
import logging
from collections.abc import Callable

LONGEST_HEAD = 262_144
"""The most bytes of a head, or of what chunks of a body have around them.

What comes in one piece with a request or with bytes of a body is not counted: pieces are smaller.
"""

HEAD_SECONDS = 60.0
"""How long a head may take from its first byte to its last."""

logger = logging.getLogger(__name__)


class Coming:
    """A head, or what chunks of a body have around them, of `size` bytes by now.

    Where it takes too long `cut` is called, and again as long as that says that it could not be.
    """

    __slots__ = ("_cut", "_deadline", "_loop", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop, cut: Callable[[], bool]) -> None:
        self._loop = loop
        self._cut = cut
        self._deadline: asyncio.TimerHandle | None = None
        self.size = 0

    def grows_too_long(self, more: int) -> bool:
        """Whether it has too many bytes with so many more."""
        self.size += more
        if self.size > LONGEST_HEAD:
            logger.warning("a head of more than %d bytes was cut off", LONGEST_HEAD)
            return True
        if self._deadline is None:
            self._deadline = self._loop.call_later(HEAD_SECONDS, self._expire)
        return False

    def end(self) -> None:
        """It has come, or never will."""
        self.size = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if not self._cut():
            self._deadline = self._loop.call_later(HEAD_SECONDS, self._expire)
