"""The day that a download is counted on, and its line."""

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.services.statistics.today import Today
from gateway.storage import tally

EVE = datetime(2025, 6, 7, 23, 59, 59, 990_000, tzinfo=UTC)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = EVE

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_look_says_how_long_the_day_lasts(time: Time) -> None:
    today = Today(time.clock)
    assert today.day == date(2025, 6, 7)
    assert today.look() == pytest.approx(0.01)
    time.now += timedelta(seconds=0.01)
    assert today.look() == 86_400
    assert today.day == date(2025, 6, 8)


def test_a_clock_that_was_set_back_is_believed(time: Time) -> None:
    today = Today(time.clock)
    time.now -= timedelta(days=2)
    today.look()
    assert today.day == date(2025, 6, 5)


def test_lines_are_of_their_day_and_their_download(time: Time) -> None:
    today = Today(time.clock)
    every = [(1, 0, "a", 5, 6), (1, 0, "b", 5, 6), (1, 1, "a", 5, 6), (1, 0, "a", 5, 7)]
    for _ in range(2):
        for fields in every:
            artifact_id, epoch, path, micros, size = fields
            expected = tally.download(artifact_id, epoch, path, micros, today.day, size)
            assert today.line(fields).written == today.lines[fields].written == expected
        time.now += timedelta(days=1)
        today.look()
        assert today.lines == {}


def test_lines_that_are_kept_are_bounded(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "LINES", 2)
    today = Today(time.clock)
    lines = [today.line((number, 0, "a", 1, 1)).written for number in range(5)]
    assert len(set(lines)) == 5
    assert today.line((0, 0, "a", 1, 1)).written == lines[0]
    assert len(today.lines) <= 2
