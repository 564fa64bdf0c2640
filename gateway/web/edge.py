"""What connections hand their requests to, and whether any of them is being answered."""

import asyncio
from contextlib import suppress
from typing import Protocol

from gateway.errors import GatewayError
from gateway.web.asked import Asked
from gateway.web.reply import Sent


class Edge(Protocol):
    """What answers requests; `web.boundary.Boundary` is one."""

    async def handle(self, asked: Asked) -> Sent:
        """What was sent as the answer to a request."""

    async def refuse(self, asked: Asked, error: GatewayError) -> Sent:
        """What was sent to a client that could not be understood."""

    def leave(self) -> None:
        """Tell those whose connections last that the gateway stops."""


class UnderWay:
    """Knows whether a request is being answered."""

    def __init__(self) -> None:
        self._number = 0
        self._waiter: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """One more is."""
        self._number += 1

    def end(self) -> None:
        """One less is."""
        self._number -= 1
        if self._waiter is not None and not self._number and not self._waiter.done():
            self._waiter.set_result(None)

    def none(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._number

    async def ended(self, seconds: float) -> None:
        """Nothing, once all are answered, or after so many seconds."""
        if not self._number:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waiter
