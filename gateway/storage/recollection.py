"""What the database said before, for the time in which it says nothing.

Downloads go on without it: where a committed file lies, and who may read it, was asked before.
Nothing can be committed through this database meanwhile. Answers that are not for readers
alone are never given from here.
"""

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar, cast

from gateway.errors import ServiceUnavailable, SlowDown

T = TypeVar("T")

MOST_ANSWERS = 10_000
GOOD_SECONDS = 3_600.0
"""How long an answer may be given again: for so long a key that was revoked elsewhere may read."""

AWAY_SECONDS = 1.0
"""A database that did not answer is left alone for so long: asking may take seconds."""


class Recollection:
    """The last answers to the questions that were asked most recently."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: dict[Hashable, tuple[float, object]] = {}
        self._away_until = 0.0

    async def answer(self, about: Hashable, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question, or the last one `about` the same where there is none now.

        What the question raises, where nothing is remembered.
        """
        now = self._clock()
        known = self._answers.get(about)
        usable = known is not None and now - known[0] < GOOD_SECONDS
        if not usable or now >= self._away_until:
            try:
                answer = await question()
            except (ServiceUnavailable, SlowDown) as error:
                if isinstance(error, ServiceUnavailable):
                    self._away_until = self._clock() + AWAY_SECONDS
                if not usable:
                    raise
            else:
                self._remember(about, now, answer)
                return answer
        return cast("tuple[float, T]", known)[1]

    def _remember(self, about: Hashable, now: float, answer: object) -> None:
        # Behind all others: the one that was asked longest ago goes first.
        self._answers.pop(about, None)
        self._answers[about] = now, answer
        if len(self._answers) > MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
