"""Journals on disks that are full, or break."""

import errno
import mmap
import os
from pathlib import Path
from typing import Self

import pytest

from gateway.storage import journal
from gateway.storage.batches import merged_files, read
from gateway.storage.journal import Journal
from tests.storage.journals import Disk, failing, lines


def test_what_a_full_disk_refuses_is_written_when_it_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    one = Journal(tmp_path)
    one.append(b"one\n")
    disk.takes = 0
    one.append(b"two\n")
    one.append(b"three\n")
    assert failing(one)
    assert lines(tmp_path) == [b"one"]
    with pytest.raises(OSError, match="no space"):
        one.flush()
    disk.takes = None
    one.flush()
    assert not failing(one)
    assert lines(tmp_path) == [b"one", b"two", b"three"]
    assert one.end == 14
    assert one.lost == 0
    one.close()


def test_a_record_of_which_the_disk_took_a_part_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    one = Journal(tmp_path)
    disk.takes = 2
    one.append(b"first\n")
    assert failing(one)
    assert read(tmp_path, 0) is None
    disk.takes = None
    one.append(b"second\n")
    assert not failing(one)
    assert lines(tmp_path) == [b"first", b"second"]
    assert one.end == 13
    one.close()


def test_memory_that_holds_for_a_full_disk_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(journal, "HELD_BYTES", 10)
    one = Journal(tmp_path)
    disk.takes = 0
    for _ in range(5):
        one.append(b"1234\n")
    assert one.lost == 3
    disk.takes = None
    one.append(b"5678\n")
    assert one.lost == 4
    assert lines(tmp_path) == [b"1234", b"1234"]
    one.append(b"9\n")
    assert lines(tmp_path) == [b"1234", b"1234", b"9"]
    one.close()


def test_without_room_for_a_whole_file_records_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, copies=True)
    disk.room = 2
    one = Journal(tmp_path)
    one.append(b"copied\n")
    assert disk.asked == 0
    disk.room = 0
    one.rotate(at_once=True)
    one.append(b"written\n")
    assert disk.asked == 1
    disk.takes = 0
    one.append(b"refused\n")
    assert failing(one)
    assert lines(tmp_path) == [b"copied", b"written"]
    disk.takes = None
    one.append(b"last\n")
    assert not failing(one)
    disk.room = 2
    one.rotate(at_once=True)
    asked = disk.asked
    one.append(b"copied\n")
    assert disk.asked == asked
    assert lines(tmp_path) == [b"copied", b"written", b"refused", b"last", b"copied"]
    one.close()


def test_where_a_file_grows_on_what_is_held_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", mmap.PAGESIZE)
    disk = Disk(monkeypatch, copies=True)
    one = Journal(tmp_path)
    records = [b"%062d\n" % number for number in range(mmap.PAGESIZE // 63 - 1)]
    for record in records:
        one.append(record)
    assert disk.asked == 0
    disk.takes = 0
    end, long, short = one.end, b"%099d\n" % 1, b"2\n"
    one.append(long)
    one.append(short)
    assert one.end == end
    disk.takes = None
    one.flush()
    assert [line + b"\n" for line in lines(tmp_path)] == [*records, long, short]
    one.close()


def test_a_disk_that_breaks_is_asked_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, copies=True)
    one = Journal(tmp_path)
    one.append(b"one\n")

    def broken(_file: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="input/output"):
            one.sync()
    disk.takes = 0
    one.append(b"two\n")
    assert failing(one)
    disk.takes = None
    one.append(b"three\n")
    assert lines(tmp_path) == [b"one", b"two", b"three"]
    one.close()


def test_a_file_that_could_not_be_synced_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Journal(tmp_path)
    for record in (b"one\n", b"two\n", b"three\n"):
        one.append(record)
        one.rotate(at_once=True)
    outcomes = [OSError(errno.EIO, "input/output error"), None, None, None]
    tried: list[int] = []

    def sync(file: int) -> None:
        tried.append(file)
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(os, "fdatasync", sync)
    with pytest.raises(OSError, match="input/output"):
        one.sync()
    one.sync()
    assert len(set(tried)) == 4
    one.close()


def test_a_file_that_has_no_memory_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "keeps_blocks", lambda _: True)
    one = Journal(tmp_path)
    one.append(b"one\n")

    class NoMemory(mmap.mmap):
        def __new__(cls, *_: int) -> Self:
            raise OSError(errno.ENOMEM, "no memory for pages")

    with monkeypatch.context() as patched:
        patched.setattr(mmap, "mmap", NoMemory)
        one.rotate(at_once=True)
    one.append(b"two\n")
    one.rotate(at_once=True)
    one.append(b"three\n")
    assert lines(tmp_path) == [b"one", b"two", b"three"]
    assert len(list(tmp_path.iterdir())) == 3
    one.close()


def test_what_a_power_failure_left_of_a_file_hides_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 10)
    one = Journal(tmp_path)
    for record in (b"0123456789\n", b"abcdefghij\n", b"last\n"):
        one.append(record)
        one.rotate()
    one.close()
    first = min(tmp_path.iterdir())
    for size in (4, mmap.PAGESIZE):  # torn; and as long as when it grew
        os.truncate(first, size)
        assert lines(tmp_path, 0)[-2:] == [b"abcdefghij", b"last"]
        assert len(merged_files(tmp_path, 11)) == 1
