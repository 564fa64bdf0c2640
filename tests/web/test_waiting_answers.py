"""Answers to known heads that have to wait: they go on, come in their turn, and end with others."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from gateway.web import server
from tests.web.noting import GET, WAITING, Line, Noting, connected, head_for, known
from tests.web.serving import Served, serving


def in_a_task(say: Callable[[], object]) -> object:
    return say()


def in_a_callback(say: Callable[[], object]) -> object:
    return asyncio.get_running_loop().call_soon(say)


SAYING = (in_a_task, in_a_callback)


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


@pytest.mark.parametrize("say", SAYING)
async def test_answer_that_is_waited_for_twice_goes_on_twice(
    edge: Noting, line: Line, say: Callable[[Callable[[], object]], object]
) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    edge.may.clear()
    await line.say(head_for("/backend"))
    for times in (1, 2):
        assert edge.waits is not None
        assert edge.turns == times
        say(partial(edge.waits.set_result, None))
        await asyncio.sleep(0.02)
    assert edge.turns == 3
    say(edge.let_go)
    assert await line.hear() == "/backend 0"
    assert await line.ask(GET) == "/x 0"


@pytest.mark.parametrize("say", SAYING)
async def test_answer_that_is_the_last_ends_the_connection(
    edge: Noting, line: Line, say: Callable[[Callable[[], object]], object]
) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    edge.may.clear()
    edge.last = True
    await line.say(head_for("/backend"), GET)
    say(edge.let_go)
    async with asyncio.timeout(5):
        assert await line.hear() == "/backend 0"
        assert await line.reader.read() == b""


@pytest.mark.parametrize("say", SAYING)
async def test_heads_that_come_while_an_answer_waits_are_answered_after_it(
    edge: Noting, line: Line, say: Callable[[Callable[[], object]], object]
) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    await known(line, GET)
    edge.may.clear()
    await line.say(head_for("/backend"), GET, head_for("/y"))
    say(edge.let_go)
    assert [await line.hear() for _ in range(3)] == ["/backend 0", "/x 0", "/y 0"]
    assert await line.ask(GET) == "/x 0"


async def test_answer_after_a_time_out_of_its_own_is_not_the_last(edge: Noting, line: Line) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    edge.may.clear()
    edge.patience = 0.05
    assert await line.ask(head_for("/backend")) == "/backend 0"
    assert await line.ask(GET) == "/x 0"


@pytest.mark.parametrize("path", WAITING)
async def test_answer_after_a_time_out_may_have_to_wait_again(
    edge: Noting, line: Line, path: str
) -> None:
    edge.may.set()
    await known(line, head_for("/backend"))
    await known(line, head_for(path))
    edge.may.clear()
    edge.patience = 0.05
    assert await line.ask(head_for("/backend")) == "/backend 0"
    edge.patience = None
    await line.say(head_for(path))
    edge.let_go()
    assert await line.hear() == f"{path} 0"
    assert not edge.left.is_set()


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
