"""Calls of one connection: so many at once, so many that wait, and word of those that take long."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import msgpack
import pytest

from gateway.web.hypha import calls as calls_module
from gateway.web.hypha.bounds import AT_ONCE, MOST_WAITING, Shared
from gateway.web.hypha.calls import Answered, Calls
from gateway.web.hypha.frames import Extra, Frame, Writer
from gateway.web.hypha.methods import Methods, Value
from gateway.web.websocket import Socket

LONGEST = 1_000


@dataclass(slots=True)
class Ear:
    """A socket that keeps what is sent: the callbacks by name, with their sessions."""

    heard: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, *messages: bytes) -> None:
        for message in messages:
            unpacker = msgpack.Unpacker()
            unpacker.feed(message)
            session, _, name = unpacker.unpack()["method"].partition(".")
            self.heard.append((name, session))

    def sessions(self, name: str) -> list[str]:
        return [session for said, session in self.heard if said == name]


@dataclass(slots=True)
class Waiting:
    """Methods that wait until they may end, and know how many wait at once."""

    may: asyncio.Event = field(default_factory=asyncio.Event)
    now: int = 0
    most: int = 0

    async def carry_out(self, frame: Frame, extra: Extra, now: datetime) -> Value:
        del extra, now
        self.now += 1
        self.most = max(self.most, self.now)
        await self.may.wait()
        self.now -= 1
        if frame.method.endswith("fail"):
            raise RuntimeError("a secret")
        return Value(frame.session)


@dataclass(slots=True)
class Scene:
    """Calls, with those ends of them that are watched."""

    ear: Ear = field(default_factory=Ear)
    waiting: Waiting = field(default_factory=Waiting)
    told: list[Answered] = field(default_factory=list)
    shared: Shared = field(default_factory=Shared)

    def calls(self) -> Calls:
        socket, writer = cast("Socket", self.ear), Writer("ws", "ws/client", "gateway-1")
        return Calls(socket, writer, self.shared, LONGEST, self.told.append)

    async def take(self, calls: Calls, session: str | None, brings: str = "", **more: str) -> None:
        head = {"type": "method", "to": "*/gateway-1", "method": "services.x.y"} | more
        if session is not None:
            head["session"] = session
        message = msgpack.packb(head) + msgpack.packb({"args": [brings]})
        await calls.take(message, cast("Methods", self.waiting))


async def test_so_many_calls_wait_and_the_next_is_told_to_come_again() -> None:
    scene = Scene()
    calls = scene.calls()
    for number in range(MOST_WAITING):
        await scene.take(calls, str(number))
    await asyncio.sleep(0.01)
    assert (scene.ear.heard, scene.waiting.now) == ([], AT_ONCE)
    await scene.take(calls, "crowd")
    assert scene.ear.heard == [("reject", "crowd")]
    scene.waiting.may.set()
    await calls.ended(10)
    assert sorted(map(int, scene.ear.sessions("resolve"))) == list(range(MOST_WAITING))
    assert scene.waiting.most == AT_ONCE
    await scene.take(calls, "again")
    await calls.ended(10)
    assert scene.ear.heard[-1] == ("resolve", "again")


async def test_room_that_all_connections_share_is_taken_and_given_back() -> None:
    scene = Scene(shared=Shared(most=1_500))
    one, other = scene.calls(), scene.calls()
    await scene.take(one, "one", "x" * 900)
    await scene.take(other, "other", "x" * 900)
    assert scene.ear.heard == [("reject", "other")]
    scene.waiting.may.set()
    await one.ended(10)
    await scene.take(other, "again", "x" * 900)
    await other.ended(10)
    assert scene.ear.sessions("resolve") == ["one", "again"]
    await scene.take(other, "long", "x" * (LONGEST + 1))
    assert scene.ear.heard[-1] == ("reject", "long")


async def test_who_waits_for_long_is_told_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(calls_module, "FIRST_BEAT_SECONDS", 0.01)
    scene = Scene()
    calls = scene.calls()
    beating = asyncio.create_task(calls.beat())
    await scene.take(calls, "long")
    await scene.take(calls, None)
    async with asyncio.timeout(10):
        while len(scene.ear.sessions("heartbeat")) < 3:  # noqa: ASYNC110 - it is what is waited for
            await asyncio.sleep(0.01)
    scene.waiting.may.set()
    await calls.ended(10)
    beating.cancel()
    assert scene.ear.sessions("resolve") == ["long"]
    assert {session for _, session in scene.ear.heard} == {"long"}


async def test_what_fails_tells_no_more_than_an_id(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.waiting.may.set()
    calls = scene.calls()
    await scene.take(calls, "s", method="services.artifact-manager.fail")
    await calls.ended(10)
    assert scene.ear.heard == [("reject", "s")]
    (answered,) = scene.told
    assert answered.error is not None
    assert "secret" not in answered.error.message
    assert answered.request_id in answered.error.message
    assert answered.request_id in caplog.text


async def test_calls_of_a_client_that_left_are_ended() -> None:
    scene = Scene()
    calls = scene.calls()
    await scene.take(calls, "s")
    await asyncio.sleep(0)
    calls.drop()
    await calls.ended(10)
    assert scene.ear.heard == []
    assert scene.shared.take(268_435_456)  # all of it is free again
