import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import ServiceUnavailable
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database
from gateway.storage.direct import Direct
from gateway.storage.sqlite import WRITER_PRAGMAS

worker = tables.worker
NOW = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite:///{path}") as database:
        yield database


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else writes; whoever wants to gathers at the door."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")


async def add(connection: Connection, name: str) -> str:
    row = {"id": name, "host": "h", "seen_at": NOW, "merged": 0}
    await connection.execute(insert(worker).values(row))
    return name


async def names(database: Database) -> set[str]:
    async with database.reading() as connection:
        return set((await connection.execute(select(worker.c.id))).scalars())


async def fail(connection: Connection) -> None:
    """Begin what is not to be kept."""
    await add(connection, "failed")
    raise KeyError


async def break_a_rule(connection: Connection) -> None:
    """Do what the database refuses in the end."""
    await add(connection, "broken")
    await add(connection, "broken")


async def test_of_those_that_wait_together_each_has_its_own_outcome(
    opened: Database, path: Path
) -> None:
    async def write(name: str) -> str:
        return await opened.transaction(lambda connection: add(connection, name))

    with locked(path):
        good = [asyncio.create_task(write(name)) for name in "ab"]
        failed = asyncio.create_task(opened.transaction(fail))
        broken = asyncio.create_task(opened.transaction(break_a_rule))
        left = asyncio.create_task(write("left"))
        good += [asyncio.create_task(write(name)) for name in "cd"]
        await asyncio.sleep(0.02)
        left.cancel()
    assert await asyncio.gather(*good) == list("abcd")
    with pytest.raises(KeyError):
        await failed
    with pytest.raises(IntegrityError):
        await broken
    with pytest.raises(asyncio.CancelledError):
        await left
    assert await names(opened) == set("abcd")


async def test_those_that_wait_together_share_a_commit(opened: Database, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as watcher:

        def commits_seen() -> int:
            return int(watcher.execute("PRAGMA data_version").fetchone()[0])

        before = commits_seen()
        seen = set()

        async def write(number: int) -> None:
            await opened.transaction(lambda connection: add(connection, f"{number}"))
            seen.add(len(await names(opened)))

        with locked(path):
            writes = [asyncio.create_task(write(number)) for number in range(20)]
            await asyncio.sleep(0.02)
        await asyncio.gather(*writes)
        assert commits_seen() > before
    assert max(seen) == 20
    assert len(seen) <= 2  # the first, and all that came while it waited


async def test_a_transaction_sees_what_those_before_it_did(opened: Database, path: Path) -> None:
    async def raise_it(connection: Connection) -> int:
        found = await connection.execute(select(worker.c.merged))
        merged = int(found.scalar_one()) + 1
        await connection.execute(update(worker).values(merged=merged))
        return merged

    await opened.transaction(lambda connection: add(connection, "a"))
    with locked(path):
        raises = [asyncio.create_task(opened.transaction(raise_it)) for _ in range(9)]
        await asyncio.sleep(0.02)
    assert await asyncio.gather(*raises) == list(range(1, 10))


async def test_a_transaction_that_waits_for_something_else_is_undone(opened: Database) -> None:
    never = asyncio.get_running_loop().create_future()

    async def wait(connection: Connection) -> None:
        await add(connection, "a")
        await never

    with pytest.raises(RuntimeError, match="waits for nothing but the database"):
        await opened.transaction(wait)
    assert await names(opened) == set()


async def test_what_undoes_all_of_a_commit_is_told_to_all_of_them(
    opened: Database, path: Path
) -> None:
    async def undo(connection: Connection) -> None:
        # As SQLite does by itself when the disk is full.
        await connection.execute(text("ROLLBACK"))
        raise sqlite3.OperationalError

    async def write(name: str) -> str:
        return await opened.transaction(lambda connection: add(connection, name))

    with locked(path):
        first = asyncio.create_task(write("first"))
        await asyncio.sleep(0.02)
        together = [
            asyncio.create_task(write("before")),
            asyncio.create_task(opened.transaction(undo)),
            asyncio.create_task(write("after")),
        ]
        await asyncio.sleep(0.02)
    await first
    outcomes = await asyncio.gather(*together, return_exceptions=True)
    assert [type(each) for each in outcomes] == [sqlite3.OperationalError] * 3
    assert await names(opened) == {"first"}
    assert await write("later") == "later"


async def test_all_that_waits_is_written_before_the_file_is_closed(path: Path) -> None:
    async with Database(f"sqlite:///{path}") as database:
        writes = [
            asyncio.create_task(database.transaction(lambda c, n=n: add(c, f"{n}")))  # type: ignore[misc]
            for n in range(100)
        ]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*writes)) == 100
    async with Database(f"sqlite:///{path}") as database:
        assert len(await names(database)) == 100


async def test_a_file_that_went_is_service_unavailable(path: Path) -> None:
    async with Database(f"sqlite:///{path}") as database:
        _replace_by_folder(path)
        with pytest.raises(ServiceUnavailable):
            await database.transaction(lambda connection: add(connection, "a"))


def _replace_by_folder(path: Path) -> None:
    for each in path.parent.glob("test.db*"):
        each.unlink()
    path.mkdir()


async def test_of_one_that_is_alone_all_or_nothing_is_kept(opened: Database) -> None:
    with pytest.raises(KeyError):
        await opened.transaction(fail)
    with pytest.raises(IntegrityError):
        await opened.transaction(break_a_rule)
    assert await names(opened) == set()
    await opened.transaction(lambda connection: add(connection, "kept"))
    assert await names(opened) == {"kept"}


async def test_one_that_is_alone_and_left_is_undone(opened: Database, path: Path) -> None:
    with locked(path):
        left = asyncio.create_task(opened.transaction(lambda connection: add(connection, "left")))
        await asyncio.sleep(0.02)
        left.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await left
    await opened.transaction(lambda connection: add(connection, "next"))
    assert await names(opened) == {"next"}


async def test_a_first_write_waits_until_another_has_cleared_its_log_away(path: Path) -> None:
    async with Database(f"sqlite:///{path}"):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        # As one that clears away what a crash has left, or ends as the last: nobody even reads.
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("UPDATE worker SET merged = merged")
        opening = asyncio.create_task(asyncio.to_thread(Direct, str(path), WRITER_PRAGMAS))
        await asyncio.sleep(0.2)
        assert not opening.done()
    writer = await opening
    waits_as_told = pytest.raises(sqlite3.OperationalError, match="locked")  # not at all
    with closing(writer), locked(path), waits_as_told:
        writer.tell("BEGIN IMMEDIATE")


async def test_closing_waits_for_what_was_begun_and_refuses_what_comes_later(path: Path) -> None:
    before = set(threading.enumerate())
    database = Database(f"sqlite:///{path}")
    async with database:
        with locked(path):
            write = asyncio.create_task(database.transaction(lambda held: add(held, "a")))
            await asyncio.sleep(0.02)
            closing_it = asyncio.create_task(database.__aexit__(None, None, None))
            await asyncio.sleep(0.02)
            assert not closing_it.done()
        await closing_it
        assert await write == "a"
        with pytest.raises(RuntimeError, match="closed"):
            await database.transaction(lambda held: add(held, "late"))
    left = set(threading.enumerate()) - before
    assert not any(thread.name == "sqlite-writer" for thread in left)
    async with Database(f"sqlite:///{path}") as again:
        assert await names(again) == {"a"}
