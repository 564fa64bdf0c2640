"""Trying again: how often, after how long, and what for."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from gateway.client.errors import Failed, GatewayError, NotReached

T = TypeVar("T")
NOT_IMPLEMENTED = 501
DAMAGED = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "XAmzContentSHA256Mismatch"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried, and the bounds of the pauses in between, in seconds.

    A pause is a random part of one that doubles each time, so that many clients don't come back
    at once.
    """

    attempts: int = 7
    first: float = 0.5
    most: float = 10.0

    async def pause(self, attempt: int) -> None:
        """Wait after the attempt of this number, from 0."""
        longest = min(self.most, self.first * 2**attempt)
        await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads clients

    async def repeat(
        self, work: Callable[[], Awaitable[T]], again: Callable[[GatewayError], bool]
    ) -> T:
        """What `work` returns, done again while `again` says so of its error, up to the bound."""
        attempt = 0
        while True:
            try:
                return await work()
            except GatewayError as error:
                if attempt + 1 >= self.attempts or not again(error):
                    raise
            await self.pause(attempt)
            attempt += 1


def passes(error: GatewayError) -> bool:
    """Whether it may go another time: no connection, too much at once, a failure behind it."""
    return isinstance(error, Failed) and error.status != NOT_IMPLEMENTED


def was_damaged(error: GatewayError) -> bool:
    """As `passes`, or bytes were changed or lost on the way, and nothing was stored."""
    return passes(error) or error.code in DAMAGED


def was_unsent(error: GatewayError) -> bool:
    """Whether the gateway never heard of it, so that even a commit may be asked for again."""
    return isinstance(error, NotReached) and error.unsent
