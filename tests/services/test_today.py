"""The day that a download is counted on, and its line."""

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.services.statistics import today as module
from gateway.services.statistics.today import Today
from gateway.storage import tally

EVE = datetime(2025, 6, 7, 23, 59, 59, 990_000, tzinfo=UTC)


class Time:
    """A clock, and what goes on beside it, which a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        self.looks = 0
        monkeypatch.setattr(module, "monotonic", lambda: 1_000 + self.passed)

    def clock(self) -> datetime:
        self.looks += 1
        return EVE + timedelta(seconds=self.passed)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def test_the_day_changes_at_midnight_to_the_moment(time: Time) -> None:
    today = Today(time.clock)
    assert today.day() == date(2025, 6, 7)
    time.passed = 0.009
    assert today.day() == date(2025, 6, 7)
    assert time.looks == 1
    time.passed = 0.0101
    assert today.day() == date(2025, 6, 8)


def test_a_clock_that_was_set_is_looked_at_soon(time: Time) -> None:
    moments = iter((EVE, EVE - timedelta(days=2)))
    today = Today(lambda: next(moments))
    assert today.day() == date(2025, 6, 7)
    time.passed = 1
    assert today.day() == date(2025, 6, 5)


def test_lines_are_of_their_day_and_their_download(time: Time) -> None:
    today = Today(time.clock)
    for _ in range(2):
        for fields in ((1, 0, "a", 5, 6), (1, 0, "b", 5, 6), (1, 1, "a", 5, 6), (1, 0, "a", 5, 7)):
            artifact_id, epoch, path, micros, size = fields
            line = today.download(*fields)
            assert line == tally.download(artifact_id, epoch, path, micros, today.day(), size)
        time.passed += 1


def test_lines_that_are_kept_are_bounded(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "LINES", 2)
    today = Today(time.clock)
    lines = [today.download(number, 0, "a", 1, 1) for number in range(5)]
    assert len(set(lines)) == 5
    assert today.download(0, 0, "a", 1, 1) == lines[0]
    assert len(today._lines) <= 2  # noqa: SLF001
