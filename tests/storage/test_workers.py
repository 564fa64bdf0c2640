"""The folders of workers: who lives, and whose they are."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.storage.journal import Journal
from gateway.storage.workers import WorkersFolder
from tests.storage.journals import lines

HOLD = """
import sys, time
from pathlib import Path
from gateway.storage.workers import WorkersFolder
WorkersFolder(Path(sys.argv[1])).enter(sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


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
