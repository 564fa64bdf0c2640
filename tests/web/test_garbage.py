"""When garbage in circles is looked for: at idle times, and now and then in any case."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway.web import garbage


class Circle:
    """Something that refers to itself: no count of references ever ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What is set for the process is set back."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that tests have time for."""
    monkeypatch.setattr(garbage, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(garbage, "OLD", 0)


def forgotten_circle() -> "weakref.ref[Circle]":
    """A circle that nobody refers to, and that young generations do not hold any more."""
    circle = Circle()
    gc.collect(1)
    return weakref.ref(circle)


async def gone_within(circle: "weakref.ref[Circle]", *, idle: bool, seconds: float) -> bool:
    gone = asyncio.Event()
    last = circle()
    assert last is not None
    weakref.finalize(last, gone.set)
    del last
    collecting = asyncio.create_task(garbage.collect(lambda: idle))
    try:
        async with asyncio.timeout(seconds):
            await gone.wait()
    except TimeoutError:
        return False
    finally:
        collecting.cancel()
    return True


def test_after_a_start_what_is_old_is_gone_through_at_no_time_by_itself() -> None:
    before = gc.get_freeze_count()
    made: list[list[int]] = [[] for _ in range(1_000)]
    garbage.settle()
    assert gc.get_freeze_count() > before + len(made)
    circle = forgotten_circle()
    many: list[list[int]] = [[] for _ in range(200_000)]
    assert circle() is not None
    assert len(many) == 200_000


@pytest.mark.usefixtures("hasty")
async def test_what_nobody_refers_to_goes_while_nobody_waits() -> None:
    garbage.settle()
    assert await gone_within(forgotten_circle(), idle=True, seconds=10)


@pytest.mark.usefixtures("hasty")
async def test_without_reason_nothing_is_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "OLD", 1 << 30)
    garbage.settle()
    assert not await gone_within(forgotten_circle(), idle=True, seconds=0.1)


@pytest.mark.usefixtures("hasty")
async def test_it_stays_while_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "PATIENCE", 1 << 30)
    garbage.settle()
    assert not await gone_within(forgotten_circle(), idle=False, seconds=0.1)


@pytest.mark.usefixtures("hasty")
async def test_it_goes_at_last_where_somebody_always_waits() -> None:
    garbage.settle()
    assert await gone_within(forgotten_circle(), idle=False, seconds=10)
