"""Answers that were made, for as long as they would be made the same."""

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Answers, each of a generation of the index, of so many bytes in all.

    Who asks has looked at the generation before anything that the answer is made of, and has
    proved the caller's right: the question names all else that the answer depends on.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = self._most = most_bytes
        self._answers: dict[Hashable, tuple[Hashable, T, int]] = {}

    def get(self, about: Hashable, generation: Hashable | None) -> T | None:
        """The answer, if it was made in this generation and is still there."""
        if generation is None:
            return None
        known = self._answers.get(about)
        return known[1] if known is not None and known[0] == generation else None

    def keep(self, about: Hashable, generation: Hashable | None, answer: T, size: int) -> None:
        """Keep an answer of so many bytes, instead of those that were kept longest ago."""
        if about in self._answers:
            self._left += self._answers.pop(about)[2]
        if generation is None or size > self._most // 16:
            return
        self._answers[about] = generation, answer, size
        self._left -= size
        while self._left < 0:
            self._left += self._answers.pop(next(iter(self._answers)))[2]
