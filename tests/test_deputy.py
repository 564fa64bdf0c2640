"""Work that is begun: whose call it goes on in, and what its task has to do with it."""

import asyncio
from contextlib import suppress
from functools import partial

import pytest

from gateway.deputy import pending
from tests.deputed import Waiting


async def test_work_goes_on_in_the_call_that_says_that_it_may() -> None:
    waiting = Waiting()

    async def work() -> str:
        tasks = [asyncio.current_task()]
        for _ in range(2):
            await waiting.turn()
            tasks.append(asyncio.current_task())
        return "ended" if tasks == [waiting.task] * 3 else "in another task"

    await waiting.begin(work())

    def go_on() -> None:
        waiting.waits[-1].set_result(None)
        seen.append((len(waiting.waits), waiting.result, asyncio.current_task()))

    seen: list[tuple[int, str, object]] = []
    for _ in range(2):
        await waiting.call(go_on)
    assert seen == [(2, "", None), (2, "ended", None)]
    assert not waiting.waiter.done()
    assert waiting.told == 1
    waiting.task.cancel()


async def test_what_a_task_lets_go_on_goes_on_in_its_own() -> None:
    waiting = Waiting()

    async def work() -> str:
        await waiting.turn()
        await waiting.turn()
        return "ended"

    await waiting.begin(work())
    waiting.waits[0].set_result(None)
    assert len(waiting.waits) == 1  # one task does not run inside another
    await asyncio.sleep(0)
    assert isinstance(waiting.waits[1], asyncio.Future)
    await waiting.call(waiting.waits[1].set_result, None)
    await waiting.task
    assert waiting.result == "ended"


async def test_work_that_waits_for_something_else_wakes_its_task() -> None:
    waiting = Waiting()
    other = waiting.loop.create_future()

    async def work() -> str:
        await waiting.turn()
        await other
        return "ended"

    await waiting.begin(work())
    await waiting.call(waiting.waits[0].set_result, None)
    assert waiting.waiter.done()
    other.set_result(None)
    await waiting.task
    assert waiting.result == "ended"


async def test_turn_that_comes_before_it_is_waited_for_is_not_waited_for() -> None:
    waiting = Waiting()

    async def work() -> str:
        early = pending(waiting.loop)
        early.set_result(None)
        await early
        return "ended"

    await waiting.begin(work())
    assert waiting.result == "ended"
    assert (waiting.told, waiting.waiter.done()) == (1, False)
    waiting.task.cancel()


async def test_who_asks_after_work_that_has_not_asked_waits_for_a_future() -> None:
    waiting = Waiting()

    async def work() -> str:
        return "ended"

    await waiting.begin(work())
    assert isinstance(pending(waiting.loop), asyncio.Future)
    waiting.task.cancel()


@pytest.mark.parametrize("turns", [0, 1])
async def test_what_the_work_raises_is_raised_in_its_task(turns: int) -> None:
    waiting = Waiting()

    async def work() -> str:
        for _ in range(turns):
            await waiting.turn()
        raise LookupError("lost")

    await waiting.begin(work())
    for turn in waiting.waits:
        await waiting.call(turn.set_result, None)
    with pytest.raises(LookupError, match="lost"):
        await waiting.task


async def test_time_out_of_the_work_is_its_tasks() -> None:
    waiting, timed_out = Waiting(), asyncio.Event()

    async def work() -> str:
        await waiting.turn()
        try:
            async with asyncio.timeout(0.01):
                await waiting.turn()
        except TimeoutError:
            timed_out.set()
            await waiting.turn()
            return "timed out"
        return "in time"

    await waiting.begin(work())
    await waiting.call(waiting.waits[0].set_result, None)
    async with asyncio.timeout(5):
        await timed_out.wait()
    await waiting.call(waiting.waits[1].set_result, None)  # nobody waits for it any more
    assert waiting.result == ""
    await waiting.call(waiting.waits[2].set_result, None)
    await waiting.task
    assert waiting.result == "timed out"


async def gone_on(waiting: Waiting) -> str:
    """Whether work was cancelled before it had its turn."""
    try:
        await waiting.turn()
    except asyncio.CancelledError:
        return "cancelled"
    return "gone on"


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_cancellation_reaches_the_work_unless_it_has_gone_on(
    *, cancelled_first: bool
) -> None:
    waiting = Waiting()
    await waiting.begin(gone_on(waiting))
    cancel, let_go = waiting.task.cancel, partial(waiting.waits[0].set_result, None)

    def act() -> None:
        if cancelled_first:
            cancel()
        let_go()
        cancel()

    await waiting.call(act)
    if cancelled_first:
        await waiting.task
    assert waiting.result == ("cancelled" if cancelled_first else "gone on")


async def test_cancellation_in_the_turn_of_a_wake_up_reaches_the_work() -> None:
    waiting = Waiting()
    await waiting.begin(gone_on(waiting))
    waiting.waits[0].set_result(None)
    waiting.task.cancel()
    await waiting.task
    assert waiting.result == "cancelled"


async def test_work_that_outlives_a_cancellation_is_not_cancelled_again() -> None:
    waiting = Waiting()
    more = waiting.loop.create_future()

    async def work() -> str:
        with suppress(asyncio.CancelledError):
            await waiting.turn()
        await more
        return "outlived"

    await waiting.begin(work())
    waiting.task.cancel()
    waiting.loop.call_later(0.02, more.set_result, None)
    await waiting.task
    assert waiting.result == "outlived"


async def test_what_another_task_begins_is_done_in_the_tasks_own_calls() -> None:
    waiting = Waiting()

    async def work() -> str:
        return "its own" if asyncio.current_task() is waiting.task else "another's"

    await asyncio.sleep(0)
    waiting.deputy.begin(work(), waiting.task, waiting.waiter)
    assert not waiting.deputy.ended
    assert not waiting.deputy.waits
    waiting.waiter.set_result(None)
    await waiting.task
    assert waiting.result == "its own"
