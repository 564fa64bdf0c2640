import errno
import mmap
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Self

import pytest

from gateway.storage import batches, journal, tally
from gateway.storage.batches import Batch, merged_files, read, unmerged
from gateway.storage.journal import Journal
from gateway.storage.workers import WorkersFolder

DAY = date(2025, 6, 7)
GROW = """
import sys
from pathlib import Path
from typing import Self
from gateway.storage import journal
journal.FILE_BYTES = 100_000
one = journal.Journal(Path(sys.argv[1]))
number = 0
while True:
    one.append(b"%d\\n" % number)
    number += 1
    if number % 1_000 == 0:
        print(number, flush=True)
        one.rotate()
        one.sync()
"""
HOLD = """
import sys, time
from pathlib import Path
from typing import Self
from gateway.storage.workers import WorkersFolder
WorkersFolder(Path(sys.argv[1])).enter(sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


def lines(directory: Path, offset: int = 0) -> list[bytes]:
    found: list[bytes] = []
    while (batch := read(directory, offset)) is not None:
        assert batch.start == offset
        assert batch.end > offset
        found += [line for line in batch.lines if line]
        offset = batch.end
    return found


def failing(one: Journal) -> bool:
    return one.failure is not None


@pytest.fixture(params=[True, False], ids=["copied", "written"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether records may be copied into pages, each way in turn."""
    copied = bool(request.param)
    monkeypatch.setattr(journal, "keeps_blocks", lambda _: copied)
    return copied


class Disk:
    """A disk that refuses writes, or takes a part of each, for as long as it is told to.

    `room` is for how many more whole files it has some.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, copies: bool = False) -> None:
        monkeypatch.setattr(journal, "keeps_blocks", lambda _: copies)
        self.takes: int | None = None
        self.asked = 0
        self.room = 10
        self._write: Callable[[int, bytes, int], int] = os.pwrite
        self._allocate: Callable[[int, int, int], None] = os.posix_fallocate
        monkeypatch.setattr(os, "pwrite", self.write)
        monkeypatch.setattr(os, "posix_fallocate", self.allocate)

    def allocate(self, file: int, offset: int, length: int) -> None:
        self._allocate(file, offset, length if self.room else length // 2)
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        self.room -= 1

    def write(self, file: int, data: bytes, position: int) -> int:
        self.asked += 1
        if self.takes == 0:
            raise OSError(errno.ENOSPC, "no space left")
        return self._write(file, data[: self.takes], position)


@pytest.mark.usefixtures("way")
def test_what_was_appended_is_read_at_once_and_in_order(tmp_path: Path) -> None:
    with_journal = Journal(tmp_path)
    records = [tally.download(n, 1, f"päth {n}\n", n, DAY) for n in range(1_000)]
    for record in records:
        with_journal.append(record)
    assert with_journal.end == sum(map(len, records))
    assert [line + b"\n" for line in lines(tmp_path)] == records
    assert unmerged(tmp_path, 0) == with_journal.end
    with_journal.close()


@pytest.mark.usefixtures("way")
def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    one = Journal(tmp_path)
    assert read(tmp_path, 0) is None
    one.append(b"a\n")
    first = read(tmp_path, 0)
    assert first == Batch(0, 2, (b"a", b""))
    assert read(tmp_path, 2) is None
    one.append(b"b\n")
    assert read(tmp_path, 2) == Batch(2, 4, (b"b", b""))
    one.close()


@pytest.mark.usefixtures("way")
def test_a_batch_is_bounded_and_ends_with_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 100)
    one = Journal(tmp_path)
    records = [b"x" * 30 + b"%d\n" % n for n in range(10)]
    for record in records:
        one.append(record)
    batch = read(tmp_path, 0)
    assert batch is not None
    assert batch.end == 96
    assert [line + b"\n" for line in lines(tmp_path)] == records
    one.close()


@pytest.mark.usefixtures("way")
def test_a_line_that_a_crash_has_torn_is_left_out(tmp_path: Path) -> None:
    one = Journal(tmp_path)
    one.append(b"whole\n")
    one.append(b"torn")
    one.close()
    assert lines(tmp_path) == [b"whole"]
    assert read(tmp_path, 6) is None


@pytest.mark.usefixtures("way")
def test_a_long_file_is_followed_by_another_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 50)
    one = Journal(tmp_path)
    records = [b"%d\n" % n for n in range(100)]
    for record in records:
        one.append(record)
        one.rotate()
    one.sync()
    assert len(list(tmp_path.iterdir())) > 4
    assert [line + b"\n" for line in lines(tmp_path)] == records
    assert unmerged(tmp_path, 0) == one.end
    assert unmerged(tmp_path, one.end) == 0
    one.close()


@pytest.mark.usefixtures("way")
def test_where_no_new_file_can_be_made_the_old_one_grows_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Journal(tmp_path)
    one.append(b"one\n")

    def none_left(path: Path, flags: int, mode: int) -> int:
        raise OSError(errno.EMFILE, "too many open files", str(path), flags, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", none_left)
        one.rotate(at_once=True)
    one.sync()
    # Whatever is opened next gets the lowest number that is free.
    with (tmp_path / "of somebody else").open("wb") as other:
        one.append(b"two\n")
        one.rotate(at_once=True)
        one.append(b"three\n")
        one.sync()
        assert os.fstat(other.fileno()).st_size == 0
    assert lines(tmp_path) == [b"one", b"two", b"three"]
    assert not failing(one)
    one.close()


@pytest.mark.usefixtures("way")
def test_what_comes_after_the_end_gets_into_nobody_elses_file(tmp_path: Path) -> None:
    one = Journal(tmp_path)
    one.close()
    with (tmp_path / "of somebody else").open("wb") as other:
        one.append(b"late\n")
        assert failing(one)
        assert os.fstat(other.fileno()).st_size == 0


@pytest.mark.usefixtures("way")
def test_merged_files_are_those_that_nothing_is_missing_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 10)
    one = Journal(tmp_path)
    for _ in range(3):
        one.append(b"0123456789\n")
        one.rotate()
    assert merged_files(tmp_path, 10) == []
    assert [path.name for path in merged_files(tmp_path, 11)] == ["0" * 20 + ".journal"]
    # The last is kept: it grows.
    assert len(merged_files(tmp_path, 33)) == 3
    for path in merged_files(tmp_path, 22):
        path.unlink()
    one.append(b"last\n")
    assert lines(tmp_path, 22) == [b"0123456789", b"last"]
    # An offset that a power failure has put back finds what is left.
    assert read(tmp_path, 5) == Batch(5, 33, (b"0123456789", b""))
    one.close()


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


@pytest.mark.usefixtures("way")
def test_what_is_appended_around_a_sync_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Journal(tmp_path)
    one.append(b"one\n")

    def append(_file: int) -> None:
        one.append(b"two\n")
        one.append(b"and\n")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", append)
        one.sync()
    one.append(b"three\n")
    assert lines(tmp_path) == [b"one", b"two", b"and", b"three"]
    one.close()


def test_files_that_turn_around_a_sync_are_all_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Journal(tmp_path)
    synced: list[int] = []
    turns = [True]

    def turn(file: int) -> None:
        if turns.pop():
            one.append(b"two\n")
            one.rotate(at_once=True)
        os.fstat(file)  # it is open
        synced.append(file)

    monkeypatch.setattr(os, "fdatasync", turn)
    one.append(b"one\n")
    one.sync()
    assert len(synced) == 1
    turns += [False, False]
    one.append(b"three\n")
    one.sync()
    assert len(synced) == 3
    assert synced[1] == synced[0] != synced[2]
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


@pytest.mark.parametrize("torn", [b"\0\0rd\n", b"re\0d\n", b"rec\0\0", b"recd\0"])
def test_a_copy_that_a_death_has_cut_short_is_left_out(tmp_path: Path, torn: bytes) -> None:
    one = Journal(tmp_path)
    one.append(b"whole\n")
    one.close()
    with next(tmp_path.iterdir()).open("r+b") as file:
        file.seek(6)
        file.write(torn)
    assert lines(tmp_path) == [b"whole"]
    assert read(tmp_path, 6) is None


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


def test_a_folder_without_a_file_holds_nothing(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "gone"):
        assert read(directory, 0) is None
        assert unmerged(directory, 0) == unmerged(directory, 7) == 0
        assert merged_files(directory, 7) == []


@pytest.mark.usefixtures("way")
def test_others_read_while_it_grows_and_what_its_process_was_killed_over(tmp_path: Path) -> None:
    """Each line whole, in order, once; and in the end at least all that was said to be appended."""
    with subprocess.Popen(
        [sys.executable, "-c", GROW, str(tmp_path)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found: list[bytes] = []
        offset = 0
        while len(found) < 50_000:
            waiting = unmerged(tmp_path, offset)
            batch = read(tmp_path, offset)
            assert waiting < 10 or batch is not None
            if batch is not None:
                found += [line for line in batch.lines if line]
                offset = batch.end
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split()
    rest = lines(tmp_path, offset)
    assert unmerged(tmp_path, offset) - sum(len(line) + 1 for line in rest) < 10
    found += rest
    assert found == [b"%d" % number for number in range(len(found))]
    assert len(found) >= int(said[-1])


def test_records_add_up_exactly() -> None:
    tenths = [tally.download(1, 0, "a", 100_000, DAY)] * 10_000
    others = [
        tally.download(1, 0, "b", 0, DAY),
        tally.download(1, 1, "a", 7, DAY),
        tally.download(1, 0, "a", 1_000_000_000_000, date(2025, 6, 8)),
        tally.sent(1, 0, "a", 4_096, DAY),
        tally.sent(1, 0, "a", 1 << 40, DAY),
        tally.view(1, 0),
        tally.view(2, 0),
        tally.view(1, 0),
    ]
    sums = tally.add_up(record.rstrip(b"\n") for record in [*tenths, *others])
    assert {key: (each.micros, each.views) for key, each in sums.totals.items()} == {
        (1, 0): (1_001_000_000_000, 2),
        (1, 1): (7, 0),
        (2, 0): (0, 1),
    }
    assert {key: (each.downloads, each.micros, each.bytes) for key, each in sums.days.items()} == {
        (1, 0, "a", "2025-06-07"): (10_000, 1_000_000_000, (1 << 40) + 4_096),
        (1, 0, "b", "2025-06-07"): (1, 0, 0),
        (1, 0, "a", "2025-06-08"): (1, 1_000_000_000_000, 0),
        (1, 1, "a", "2025-06-07"): (1, 7, 0),
    }


@pytest.mark.parametrize(
    "line",
    [b"[", b"\x00\x00", b"{}", b'["d",1,0,"a"]', b'["d","1",0,"a",1,"2025-06-07"]', b'["x"]', b"7"],
)
def test_a_line_that_is_no_record_is_left_out(line: bytes) -> None:
    sums = tally.add_up([line, tally.view(1, 0), b""])
    assert {key: each.views for key, each in sums.totals.items()} == {(1, 0): 1}
    assert not sums.days


def test_a_worker_lives_until_its_process_ends_however_it_does(tmp_path: Path) -> None:
    folder = WorkersFolder(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), "w1"], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert [*folder.workers()] == ["w1"]
        assert folder.lives("w1")
        with folder.taking("w1") as taken:
            assert not taken
        child.send_signal(signal.SIGKILL)
    assert not folder.lives("w1")
    with folder.taking("w1") as taken:
        assert taken
        assert folder.lives("w1"), "nobody else takes it meanwhile"
        with WorkersFolder(tmp_path).taking("w1") as again:
            assert not again
        folder.remove("w1")
    assert not folder.workers()
    assert not folder.lives("w1")


@pytest.mark.parametrize("changed_at", [1_000_000_000.0, None])
def test_workers_are_seen_as_they_come_and_go(tmp_path: Path, changed_at: float | None) -> None:
    folder, other = WorkersFolder(tmp_path), WorkersFolder(tmp_path)
    for number, worker_id in enumerate(("w1", "w2")):
        if changed_at is not None:
            os.utime(tmp_path, (0, changed_at + number))  # then it is known by heart
        known = folder.workers()
        assert [*folder.workers()] == [*known]
        other.enter(worker_id)
        assert {*folder.workers()} == {*known, worker_id}
    other.leave("w1")
    other.remove("w1")
    assert [*folder.workers()] == ["w2"]


def test_a_worker_takes_itself_for_living(tmp_path: Path) -> None:
    folder = WorkersFolder(tmp_path)
    directory = folder.enter("w1")
    assert directory == tmp_path / "w1"
    assert folder.lives("w1")
    with folder.taking("w1") as taken:
        assert not taken
    assert WorkersFolder(tmp_path).lives("w1")
    folder.leave("w1")
    assert not WorkersFolder(tmp_path).lives("w1")


def test_a_folder_keeps_its_name_and_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal"
    host = WorkersFolder(path).host
    assert len(host) == 32
    assert WorkersFolder(path).host == host
    assert WorkersFolder(tmp_path / "other").host != host
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_copy_of_a_folder_is_another_host(tmp_path: Path) -> None:
    first = WorkersFolder(tmp_path / "first")
    shutil.copytree(first.path, tmp_path / "copy")
    copied = WorkersFolder(tmp_path / "copy")
    assert copied.host != first.host
    first.path.rename(tmp_path / "moved")
    assert WorkersFolder(tmp_path / "moved").host == first.host


def test_a_folder_that_is_set_aside_is_no_worker_any_more(tmp_path: Path) -> None:
    folder = WorkersFolder(tmp_path / "journal")
    Journal(folder.enter("w1")).append(b"kept\n")
    folder.leave("w1")
    aside = folder.set_aside("w1")
    assert not folder.workers()
    assert lines(aside) == [b"kept"]
