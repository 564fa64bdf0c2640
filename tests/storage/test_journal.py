"""A journal: what was appended is read in order, whole, and once."""

import errno
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from gateway.storage import batches, journal, tally
from gateway.storage.batches import Batch, merged_files, read, unmerged
from gateway.storage.journal import Journal
from tests.storage.journals import failing, lines

DAY = date(2025, 6, 7)
GROW = """
import sys
from pathlib import Path
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


@pytest.fixture(params=[True, False], ids=["copied", "written"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether records may be copied into pages, each way in turn."""
    copied = bool(request.param)
    monkeypatch.setattr(journal, "keeps_blocks", lambda _: copied)
    return copied


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
