"""What was seen of the database is given again while the header of its log is the same."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.storage.database import Database
from gateway.storage.glances import Glances
from gateway.storage.log_header import SIZE, LogHeader

CHANGE = "UPDATE generation SET number = number + 1"
LOCK = "BEGIN IMMEDIATE"
OTHER = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0.1).executescript(sys.argv[2])"


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database that somebody has made."""
    path = tmp_path / "index.db"
    async with Database(f"sqlite:///{path}"):
        return path


@pytest.fixture
def glances(path: Path) -> Iterator[Glances]:
    glances = Glances(str(path))
    yield glances
    glances.close()


@pytest.fixture
def looks(glances: Glances, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What looks into the database have found, one by one."""
    found: list[int] = []
    look = glances._look  # noqa: SLF001 (what the header spares is this)

    def noted() -> tuple[int, int]:
        numbers = look()
        found.append(numbers[0])
        return numbers

    monkeypatch.setattr(glances, "_look", noted)
    return found


def in_another_process(path: Path, statements: str) -> int:
    """How a process ends that has these statements run."""
    command = [sys.executable, "-c", OTHER, str(path), statements]
    return subprocess.run(command, check=False, capture_output=True).returncode


def test_nobody_looks_twice_while_nobody_commits(glances: Glances, looks: list[int]) -> None:
    assert {glances.generation()[0] for _ in range(9)} == {looks[0]}
    assert len(looks) == 2  # the first one finds the log


def test_commits_of_this_and_other_processes_are_seen_at_once(path: Path, glances: Glances) -> None:
    number = glances.generation()[0]
    with closing(sqlite3.connect(path)) as connection:
        for turn in range(1, 4):
            connection.execute(CHANGE)
            assert glances.generation()[0] == number + 2 * turn - 2
            connection.commit()
            assert glances.generation()[0] == number + 2 * turn - 1
            assert in_another_process(path, CHANGE) == 0
            assert glances.generation()[0] == number + 2 * turn


@pytest.mark.parametrize("mode", ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
def test_a_log_that_begins_anew_hides_nothing(path: Path, glances: Glances, mode: str) -> None:
    number = glances.generation()[0]
    for turn in range(1, 4):
        assert in_another_process(path, f"PRAGMA wal_checkpoint({mode}); {CHANGE}") == 0
        assert glances.generation()[0] == number + turn
        assert glances.generation()[0] == number + turn


def test_a_header_that_is_half_written_is_not_believed(
    path: Path, glances: Glances, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    glances.generation()
    header = LogHeader.of(str(path))
    assert header is not None
    with monkeypatch.context() as patched:
        patched.setattr(header, "memory", bytes(SIZE) + bytes([1]) * SIZE)
        for _ in range(3):
            glances.generation()
    assert len(looks) == 4
    header.close()


def test_who_reads_the_header_takes_no_lock_from_sqlite(path: Path, glances: Glances) -> None:
    """Closing a file ends all locks that its process has on it."""
    glances.generation()
    others = Glances(str(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(LOCK)
        assert in_another_process(path, LOCK) != 0
        others.generation()
        others.close()
        assert in_another_process(path, LOCK) != 0
    assert in_another_process(path, LOCK) == 0


def test_a_database_without_a_log_is_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE generation (number INTEGER, counted INTEGER)")
        connection.execute("INSERT INTO generation VALUES (1, 1)")
        connection.commit()
        glances = Glances(str(path))
        for number in range(1, 4):
            assert glances.generation() == (number, 1)
            connection.execute(CHANGE)
            connection.commit()
        glances.close()
