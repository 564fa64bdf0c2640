"""Two things done side by side: each to its end, whatever becomes of the other."""

import asyncio

import pytest

from gateway.services.overlapping import both


class Work:
    """Two pieces of work that say in `done` how far each has come."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def do(self, name: str, failure: Exception | None = None, *, turns: int = 1) -> str:
        """Its name, after so many turns of the event loop."""
        self.done.append(f"{name} begins")
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.done.append(f"{name} is cancelled")
            raise
        self.done.append(f"{name} ends")
        if failure is not None:
            raise failure
        return name


@pytest.fixture
def work() -> Work:
    return Work()


async def test_the_second_begins_where_the_first_waits(work: Work) -> None:
    assert await both(work.do("one"), work.do("other")) == "other"
    assert work.done == ["one begins", "other begins", "one ends", "other ends"]


async def test_the_second_is_done_where_the_first_never_waits(work: Work) -> None:
    assert await both(work.do("one", turns=0), work.do("other")) == "other"
    assert work.done == ["one begins", "one ends", "other begins", "other ends"]


@pytest.mark.parametrize("slow", ["one", "other"])
async def test_what_fails_does_not_stop_the_other(work: Work, slow: str) -> None:
    turns = {"one": 1, "other": 1, slow: 5}
    for failing in ("one", "other"):
        failures = {failing: ValueError(failing)}
        with pytest.raises(ValueError, match=f"^{failing}$"):
            await both(
                work.do("one", failures.get("one"), turns=turns["one"]),
                work.do("other", failures.get("other"), turns=turns["other"]),
            )
        assert {"one ends", "other ends"} <= set(work.done)
        work.done.clear()


async def test_of_two_failures_the_first_is_raised(work: Work) -> None:
    with pytest.raises(ValueError, match=r"^one$"):
        await both(work.do("one", ValueError("one"), turns=5), work.do("other", KeyError("other")))


@pytest.mark.parametrize("slow", ["one", "other"])
async def test_who_is_cancelled_cancels_both(work: Work, slow: str) -> None:
    turns = {"one": 0, "other": 0, slow: 1_000}
    going = asyncio.create_task(
        both(*(work.do(name, turns=turns[name]) for name in ("one", "other")))
    )
    for _ in range(5):
        await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert work.done[-1] == f"{slow} is cancelled"
