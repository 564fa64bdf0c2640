"""The Hypha door's own parts: message cache, origins, pace, and a gateway without its extra."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from multidict import CIMultiDict

import gateway
from gateway.errors import AccessForbidden, EntityTooLarge, InvalidArgument, SlowDown
from gateway.s3.message import Request
from gateway.web.boundary import Boundary
from gateway.web.hypha import bounds, door, frames
from gateway.web.hypha.bounds import BURST, Pace, Shared
from gateway.web.hypha.door import HyphaDoor
from gateway.web.hypha.message_cache import MOST_ENTRIES, STALE_SECONDS, MessageCache
from gateway.web.hypha.origins import Origins
from gateway.web.hypha.service import sought
from tests.web.serving import ask, serving

SOURCES = sorted(Path(gateway.__file__).parent.rglob("*.py"))


class Clock:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pieces_make_a_message_in_whatever_order_they_come() -> None:
    cache = MessageCache()
    shelf = cache.shelf(1_000)
    shelf.create("k")
    for number, piece in ((2, b"c"), (0, b"a"), (1, b"?"), (1, b"b")):
        shelf.put("k", number, piece)
    shelf.append("k", b"d")
    assert shelf.take("k") == b"abcd"
    assert cache.size == 0
    with pytest.raises(InvalidArgument, match="no message with this key"):
        shelf.take("k")


def test_a_message_that_lacks_a_piece_is_none() -> None:
    shelf = MessageCache().shelf(1_000)
    shelf.create("k")
    shelf.put("k", 1, b"b")
    with pytest.raises(InvalidArgument, match="a piece of this message is missing"):
        shelf.take("k")


def test_shelves_share_no_keys() -> None:
    cache = MessageCache()
    one, other = cache.shelf(1_000), cache.shelf(1_000)
    one.create("k")
    other.create("k")
    one.put("k", 0, b"one")
    with pytest.raises(InvalidArgument, match="already"):
        one.create("k")
    one.create("k", overwrite=True)
    other.put("k", 0, b"other")
    assert (one.take("k"), other.take("k")) == (b"", b"other")


def test_a_shelf_holds_so_many_messages_and_so_many_bytes() -> None:
    cache = MessageCache()
    shelf = cache.shelf(1_000)
    for number in range(MOST_ENTRIES):
        shelf.create(str(number))
    with pytest.raises(SlowDown):
        shelf.create("more")

    def fill() -> None:
        for number in range(1_000):
            shelf.put(str(number % MOST_ENTRIES), number // MOST_ENTRIES, b"x" * 1_000)

    with pytest.raises(EntityTooLarge):
        fill()
    assert cache.size < 600_000
    shelf.clear()
    assert cache.size == 0
    shelf.create("long")
    shelf.put("long", 0, b"x" * 1_001)
    with pytest.raises(EntityTooLarge):
        shelf.take("long")
    with pytest.raises(EntityTooLarge, match="without a token"):
        cache.shelf(0).create("k")


def test_what_nobody_touches_makes_room_for_others_and_nothing_else_does() -> None:
    clock = Clock()
    cache = MessageCache(most_bytes=1_000, clock=clock)
    first, second = cache.shelf(10_000), cache.shelf(10_000)
    first.create("k")
    first.put("k", 0, b"x" * 600)
    second.create("k")
    with pytest.raises(SlowDown):
        second.put("k", 0, b"y" * 600)
    clock.now += STALE_SECONDS + 1
    second.put("k", 0, b"y" * 600)
    assert second.take("k") == b"y" * 600
    with pytest.raises(InvalidArgument):
        first.take("k")


def test_all_connections_share_room_that_is_given_back() -> None:
    shared = Shared(most=100)
    assert shared.take(60)
    assert not shared.take(41)
    assert shared.take(40)
    shared.give(60)
    assert shared.take(50)


async def test_who_says_too_much_is_read_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    clock = Clock()
    pace = Pace(clock)
    for _ in range(BURST):
        await pace.keep()
    assert waited == []
    await pace.keep()
    assert waited == [1 / bounds.PER_SECOND]
    clock.now += 3_600
    for _ in range(BURST):
        await pace.keep()
    assert len(waited) == 1


@pytest.mark.parametrize(
    ("origin", "own", "host", "may"),
    [
        ("https://gw.example", "https://gw.example", "inner:9000", True),
        ("https://gw.example:443", "https://gw.example/", "x", True),
        ("http://gw.example", "https://gw.example", "gw.example", False),
        ("https://gw.example.evil.example", "https://gw.example", "x", False),
        ("https://app.example", "https://gw.example", "x", True),  # listed
        ("https://APP.example", "https://gw.example", "x", False),
        ("null", "https://gw.example", "x", False),
        ("http://127.0.0.1:9000", None, "127.0.0.1:9000", True),
        ("http://localhost:9000", None, "localhost:9000", True),
        ("http://127.0.0.1:9001", None, "127.0.0.1:9000", False),
        # A name of somebody else's that leads to loopback: DNS rebinding.
        ("http://evil.example:9000", None, "evil.example:9000", False),
        ("file://", None, "127.0.0.1:9000", False),
        ("http://[", None, "127.0.0.1:9000", False),
        ("", None, "127.0.0.1:9000", False),
    ],
)
def test_pages_connect_from_the_gateway_and_from_listed_origins(
    origin: str, own: str | None, host: str, *, may: bool
) -> None:
    origins = Origins(own, ["https://app.example"])
    headers = CIMultiDict({"Host": host, "Origin": origin})
    asked = cast("Request", Asked(headers))
    if may:
        origins.check(asked)
    else:
        with pytest.raises(AccessForbidden):
            origins.check(asked)
    headers.add("Origin", "https://app.example")
    with pytest.raises(AccessForbidden):
        origins.check(asked)
    del headers["Origin"]
    origins.check(asked)


class Asked:
    """A request as far as its headers."""

    def __init__(self, headers: CIMultiDict[str]) -> None:
        self.headers = headers


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("public/artifact-manager", "artifact-manager"),
        ("artifact-manager", "artifact-manager"),
        ("public/*:artifact-manager@app", "artifact-manager"),
        ("*/gateway-1:default", "default"),
        ("mine/artifact-manager", "artifact-manager"),
        ("others/artifact-manager", ""),
        ("others/client:artifact-manager", ""),
        ({"id": "public/artifact-manager"}, "artifact-manager"),
        ({"service_id": 5}, ""),
        (None, ""),
    ],
)
def test_services_are_sought_in_whatever_way_hypha_has(query: object, name: str) -> None:
    assert sought(query, "mine") == name


async def test_without_the_extra_the_websocket_is_501(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "AVAILABLE", False)
    nothing = cast("Any", None)
    hypha = HyphaDoor(nothing, nothing, nothing, nothing, nothing, Origins(None, ()), 1)
    async with serving(Boundary(lambda _: hypha)) as served:
        answer = await ask(served, "GET", "/ws", "Upgrade: websocket", "Connection: Upgrade")
    assert answer.status == 501
    told = json.loads(answer.body)
    assert told["error"]["code"] == "NotImplemented"
    assert "artifact-gateway[hypha]" in told["detail"]


def test_without_the_extra_every_module_can_be_imported() -> None:
    asking = [path.name for path in SOURCES if "import msgpack" in path.read_text()]
    assert asking == ["frames.py"]
    code = (
        "import sys; sys.modules['msgpack'] = None\n"
        "from gateway.web.hypha import frames; print(frames.AVAILABLE)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "False\n"), ended.stderr
    assert frames.AVAILABLE
