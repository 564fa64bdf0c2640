"""Pages made ready ahead: as many as are about to be needed, and nothing else changes."""

import mmap
import re
from pathlib import Path

import pytest

from gateway.storage import journal
from gateway.storage.batches import read, unmerged
from gateway.storage.journal import Journal

RECORDS = [b"%062d\n" % number for number in range(4 * mmap.PAGESIZE // 63)]
PAGE = mmap.PAGESIZE // 63
"""How many records fit into a page."""


@pytest.fixture(autouse=True)
def copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "keeps_blocks", lambda _: True)


def records(directory: Path, offset: int = 0) -> list[bytes]:
    """All that a journal of one file and one batch holds."""
    batch = read(directory, offset)
    assert batch is not None
    return [line + b"\n" for line in batch.lines if line]


def append(one: Journal, some: list[bytes]) -> None:
    for record in some:
        one.append(record)


def ready(directory: Path) -> int:
    """How many pages of a journal's files this process may write to as they are: see proc(5)."""
    size, of_journal = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            of_journal = str(directory) in line
        elif of_journal and line.startswith(("Private_Dirty:", "Shared_Dirty:")):
            size += int(line.split()[1]) * 1_024
    return size // mmap.PAGESIZE


def test_twice_as_much_as_has_come_is_made_ready(tmp_path: Path) -> None:
    one = Journal(tmp_path)
    append(one, RECORDS[:PAGE])
    assert ready(tmp_path) == 1
    one.sync()
    one.prepare()
    assert ready(tmp_path) == 3
    append(one, RECORDS[PAGE:])
    assert ready(tmp_path) == 4
    assert records(tmp_path) == RECORDS
    assert unmerged(tmp_path, 0) == one.end == len(RECORDS) * 63
    one.close()


@pytest.mark.parametrize(("appended", "most"), [(2, 1), (2 * PAGE, 3)])
def test_what_little_has_come_makes_little_ready_and_much_no_more_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, appended: int, most: int
) -> None:
    monkeypatch.setattr(journal, "AHEAD_BYTES", mmap.PAGESIZE)
    one = Journal(tmp_path)
    append(one, RECORDS[:appended])
    one.sync()
    one.prepare()
    assert 1 <= ready(tmp_path) <= most
    one.close()


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


def test_of_a_new_file_nothing_is_ready(tmp_path: Path) -> None:
    one = Journal(tmp_path)
    append(one, RECORDS[:PAGE])
    one.prepare()
    one.rotate(at_once=True)
    assert ready(tmp_path) == 0
    one.prepare()
    append(one, RECORDS[PAGE:])
    assert records(tmp_path, one.turned_at) == RECORDS[PAGE:]
    one.close()


def test_a_kernel_that_can_not_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_POPULATE_WRITE", 9_999)
    one = Journal(tmp_path)
    append(one, RECORDS[:PAGE])
    one.prepare()
    assert ready(tmp_path) == 1
    append(one, RECORDS[PAGE:])
    assert records(tmp_path) == RECORDS
    one.close()
