"""Answers to known heads that have to wait: they go on, come in their turn, and end with others."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from gateway.awaited import pending
from gateway.web import server
from gateway.web.begun import Begun
from tests.web.noting import GET, WAITING, Line, Noting, connected, head_for, known
from tests.web.serving import Served, serving


@pytest.mark.parametrize("path", WAITING)
async def test_known_head_behind_another_request_has_its_turn(
    edge: Noting, line: Line, path: str
) -> None:
    await known(line)
    await line.say(head_for(path), GET)
    edge.let_go()
    assert [await line.hear(), await line.hear()] == [f"{path} 0", "/x 0"]


@pytest.mark.parametrize("path", WAITING)
async def test_answer_to_a_known_head_may_have_to_wait(edge: Noting, line: Line, path: str) -> None:
    edge.may.set()
    await known(line, head_for(path))
    edge.may.clear()
    for _ in range(2):
        await line.say(head_for(path), GET)
        assert edge.known[-1] == (path, True)
        edge.let_go()
        assert [await line.hear(), await line.hear()] == [f"{path} 0", "/x 0"]
        edge.may.clear()


async def test_answer_that_is_waited_for_twice_goes_on_twice(edge: Noting, line: Line) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    edge.may.clear()
    await line.say(head_for("/backend"))
    for _ in range(2):
        assert edge.waits is not None
        first = edge.waits
        first.set_result(None)
        await asyncio.sleep(0.02)
        assert edge.waits is not first
    edge.let_go()
    assert await line.hear() == "/backend 0"
    assert await line.ask(GET) == "/x 0"


async def test_answer_after_a_time_out_of_its_own_is_not_the_last(edge: Noting, line: Line) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    edge.may.clear()
    edge.patience = 0.05
    assert await line.ask(head_for("/backend")) == "/backend 0"
    assert await line.ask(GET) == "/x 0"


async def test_who_waits_on_one_connection_is_not_woken_for_another(
    edge: Noting, served: Served, line: Line
) -> None:
    other, head = await connected(served), head_for("/backend")
    edge.may.set()
    await known(line, head)
    edge.may.clear()
    await line.say(head)
    first = edge.waits
    await other.say(head)
    assert first is not None
    assert edge.waits is not first
    edge.let_go()
    assert await other.hear() == "/backend 0"
    assert not first.done()
    first.set_result(None)
    assert await line.hear() == "/backend 0"
    other.writer.close()


@pytest.mark.parametrize("path", WAITING)
@pytest.mark.parametrize("in_time", [False, True])
async def test_stop_ends_the_answer_to_a_known_head_or_cuts_it_off(
    edge: Noting, monkeypatch: pytest.MonkeyPatch, path: str, *, in_time: bool
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 10 if in_time else 0.1)
    async with asyncio.timeout(5), serving(edge) as served:
        line = await connected(served)
        edge.may.set()
        await known(line, head_for(path))
        edge.may.clear()
        await line.say(head_for(path))
        if in_time:
            asyncio.get_running_loop().call_later(0.1, edge.let_go)
    async with asyncio.timeout(5):
        if in_time:
            assert await line.hear() == f"{path} 0"
        assert await line.reader.read() == b""
    assert edge.left.is_set() is not in_time
    line.writer.close()


@pytest.mark.parametrize("path", WAITING)
async def test_client_that_leaves_ends_the_answer_to_a_known_head(
    edge: Noting, line: Line, path: str
) -> None:
    edge.may.set()
    await known(line, head_for(path))
    edge.may.clear()
    await line.say(head_for(path))
    line.writer.transport.abort()
    async with asyncio.timeout(5):
        await edge.left.wait()


class Waiting:
    """A task that waits as a connection's does, and then for the work that was begun for it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.waiter: asyncio.Future[None] = self.loop.create_future()
        self.begun: Begun[str] | None = None
        self.task: asyncio.Task[None] = asyncio.create_task(self._start())
        self.result = ""

    async def _start(self) -> None:
        try:
            await self.waiter
        except asyncio.CancelledError as cancelled:
            assert self.begun is not None
            self.begun.fail(cancelled)
        assert self.begun is not None
        self.result = await self.begun

    async def begin(self, work: Coroutine[Any, Any, str], *, shares: bool) -> None:
        await asyncio.sleep(0)
        self.loop.call_soon(self._begin, work, self.waiter if shares else None)
        for _ in range(2):
            await asyncio.sleep(0)
        assert self.begun is not None
        assert self.begun.shares is shares

    def _begin(self, work: Coroutine[Any, Any, str], offered: asyncio.Future[None] | None) -> None:
        """Begin as a protocol does: no task runs."""
        self.begun = Begun(work, self.task, self.loop, offered)
        if not self.begun.shares:
            self.waiter.set_result(None)


@pytest.mark.parametrize("shares", [False, True])
async def test_cancellation_in_the_turn_of_a_wake_up_reaches_the_work(*, shares: bool) -> None:
    waiting = Waiting()
    waits: list[asyncio.Future[None]] = []

    async def work() -> str:
        waits.append(pending(waiting.loop))
        try:
            await waits[0]
        except asyncio.CancelledError:
            return "cancelled"
        return "woken"

    await waiting.begin(work(), shares=shares)
    waits[0].set_result(None)
    waiting.task.cancel()
    await waiting.task
    assert waiting.result == "cancelled"


@pytest.mark.parametrize("shares", [False, True])
async def test_work_that_outlives_a_cancellation_is_not_cancelled_again(*, shares: bool) -> None:
    waiting = Waiting()
    more = waiting.loop.create_future()

    async def work() -> str:
        with suppress(asyncio.CancelledError):
            await pending(waiting.loop)
        await more
        return "outlived"

    await waiting.begin(work(), shares=shares)
    waiting.task.cancel()
    waiting.loop.call_later(0.02, more.set_result, None)
    await waiting.task
    assert waiting.result == "outlived"
