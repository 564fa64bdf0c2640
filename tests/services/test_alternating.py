"""Taking turns: who goes next, and that nobody's crowd keeps the others waiting."""

import asyncio

import pytest

from gateway.services.lifecycle.alternating import Turns

LONG = 30.0


class Floor:
    """Who holds a place, and who asked for one: each leaves when told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.inside: list[str] = []
        self.leaving: list[tuple[str, asyncio.Event, asyncio.Task[None]]] = []

    async def ask(self, who: str, seconds: float = LONG) -> asyncio.Task[None]:
        leave = asyncio.Event()
        task = asyncio.create_task(self._hold(who, leave, seconds))
        self.leaving.append((who, leave, task))
        await asyncio.sleep(0)
        return task

    async def leave(self, who: str) -> None:
        index = next(i for i, each in enumerate(self.leaving) if each[0] == who)
        _, leave, task = self.leaving.pop(index)
        leave.set()
        await task
        await asyncio.sleep(0)

    async def _hold(self, who: str, leave: asyncio.Event, seconds: float) -> None:
        async with self.turns.turn(who, seconds):
            self.inside.append(who)
            await leave.wait()
            self.inside.remove(who)


async def test_a_crowd_leaves_a_place_to_others() -> None:
    floor = Floor(Turns(3))
    for _ in range(50):
        await floor.ask("crowd")
    assert floor.inside == ["crowd", "crowd"]
    await floor.ask("other")
    assert floor.inside == ["crowd", "crowd", "other"]
    await floor.leave("crowd")
    assert sorted(floor.inside) == ["crowd", "crowd", "other"]


async def test_who_holds_fewest_goes_first_then_who_waits_longest() -> None:
    floor = Floor(Turns(3))
    for who in ("a", "a", "b", "a", "b", "c", "d"):
        await floor.ask(who)
    assert floor.inside == ["a", "a", "b"]
    await floor.leave("a")
    assert floor.inside == ["a", "b", "c"]
    await floor.leave("b")
    assert floor.inside == ["a", "c", "b"]


async def test_a_single_place_is_for_one_after_the_other() -> None:
    floor = Floor(Turns(1))
    for who in ("a", "a", "b"):
        await floor.ask(who)
    assert floor.inside == ["a"]
    await floor.leave("a")
    assert floor.inside == ["a"]
    await floor.leave("a")
    assert floor.inside == ["b"]


async def test_who_waits_too_long_or_leaves_takes_no_place() -> None:
    floor = Floor(Turns(1))
    await floor.ask("a")
    late = await floor.ask("b", seconds=0.01)
    gone = await floor.ask("c")
    with pytest.raises(TimeoutError):
        await late
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await floor.ask("d")
    await floor.leave("a")
    assert floor.inside == ["d"]


async def test_a_place_that_comes_with_the_cancellation_is_given_back() -> None:
    turns = Turns(1)
    floor = Floor(turns)
    await floor.ask("a")
    gone = await floor.ask("b")
    for _, leave, _ in floor.leaving[:1]:
        leave.set()
    gone.cancel()  # both in one turn of the loop
    await asyncio.gather(gone, return_exceptions=True)
    async with turns.turn("c", LONG):
        pass


async def test_a_place_is_given_back_by_whoever_fails() -> None:
    turns = Turns(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="x"):
            async with turns.turn("a", LONG):
                raise ValueError("x")
