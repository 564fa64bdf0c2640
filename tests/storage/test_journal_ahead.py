"""Pages made ready ahead: who appends asks the disk for nothing, and nothing else changes."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.storage import journal
from gateway.storage.batches import read, unmerged
from gateway.storage.journal import Journal

RECORDS = [b"%062d\n" % number for number in range(4 * mmap.PAGESIZE // 63)]
PAGE = mmap.PAGESIZE // 63
"""How many records fit into a page."""


class Disk:
    """Counts what is asked of it, and refuses all while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "keeps_blocks", lambda _: True)
        self.full = False
        self.asked = 0
        self._write: Callable[[int, bytes, int], int] = os.pwrite
        monkeypatch.setattr(os, "pwrite", self.write)

    def write(self, file: int, data: bytes, position: int) -> int:
        self.asked += 1
        if self.full:
            raise OSError(28, "no space left on device")
        return self._write(file, data, position)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def records(directory: Path) -> list[bytes]:
    """All that a journal of one file and one batch holds."""
    batch = read(directory, 0)
    assert batch is not None
    return [line + b"\n" for line in batch.lines if line]


def append(one: Journal, some: list[bytes]) -> None:
    for record in some:
        one.append(record)


def test_twice_as_much_as_has_come_is_made_ready(tmp_path: Path, disk: Disk) -> None:
    one = Journal(tmp_path)
    append(one, RECORDS[:PAGE])
    one.sync()
    one.prepare()
    assert disk.asked == 1
    append(one, RECORDS[PAGE : 3 * PAGE])
    assert disk.asked == 1
    append(one, RECORDS[3 * PAGE :])
    assert disk.asked == 2
    assert records(tmp_path) == RECORDS
    assert unmerged(tmp_path, 0) == one.end == len(RECORDS) * 63
    one.close()


def test_what_little_has_come_makes_little_ready(tmp_path: Path, disk: Disk) -> None:
    one = Journal(tmp_path)
    append(one, RECORDS[:2])
    one.sync()
    one.prepare()
    append(one, RECORDS[2:PAGE])
    assert disk.asked == 1
    append(one, RECORDS[PAGE:])
    assert disk.asked == 1 + 3
    assert records(tmp_path) == RECORDS
    one.close()


def test_no_more_is_made_ready_than_it_may_be(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "AHEAD_BYTES", mmap.PAGESIZE)
    one = Journal(tmp_path)
    append(one, RECORDS[: 2 * PAGE])
    asked = disk.asked
    one.sync()
    one.prepare()
    append(one, RECORDS[2 * PAGE : 3 * PAGE])
    assert disk.asked == asked
    append(one, RECORDS[3 * PAGE :])
    assert disk.asked > asked
    one.close()


@pytest.mark.usefixtures("disk")
def test_nothing_is_made_ready_behind_the_end_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", mmap.PAGESIZE)
    one = Journal(tmp_path)
    append(one, RECORDS[:PAGE])
    one.prepare()
    append(one, RECORDS[PAGE : 2 * PAGE])
    one.prepare()
    append(one, RECORDS[2 * PAGE :])
    assert records(tmp_path) == RECORDS
    one.close()


def test_a_new_file_begins_with_a_question_again(tmp_path: Path, disk: Disk) -> None:
    one = Journal(tmp_path)
    append(one, RECORDS[:PAGE])
    one.prepare()
    one.rotate(at_once=True)
    append(one, RECORDS[PAGE:])
    assert disk.asked > 1
    found = read(tmp_path, one.turned_at)
    assert found is not None
    assert [line + b"\n" for line in found.lines if line] == RECORDS[PAGE:]
    one.close()


def test_while_a_disk_is_full_nothing_is_ready(tmp_path: Path, disk: Disk) -> None:
    one = Journal(tmp_path)
    append(one, RECORDS[:PAGE])
    disk.full = True
    append(one, RECORDS[PAGE : PAGE + 2])
    assert one.failure is not None
    one.prepare()
    append(one, RECORDS[PAGE + 2 : PAGE + 4])
    assert one.end == PAGE * 63, "what is held goes first"
    disk.full = False
    append(one, RECORDS[PAGE + 4 :])
    assert records(tmp_path) == RECORDS
    one.close()


def test_a_kernel_that_can_not_leaves_all_as_it_was(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_POPULATE_WRITE", 9_999)
    one = Journal(tmp_path)
    append(one, RECORDS[:2])
    one.sync()
    one.prepare()
    append(one, RECORDS[2:3])
    assert disk.asked == 2
    append(one, RECORDS[3:])
    assert disk.asked == 2 + 3
    assert records(tmp_path) == RECORDS
    one.close()
