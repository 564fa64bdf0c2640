"""What the database said before: as long as nothing has changed, or while it says nothing.

What was answered in the generation of now is what would be answered now, to anybody. And
downloads go on without a database: where a committed file lies, and who may read it, was asked
before. Nothing can be committed through this database meanwhile; such answers are for readers
alone.
"""

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar, cast

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
        self._answers: dict[Hashable, tuple[float, object, Hashable]] = {}
        self._away_until = 0.0

    def unchanged(self, about: Hashable, generation: Hashable) -> tuple[Any] | None:
        """The last answer, in a tuple, if it is of this generation; else None."""
        known = self._answers.get(about)
        if known is None or known[2] != generation:
            return None
        # Behind all others, and good for longer: it is what would be found now.
        del self._answers[about]
        self._answers[about] = self._clock(), known[1], generation
        return (known[1],)

    async def answer(
        self,
        about: Hashable,
        question: Callable[[], Awaitable[T]],
        generation: Hashable = None,
    ) -> T:
        """The answer to a question, or the last one `about` the same where there is none now.

        `generation` is what was seen before it was asked. What the question raises, where
        nothing is remembered.
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
                self.remember(about, answer, generation)
                return answer
        return cast("tuple[float, T, Hashable]", known)[1]

    def remember(self, about: Hashable, answer: object, generation: Hashable) -> None:
        """Keep an answer; the one that was asked for longest ago goes, where there are many."""
        # Behind all others.
        self._answers.pop(about, None)
        self._answers[about] = self._clock(), answer, generation
        if len(self._answers) > MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
