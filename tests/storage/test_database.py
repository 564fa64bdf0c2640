import asyncio
import os
import socket
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from gateway.errors import ServiceUnavailable, SlowDown
from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import Database, insert_or_update
from gateway.storage.direct import Direct
from gateway.storage.lending import Lending

NewArtifact = Callable[[], Awaitable[int]]
worker = tables.worker
daily = tables.daily
NOW = datetime(2025, 6, 7, 8, 9, 10, 123_456, tzinfo=UTC)
HIGHEST = (1 << 63) - 1
SLOW = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n
"""


def row(worker_id: str, merged: int = 0) -> dict[str, object]:
    return {"id": worker_id, "host": "h", "seen_at": NOW, "merged": merged}


async def merged_of(database: Database, worker_id: str) -> int | None:
    async with database.reading() as connection:
        found = await connection.execute(select(worker.c.merged).where(worker.c.id == worker_id))
        merged: int | None = found.scalar_one_or_none()
        return merged


async def test_what_was_written_is_read(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(worker).values(row("a", 7)))
    async with database.reading() as connection:
        found = (await connection.execute(select(worker))).mappings().one()
    assert dict(found) == row("a", 7)
    assert found["seen_at"].tzinfo is UTC


async def test_it_is_there_after_a_restart(database_url: str) -> None:
    async with Database(database_url) as first, first.writing() as connection:
        await connection.execute(insert(worker).values(row("a", 7)))
    async with Database(database_url) as second:
        assert await merged_of(second, "a") == 7


async def test_an_error_in_a_transaction_undoes_all_of_it(database: Database) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute(insert(worker).values(row("a")))
        raise KeyError

    with pytest.raises(KeyError):
        await database.transaction(work)
    assert await merged_of(database, "a") is None


async def test_a_reader_sees_one_snapshot(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(worker).values(row("a", 1)))
    for long in (False, True):
        async with database.reading(long=long) as connection:
            merged = select(worker.c.merged)
            before = (await connection.execute(merged)).scalar_one()
            async with database.writing() as writer:
                await writer.execute(update(worker).values(merged=worker.c.merged + 1))
            assert (await connection.execute(merged)).scalar_one() == before
        assert await merged_of(database, "a") == before + 1


@pytest.mark.parametrize("long", [False, True])
async def test_a_reader_can_not_write(database: Database, *, long: bool) -> None:
    with pytest.raises(ServiceUnavailable):
        async with database.reading(long=long) as connection:
            await connection.execute(insert(worker).values(row("a")))
    assert await merged_of(database, "a") is None


async def test_a_long_read_gives_the_rows_of_a_short_one(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(worker), [row(f"{n:04}", n) for n in range(2_000)])
    answers = []
    for long in (False, True):
        async with database.reading(long=long) as connection:
            rows = await connection.execute(select(worker).order_by(worker.c.id))
            answers.append(rows.all())
    assert answers[0] == answers[1]
    assert len(answers[0]) == 2_000


async def test_keys_sort_as_bytes_of_utf_8(database: Database) -> None:
    prefixes = ["a b", "a!b", "a/b", "aB", "ab", "B", "é", "z", "\uffff", "\U0001f600", "a-b"]
    async with database.writing() as connection:
        for prefix in prefixes:
            await connection.execute(
                insert(tables.artifact).values(workspace_id="w", prefix=prefix)
            )
    async with database.reading() as connection:
        column = tables.artifact.c.prefix
        found = (await connection.execute(select(column).order_by(column))).scalars().all()
    assert found == sorted(prefixes, key=str.encode)


async def test_ids_of_artifacts_are_made_by_the_database(new_artifact: NewArtifact) -> None:
    assert await new_artifact() < await new_artifact()


async def test_writers_that_read_first_lose_no_update(database: Database) -> None:
    await _write(database, row("a"))

    async def work(connection: Connection) -> int:
        found = await connection.execute(select(worker.c.merged).where(worker.c.id == "a"))
        merged = int(found.scalar_one()) + 1
        await asyncio.sleep(0)
        await connection.execute(update(worker).where(worker.c.id == "a").values(merged=merged))
        return merged

    results = await asyncio.gather(*(database.transaction(work) for _ in range(40)))
    assert sorted(results) == list(range(1, 41))
    assert await merged_of(database, "a") == 40


async def test_writers_in_two_gateways_lose_no_update(database_url: str) -> None:
    async def work(connection: Connection) -> None:
        found = await connection.execute(select(worker.c.merged).where(worker.c.id == "a"))
        merged = int(found.scalar_one()) + 1
        await connection.execute(update(worker).where(worker.c.id == "a").values(merged=merged))

    async with Database(database_url) as one, Database(database_url) as two:
        await _write(one, row("a"))
        await asyncio.gather(*(each.transaction(work) for each in (one, two) for _ in range(20)))
        assert await merged_of(two, "a") == 40


async def test_of_two_that_disagree_on_an_absence_one_runs_again(database: Database) -> None:
    async def claim(name: str) -> bool:
        async def work(connection: Connection) -> bool:
            count = await connection.execute(select(func.count()).select_from(worker))
            if count.scalar_one():
                return False
            if database.dialect == "postgresql":
                await connection.execute(text("SELECT pg_sleep(0.02)"))
            await connection.execute(insert(worker).values(row(name)))
            return True

        return await database.transaction(work)

    assert sorted(await asyncio.gather(claim("a"), claim("b"))) == [False, True]


async def test_those_who_lost_a_race_do_not_lose_to_each_other(postgresql_url: str) -> None:
    racers = 6
    tries = [0] * racers
    async with Database(postgresql_url) as database:
        await _write(database, row("a"))
        ready = asyncio.Barrier(racers)

        async def race(number: int) -> None:
            async def work(connection: Connection) -> None:
                tries[number] += 1
                before = (await connection.execute(select(worker.c.merged))).scalar_one()
                if tries[number] == 1:
                    await ready.wait()
                await connection.execute(update(worker).values(merged=before + 1))

            await database.transaction(work)

        await asyncio.gather(*map(race, range(racers)))
        assert await merged_of(database, "a") == racers
    assert sorted(tries) == [1] + [2] * (racers - 1)


async def test_a_race_that_is_not_run_again_is_slow_down(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        await _write(database, row("a"))

        async def race() -> None:
            async with database.writing() as one:
                await one.execute(select(worker))
                async with database.writing() as two:
                    await two.execute(update(worker).values(merged=1))
                await one.execute(update(worker).values(merged=2))

        with pytest.raises(SlowDown):
            await race()
        assert await merged_of(database, "a") == 1


async def test_a_cancelled_writer_leaves_the_database_usable(database: Database) -> None:
    async def write(worker_id: str) -> None:
        async with database.writing() as connection:
            await connection.execute(insert(worker).values(row(worker_id)))
            await asyncio.sleep(0.005)

    for delay in (0.0, 0.001, 0.003, 0.006):
        tasks = [asyncio.create_task(write(f"{delay}-{n}")) for n in range(4)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(_write(database, row("a", 3)), timeout=5)
    assert await merged_of(database, "a") == 3


async def test_a_transaction_that_was_cancelled_in_a_statement_lets_go_of_its_lock(
    database: Database,
) -> None:
    await _write(database, row("a"))

    async def work(connection: Connection) -> None:
        await connection.execute(update(worker).values(merged=7))
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_sleep(20)"))
        else:
            await connection.execute(text(SLOW))

    task = asyncio.create_task(database.transaction(work))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as kept:
        await task
    # Whoever keeps the error keeps the cursor in its traceback, and what that holds.
    async with asyncio.timeout(5):
        async with database.writing() as connection:
            await connection.execute(update(worker).values(merged=worker.c.merged + 1))
    assert await merged_of(database, "a") == 1
    assert kept.traceback


@pytest.mark.parametrize("long", [False, True])
async def test_a_read_sees_one_snapshot(database: Database, *, long: bool) -> None:
    await _write(database, row("a"))
    async with database.reading(long=long) as connection:
        await connection.execute(select(worker))
        await _write(database, row("b"))
        assert len((await connection.execute(select(worker))).all()) == 1
    async with database.reading(long=long) as connection:
        assert len((await connection.execute(select(worker))).all()) == 2


async def test_a_long_read_that_was_cancelled_keeps_no_snapshot(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path / 'test.db'}") as database:

        async def read() -> None:
            async with database.reading(long=True) as connection:
                await connection.execute(text(SLOW))

        # One more than there are connections for it: one begins, and waits behind another.
        readers = [asyncio.create_task(read()) for _ in range(3)]
        await asyncio.sleep(0.05)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await _write(database, row("a"))
        for _ in range(3):
            async with database.reading(long=True) as connection:
                assert len((await connection.execute(select(worker))).all()) == 1


async def test_who_gets_no_connection_may_come_again(tmp_path: Path) -> None:
    opens = partial(Direct, str(tmp_path / "test.db"), ())
    lending = Lending(opens, lambda lent: lent.tell("BEGIN"), size=1, seconds=0.05)
    async with lending.lend():
        with pytest.raises(SlowDown):
            async with lending.lend():
                pass
    async with lending.lend() as connection:
        await connection.execute(text("SELECT 1"))
    await lending.close()


async def test_a_broken_constraint_is_no_failure_of_the_database(database: Database) -> None:
    await _write(database, row("a"))
    with pytest.raises(IntegrityError):
        await _write(database, row("a"))


async def test_a_row_of_an_artifact_needs_the_artifact(database: Database) -> None:
    pinned = {"artifact_id": 99, "path": "p", "announced_at": NOW}
    with pytest.raises(IntegrityError):
        async with database.writing() as connection:
            await connection.execute(insert(tables.announcement).values(pinned))


async def test_wrong_sql_is_not_taken_for_an_absent_database(database: Database) -> None:
    with pytest.raises((OperationalError, ProgrammingError)):
        async with database.reading() as connection:
            await connection.execute(text("SELECT * FROM nowhere"))
    await database.ping()


async def test_insert_or_update_inserts_replaces_and_adds(
    database: Database, new_artifact: NewArtifact
) -> None:
    artifact_id = await new_artifact()

    def day(path: str, downloads: int, micros: int, size: int) -> dict[str, object]:
        return {
            "artifact_id": artifact_id,
            "path": path,
            "day": "2025-06-07",
            "downloads": downloads,
            "micros": micros,
            "bytes": size,
        }

    keys = ["artifact_id", "path", "day"]
    async with database.writing() as connection:
        await insert_or_update(connection, daily, [day("a", 1, 2, 3)], keys, [])
        await insert_or_update(connection, daily, [day("a", 10, 20, 30)], keys, [])
        await insert_or_update(
            connection,
            daily,
            [day("a", 100, 200, 300), day("b", 1, 1, 1), day("a", 1_000, 2_000, HIGHEST)],
            keys,
            ["downloads"],
            ["micros", "bytes"],
        )
        await insert_or_update(connection, daily, [], keys, ["downloads"])
    async with database.reading() as connection:
        found = (await connection.execute(select(daily).order_by(daily.c.path))).all()
    assert [tuple(each)[3:] for each in found] == [(1_000, 2_202, HIGHEST), (1, 1, 1)]


async def test_a_file_of_sqlite_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    async with Database(f"sqlite:///{path}") as database:
        await _write(database, row("a"))
        files = [path, path.with_name("test.db-wal"), path.with_name("test.db-shm")]
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3


async def test_harden_writes_sqlites_log_into_its_file(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    async with Database(f"sqlite:///{path}") as database:
        await _write(database, row("a-worker-that-is-easily-found"))
        assert b"a-worker-that-is-easily-found" not in path.read_bytes()
        await database.harden()
        assert b"a-worker-that-is-easily-found" in path.read_bytes()


async def test_a_writer_waits_for_another_process_without_holding_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    async with Database(f"sqlite:///{path}") as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(_write(database, row("a")))
        for _ in range(20):
            await asyncio.sleep(0.01)
            await database.ping()
        assert not writing.done()
        other.execute("COMMIT")
        other.close()
        await writing
        assert await merged_of(database, "a") == 0


async def test_a_writer_that_waits_gets_its_turn_among_busy_ones(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    async with Database(url) as first, Database(url) as second, Database(url) as third:
        await _write(first, row("a"))
        stopped = asyncio.Event()

        async def be_busy(database: Database) -> None:
            while not stopped.is_set():
                async with database.writing() as connection:
                    await connection.execute(update(worker).values(merged=worker.c.merged + 1))

        busy = [asyncio.create_task(be_busy(database)) for database in (first, second)]
        async with asyncio.timeout(10):
            for n in range(20):
                await _write(third, row(f"{n}"))
        stopped.set()
        await asyncio.gather(*busy)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://localhost/x",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "no url",
        "",
    ],
)
def test_another_kind_of_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"^database_url") as refused:
        Database(url)
    assert not url or f"{url} " not in f"{refused.value} "


async def test_libpqs_sslmode_is_understood(postgresql_url: str) -> None:
    async with Database(f"{postgresql_url}&sslmode=disable") as database:
        await database.ping()


async def test_a_database_that_does_not_answer_is_service_unavailable(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    urls = [
        f"postgresql://user:hidden@127.0.0.1:{port}/x",
        "postgresql://user:hidden@no-such-host.invalid/x",
        f"sqlite:///{tmp_path / 'absent' / 'x.db'}",
    ]
    for url in urls:
        with pytest.raises(ServiceUnavailable) as refused:
            async with Database(url):
                pass
        assert "hidden" not in refused.value.message


async def test_a_file_that_is_no_database_is_service_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    path.write_bytes(os.urandom(8_192))
    with pytest.raises(ServiceUnavailable):
        async with Database(f"sqlite:///{path}"):
            pass


async def test_connections_that_the_server_closed_are_not_used_again(
    postgresql_url: str, postgresql_server: str
) -> None:
    async with Database(postgresql_url) as database:
        await asyncio.gather(*(database.ping() for _ in range(5)))
        server = await asyncpg.connect(postgresql_server)
        ended = await server.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'artifact-gateway'"
        )
        await server.close()
        assert len(ended) > 1
        await asyncio.sleep(0.1)
        await asyncio.gather(*(database.ping() for _ in range(10)))
        await _write(database, row("a"))


async def test_a_connection_lost_in_a_transaction_is_service_unavailable(
    postgresql_url: str, postgresql_server: str
) -> None:
    async with Database(postgresql_url) as database:
        server = await asyncpg.connect(postgresql_server)

        async def work(connection: Connection) -> None:
            await connection.execute(insert(worker).values(row("a")))
            await server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'artifact-gateway'"
            )
            await asyncio.sleep(0.1)
            await connection.execute(select(worker))

        with pytest.raises(ServiceUnavailable):
            await database.transaction(work)
        await server.close()
        assert await merged_of(database, "a") is None


async def _write(database: Database, values: dict[str, object]) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(worker).values(values))
