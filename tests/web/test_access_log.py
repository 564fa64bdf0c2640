"""The access log's lines on their way to a stream."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from io import StringIO
from select import PIPE_BUF

import pytest

from gateway.web.access_log import PAUSE_SECONDS, Entry, Lines


class Counted(StringIO):
    """A stream that knows what was written to it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    @property
    def writes(self) -> int:
        return len(self.pieces)

    def write(self, text: str) -> int:
        self.pieces.append(text)
        return super().write(text)


def record(line: str) -> logging.LogRecord:
    return logging.LogRecord("gateway.access", logging.INFO, "", 0, line, (), None)


async def test_lines_of_one_turn_are_written_at_once_and_in_order() -> None:
    stream = Counted()
    lines = Lines(stream)
    for turn in range(2):
        for number in range(3):
            lines.handle(record(f"{turn}.{number}"))
        await asyncio.sleep(PAUSE_SECONDS * turn * 2)
    assert stream.getvalue() == "0.0\n0.1\n0.2\n1.0\n1.1\n1.2\n"
    assert stream.writes == 2


async def test_many_turns_are_written_at_once_after_a_pause() -> None:
    stream = Counted()
    lines = Lines(stream)
    for number in range(50):
        lines.handle(record(f"{number}"))
        await asyncio.sleep(0)
    assert stream.getvalue().startswith("0\n")
    await asyncio.sleep(PAUSE_SECONDS * 2)
    assert stream.getvalue().split() == [f"{number}" for number in range(50)]
    assert stream.writes < 25


@pytest.mark.parametrize("letter", ["x", "é", "\udcff"])
async def test_lines_are_written_in_pieces_that_a_pipe_takes_whole(letter: str) -> None:
    stream = Counted()
    lines = Lines(stream)
    given = [letter * (number * 17 % 300) + f" {number}" for number in range(200)]
    given[50] = letter * 2 * PIPE_BUF  # what no pipe takes whole goes alone
    for line in given:
        lines.handle(record(line))
    lines.flush()
    assert stream.getvalue() == "".join(f"{line}\n" for line in given)
    *whole, long = sorted(stream.pieces, key=len)
    assert long == given[50] + "\n"
    sizes = [len(piece.encode(errors="backslashreplace")) for piece in whole]
    assert max(sizes) <= PIPE_BUF
    assert len(whole) < 150
    assert all(piece.endswith("\n") for piece in whole)


async def test_what_waits_is_written_when_the_process_ends() -> None:
    stream = Counted()
    lines = Lines(stream)
    lines.handle(record("last"))
    lines.close()
    logging.shutdown([lambda: lines])
    assert stream.getvalue() == "last\n"


def test_without_an_event_loop_a_line_is_written_at_once() -> None:
    stream = Counted()
    Lines(stream).handle(record("here"))
    assert stream.getvalue() == "here\n"


async def test_stream_that_takes_nothing_loses_a_line_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    broken, stream = Counted(), Counted()
    broken.close()
    lines = Lines(broken)
    lines.handle(record("lost"))
    lines.flush()
    lines.setStream(stream)
    lines.handle(record("heard"))
    lines.flush()
    assert stream.getvalue() == "heard\n"


def test_times_are_to_the_microsecond_in_whatever_order_they_come() -> None:
    began = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    steps = (999_999, 0, 1_000_000, -1, 5, 3_600_000_000, 999_999, -3_600_000_000, 1_000_001)
    stream, whole = StringIO(), True
    lines = Lines(stream)
    for step in steps:
        time = began + timedelta(microseconds=step)
        entry = Entry(
            time, "ID", "", "s3", None, "GET", "/", 200, 0, 0, 0.0, whole, None, None, None
        )
        lines.take(entry)
    written = [json.loads(line)["time"] for line in stream.getvalue().splitlines()]
    assert {len(each) for each in written} == {len("2026-01-31T23:59:59.000000+00:00")}
    told = [datetime.fromisoformat(each) for each in written]
    assert told == [began + timedelta(microseconds=step) for step in steps]
