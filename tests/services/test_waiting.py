"""What a worker has counted beyond what the database holds, added up."""

import os
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from gateway.services.statistics import waiting as module
from gateway.services.statistics.today import Line
from gateway.services.statistics.waiting import Waiting
from gateway.storage import journal, tally
from gateway.storage.batches import read
from gateway.storage.journal import Journal
from gateway.storage.tally import add_up

KEY, OTHER = (1, 0), (2, 0)
DAY = date(2025, 6, 7)


class Worker:
    """A journal, and what waits of it."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder)
        self.waiting = Waiting(self.journal)
        self.lines: dict[bytes, Line] = {}

    def append(self, line: bytes, key: tuple[int, int] = KEY) -> int:
        """Where the journal ends behind a line."""
        self.journal.append(line)
        self.waiting.lines[key][line] += 1
        return self.journal.end

    def download(self, micros: int, key: tuple[int, int] = KEY) -> int:
        written = tally.download(*key, "a", micros, DAY, 10)
        line = self.lines.setdefault(written, Line(written, key, DAY))
        self.journal.append(written)
        self.waiting.repeat(line)
        return self.journal.end

    def view(self, key: tuple[int, int]) -> int:
        return self.append(tally.view(*key), key)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record is written to the disk, which has something to say to it."""
    monkeypatch.setattr(journal, "keeps_blocks", lambda _: False)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path)
    yield worker
    worker.journal.close()


@pytest.fixture
def cut(worker: Worker) -> int:
    """Where a part ends, with a download and a view of one artifact; another follows it."""
    worker.download(500)
    worker.view(OTHER)
    worker.view(KEY)
    part = worker.waiting.cut()
    worker.download(700)
    return part.end


def test_what_lies_behind_an_offset_is_added_up(worker: Worker, cut: int) -> None:
    waiting = worker.waiting
    assert waiting.beyond(KEY, 0) == (1200, 1)
    assert waiting.beyond(KEY, cut) == (700, 0)
    assert waiting.beyond(OTHER, 0) == (0, 1)
    assert waiting.beyond(OTHER, cut) == (0, 0)
    assert waiting.beyond((1, 1), 0) == (0, 0)
    assert not waiting.lines[(1, 1)]


def test_what_is_merged_is_forgotten(worker: Worker, cut: int) -> None:
    waiting = worker.waiting
    waiting.forget(cut)
    assert waiting.forgotten == cut
    assert waiting.beyond(KEY, 0) is None
    assert waiting.beyond(KEY, cut) == (700, 0)
    assert waiting.beyond(OTHER, cut) == (0, 0)
    part = waiting.cut()
    assert (part.start, part.end) == (cut, worker.journal.end)
    worker.view(KEY)
    assert waiting.beyond(KEY, cut) == (700, 1)
    assert waiting.beyond(KEY, part.end) == (0, 1)


def test_a_merge_that_came_to_nothing_is_made_up_for_by_the_next(worker: Worker, cut: int) -> None:
    waiting = worker.waiting
    waiting.forget(0)
    part = waiting.cut()
    assert part.start == 0
    assert part.lines is not None
    assert add_up(part.lines).totals == {KEY: tally.Total(1200, 1), OTHER: tally.Total(0, 1)}
    worker.view(OTHER)
    assert waiting.beyond(KEY, 0) == (1200, 1)
    assert waiting.beyond(OTHER, 0) == (0, 2)
    assert waiting.beyond(KEY, cut) is None, "the cut is elsewhere now"
    assert waiting.beyond(OTHER, part.end) == (0, 1)


def test_of_a_part_that_is_partly_merged_the_database_has_to_say(worker: Worker, cut: int) -> None:
    waiting = worker.waiting
    waiting.forget(cut - 10)
    assert waiting.beyond(KEY, cut - 10) is None
    assert waiting.beyond(KEY, cut) == (700, 0)
    part = waiting.cut()
    assert part.lines is None
    assert waiting.beyond(KEY, cut - 10) is None
    worker.view(KEY)
    waiting.forget(part.end)
    assert waiting.beyond(KEY, part.end) == (0, 1)
    assert waiting.cut().lines == {tally.view(*KEY): 1}


@pytest.mark.parametrize("whole", [False, True])
def test_others_may_have_merged_more_than_was_cut(worker: Worker, cut: int, *, whole: bool) -> None:
    waiting, end = worker.waiting, worker.journal.end
    waiting.forget(end if whole else cut + 5)
    worker.download(3)
    assert waiting.beyond(KEY, cut) is None
    assert waiting.beyond(KEY, cut + 5) is None
    assert waiting.beyond(KEY, end) == (3, 0)
    assert waiting.beyond(OTHER, end) == (0, 0)


def test_behind_a_line_that_nobody_can_add_the_database_has_to_say(worker: Worker) -> None:
    worker.journal.append(b"a click\n")
    worker.waiting.obscure()
    worker.view(KEY)
    part = worker.waiting.cut()
    assert part.lines is None
    assert worker.waiting.beyond(KEY, 0) is None
    assert worker.waiting.beyond(KEY, part.end) == (0, 0)


@pytest.mark.usefixtures("written")
def test_what_a_disk_has_refused_is_left_to_the_journal(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is held comes later, and in another part, than it was appended."""
    waiting = worker.waiting
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda *_: 0)
        worker.download(1)
        assert waiting.beyond(KEY, 0) is None
        refused = waiting.cut()
    assert refused.lines is None
    waiting.forget(refused.end)
    worker.journal.flush()
    flushed = waiting.cut()
    assert flushed.lines is None
    assert flushed.end > refused.end
    waiting.forget(flushed.end)
    worker.view(KEY)
    assert waiting.cut().lines == {tally.view(*KEY): 1}


def test_lines_that_are_kept_are_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 10)
    for micros in range(10):
        worker.download(micros, (micros % 3, 0))
    waiting = worker.waiting
    part = waiting.cut()
    assert part.lines is not None
    assert len(part.lines) == 10
    worker.download(10)
    more = waiting.cut()  # nothing was merged
    assert more.lines is None
    assert waiting.beyond(KEY, 0) is None
    waiting.forget(more.end)
    worker.view(KEY)
    assert waiting.beyond(KEY, more.end) == (0, 1)


def test_parts_are_what_the_journal_holds(
    tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the disk refuses in between, and wherever a merge ends."""
    chance = random.Random(7)  # noqa: S311 (for a test's sake)
    merged = told = 0
    pwrite = os.pwrite
    for _ in range(400):
        takes = chance.choice([None, None, None, 0, 30])
        monkeypatch.setattr(
            os,
            "pwrite",
            lambda file, data, at, most=takes: pwrite(file, data[:most], at) if most != 0 else 0,
        )
        for _ in range(chance.randrange(4)):
            worker.download(chance.randrange(3), (chance.randrange(2), 0))
        part = worker.waiting.cut()
        held = read(tmp_path, merged, part.end)
        if part.lines is not None:
            told += 1
            assert part.start == merged
            assert add_up(part.lines) == add_up(held.lines if held else [])
        if held is not None:
            merged = chance.choice([merged, held.end, held.end])
            worker.waiting.forget(merged)
    assert told > 20
