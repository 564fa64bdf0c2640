"""Deadlines: missed once, and moved without a new timer each time."""

import asyncio

from gateway.web.deadline import Deadline


async def test_it_is_missed_once_and_only_when_its_last_time_has_passed() -> None:
    loop, missed = asyncio.get_running_loop(), list[float]()
    deadline = Deadline(loop, lambda: missed.append(loop.time()))
    began = loop.time()
    deadline.set(0.05)
    deadline.set(0.2)
    await asyncio.sleep(0.4)
    assert len(missed) == 1
    assert missed[0] - began >= 0.2


async def test_it_can_come_earlier_than_it_was() -> None:
    loop, missed = asyncio.get_running_loop(), asyncio.Event()
    deadline = Deadline(loop, missed.set)
    deadline.set(3_600)
    deadline.set(0.01)
    await asyncio.wait_for(missed.wait(), 10)


async def test_what_is_cleared_or_ended_is_not_missed_and_can_be_set_again() -> None:
    loop, missed = asyncio.get_running_loop(), list[int]()
    deadline = Deadline(loop, lambda: missed.append(1))
    for stop in (deadline.clear, deadline.end):
        deadline.set(0.02)
        stop()
        await asyncio.sleep(0.06)
        assert missed == []
    deadline.set(0.02)
    await asyncio.sleep(0.2)
    assert missed == [1]
