from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import NoSuchKey, ServiceUnavailable, SlowDown
from gateway.storage import recollection as module
from gateway.storage.recollection import Recollection


class Source:
    """Answers with how often it was asked, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: Exception | None = None

    async def ask(self) -> int:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.asked


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answer(source: Source, clock: Clock) -> Callable[[str], Awaitable[int]]:
    recollection = Recollection(clock)
    return lambda about: recollection.answer(about, source.ask)


async def test_every_question_is_asked_as_long_as_there_are_answers(
    source: Source, answer: Callable[[str], Awaitable[int]]
) -> None:
    assert [await answer("a"), await answer("a"), await answer("b")] == [1, 2, 3]
    source.failure = SlowDown("busy")
    assert await answer("a") == 2
    source.failure = None
    assert await answer("a") == 5


async def test_what_is_away_is_asked_once_a_second(
    source: Source, clock: Clock, answer: Callable[[str], Awaitable[int]]
) -> None:
    await answer("a")
    source.failure = ServiceUnavailable("away")
    assert [await answer("a") for _ in range(5)] == [1] * 5
    assert source.asked == 2
    clock.now += 1
    assert await answer("a") == 1
    assert source.asked == 3
    source.failure = None
    assert await answer("a") == 1
    clock.now += 1
    assert await answer("a") == 4


async def test_what_nobody_asked_before_has_no_answer(
    source: Source, answer: Callable[[str], Awaitable[int]]
) -> None:
    await answer("a")
    source.failure = ServiceUnavailable("away")
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            await answer("b")


async def test_other_failures_are_nobodys_answer(
    source: Source, answer: Callable[[str], Awaitable[int]]
) -> None:
    await answer("a")
    source.failure = NoSuchKey("gone")
    with pytest.raises(NoSuchKey):
        await answer("a")


async def test_an_answer_is_not_good_for_ever(
    source: Source, clock: Clock, answer: Callable[[str], Awaitable[int]]
) -> None:
    await answer("a")
    source.failure = ServiceUnavailable("away")
    clock.now += module.GOOD_SECONDS
    with pytest.raises(ServiceUnavailable):
        await answer("a")


async def test_memory_is_bounded_and_keeps_what_was_asked_last(
    source: Source,
    answer: Callable[[str], Awaitable[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ANSWERS", 2)
    for about in ("a", "b", "a", "c"):
        await answer(about)
    source.failure = ServiceUnavailable("away")
    assert [await answer("a"), await answer("c")] == [3, 4]
    with pytest.raises(ServiceUnavailable):
        await answer("b")
