import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from gateway.artifact.download import Visit
from gateway.artifact.manifest import Stats as Shown
from gateway.config import Stats
from gateway.errors import ServiceUnavailable
from gateway.services.statistics import counting as module
from gateway.services.statistics.counting import Counting
from gateway.services.statistics.grouping import Grouped
from gateway.storage import batches, journal, tables
from gateway.storage.counters import Counters, Worker
from gateway.storage.database import Database
from gateway.storage.series import PeriodCount, Series
from gateway.storage.tally import Tally
from gateway.storage.workers import WorkersFolder
from tests.postgresql import postgresql_server
from tests.waiting import wait_until

NOW = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
DAY = date(2025, 6, 7)
MILLION = 1_000_000
SECRET = b"0123456789abcdef0123456789abcdef"
CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.config import Stats
from gateway.services.statistics.counting import Counting
from gateway.storage.counters import Counters
from gateway.storage.database import Database
from gateway.storage.workers import WorkersFolder

async def main(url, folder, artifact_id):
    now = lambda: datetime.now(UTC)
    async with Database(url) as database:
        folder = WorkersFolder(Path(folder))
        async with Counting(Counters(database), folder, now, Stats(), b"s") as counting:
            while True:
                counting.download(int(artifact_id), 0, "a", 500_000)
                print("counted", flush=True)
                await asyncio.sleep(0)

asyncio.run(main(*sys.argv[1:]))
"""


def clock() -> datetime:
    return NOW


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def new_counting(database: Database, tmp_path: Path) -> Callable[[], Counting]:
    """A worker of this host that is not entered yet."""
    return lambda: Counting(
        Counters(database), WorkersFolder(tmp_path / "journal"), clock, Stats(), SECRET
    )


async def new_artifact(database: Database) -> int:
    async with database.writing() as connection:
        result = await connection.execute(
            insert(tables.artifact)
            .values(workspace_id="w", prefix=uuid4().hex)
            .returning(tables.artifact.c.id)
        )
        return int(result.scalar_one())


async def totals(database: Database, artifact_id: int) -> tuple[int, int]:
    """Micros and views in the database."""
    table = tables.artifact
    async with database.reading() as connection:
        rows = await connection.execute(
            select(table.c.download_micros, table.c.views).where(table.c.id == artifact_id)
        )
        micros, views = rows.one()
        return micros, views


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.01)


async def test_downloads_come_into_the_database_by_themselves(
    database: Database, new_counting: Callable[[], Counting]
) -> None:
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        counting.download(artifact_id, 0, "a/b.csv", 500_000)
        counting.view(artifact_id, 0)
        counting.sent(artifact_id, 0, "a/b.csv", 4_096)

        async def merged() -> bool:
            return counting.state.waiting == 0

        await until(merged)
        assert await totals(database, artifact_id) == (500_000, 1)
        assert counting.state.ready
        assert await Series(database).counts(artifact_id, DAY, DAY) == [
            PeriodCount("2025-06-07", "a/b.csv", downloads=1, micros=500_000, bytes=4_096)
        ]


async def test_a_download_like_one_before_is_counted_on_that_day_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TEND_SECONDS", 0.01)
    now = NOW
    folder = WorkersFolder(tmp_path / "journal")
    artifact_id = await new_artifact(database)
    async with Counting(Counters(database), folder, lambda: now, Stats(), SECRET) as counting:
        line = counting.download(artifact_id, 0, "a", 500_000, size=7)
        assert line is not None
        assert all(counting.again(line) for _ in range(3))
        assert await counting.stats(artifact_id) == Shown(2_000_000, 0)
        now += timedelta(days=1)
        await asyncio.sleep(0.1)
        assert not counting.again(line)
        counting.download(artifact_id, 0, "a", 500_000, size=7)
        await counting.merge_now()
        assert await totals(database, artifact_id) == (2_500_000, 0)
        assert await Series(database).counts(artifact_id, DAY, now.date()) == [
            PeriodCount("2025-06-07", "a", downloads=4, micros=2_000_000, bytes=28),
            PeriodCount("2025-06-08", "a", downloads=1, micros=500_000, bytes=7),
        ]


async def test_counters_are_told_with_what_waits_without_a_merge(
    database: Database, new_counting: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MERGE_SECONDS", 3600.0)
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        told = []
        for _ in range(3):
            counting.view(artifact_id, 0)
            counting.download(artifact_id, 0, "a", 500_000)
            counting.sent(artifact_id, 0, "a", 10)
            counting.view(artifact_id, 7)  # of an epoch that is over
            told.append(await counting.stats(artifact_id))
        assert told == [Shown(500_000, 1), Shown(1_000_000, 2), Shown(1_500_000, 3)]
        assert await totals(database, artifact_id) == (0, 0)
        await counting.merge_now()
        assert await totals(database, artifact_id) == (1_500_000, 3)
        assert await counting.stats(artifact_id) == Shown(1_500_000, 3)
        counting.view(artifact_id, 0)
        await counting.reset(artifact_id)
        assert await counting.stats(artifact_id) == Shown(0, 0)
        counting.view(artifact_id, 1)
        assert await counting.stats(artifact_id) == Shown(0, 1)


async def test_counters_are_told_while_others_merge(
    database: Database, new_counting: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is merged between two looks, by whomever, nothing is told twice or left out."""
    monkeypatch.setattr(module, "MERGE_SECONDS", 0.001)
    artifact_id = await new_artifact(database)
    async with new_counting() as counting, new_counting() as other:
        for number in range(1, 101):
            (counting if number % 3 else other).view(artifact_id, 0)
            assert await counting.stats(artifact_id) == Shown(0, number)
            await asyncio.sleep(0.001 * (number % 4))


async def test_what_double_clicks_add_is_told_after_a_merge(
    database: Database, new_counting: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MERGE_SECONDS", 3600.0)
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        counting.download(artifact_id, 0, "a", MILLION, Visit(robot=False, client="c"))
        assert await counting.stats(artifact_id) == Shown(MILLION, 0)
        assert await totals(database, artifact_id) == (MILLION, 0)
        counting.view(artifact_id, 0)
        assert await counting.stats(artifact_id) == Shown(MILLION, 1)
        assert await totals(database, artifact_id) == (MILLION, 0)


async def test_whoever_waits_for_a_merge_does_not_wait_for_later_downloads(
    database: Database, tmp_path: Path
) -> None:
    artifact_id = await new_artifact(database)

    class Besieged(Counters):
        """Counters that are merged no faster than files are downloaded."""

        async def merge(self, worker_id: str, start: int, end: int, tally: Tally) -> bool:
            counting.download(artifact_id, 0, "a", MILLION)
            return await super().merge(worker_id, start, end, tally)

    folder = WorkersFolder(tmp_path / "journal")
    async with Counting(Besieged(database), folder, clock, Stats(), SECRET) as counting:
        counting.download(artifact_id, 0, "a", MILLION)
        async with asyncio.timeout(10):
            await counting.merge_now()
        assert (await totals(database, artifact_id))[0] >= MILLION


async def test_a_tenth_ten_thousand_times_is_a_thousand(
    database: Database, new_counting: Callable[[], Counting]
) -> None:
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        for n in range(10_000):
            counting.download(artifact_id, 0, f"{n % 7}", 100_000)
        await counting.merge_now()
        assert await totals(database, artifact_id) == (1_000 * MILLION, 0)


async def test_merging_now_includes_the_other_workers_of_the_host(
    database: Database, new_counting: Callable[[], Counting]
) -> None:
    artifact_id = await new_artifact(database)
    async with new_counting() as one, new_counting() as two:
        for _ in range(5):
            one.download(artifact_id, 0, "a", MILLION)
            two.download(artifact_id, 0, "a", MILLION)
            await asyncio.gather(one.merge_now(), two.merge_now(), one.merge_now())
            two.view(artifact_id, 0)
            await one.merge_now()
        assert await totals(database, artifact_id) == (10 * MILLION, 5)
    assert await totals(database, artifact_id) == (10 * MILLION, 5)


async def test_a_worker_that_ends_leaves_nothing_but_its_counts(
    database: Database, new_counting: Callable[[], Counting], tmp_path: Path
) -> None:
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        assert [row.id for row in await Counters(database).workers()] == [counting.worker_id]
        assert WorkersFolder(tmp_path / "journal").lives(counting.worker_id)
        counting.download(artifact_id, 0, "a", MILLION)
    assert await totals(database, artifact_id) == (MILLION, 0)
    assert await Counters(database).workers() == []
    assert not WorkersFolder(tmp_path / "journal").workers()


async def test_a_reset_in_the_midst_of_traffic_lets_nothing_come_back(
    database: Database, new_counting: Callable[[], Counting]
) -> None:
    artifact_id = await new_artifact(database)
    async with new_counting() as one, new_counting() as two:
        for _ in range(100):
            one.download(artifact_id, 0, "a", MILLION)
            two.view(artifact_id, 0)
        await one.reset(artifact_id)
        two.download(artifact_id, 0, "a", MILLION)  # began before the reset
        await two.merge_now()
        assert await totals(database, artifact_id) == (0, 0)
        assert await Series(database).counts(artifact_id, DAY, DAY) == []
        one.download(artifact_id, 1, "a", MILLION)
        await two.merge_now()
        assert await totals(database, artifact_id) == (MILLION, 0)


def all_hold_something(files: Iterable[Path]) -> bool:
    return all(file.stat().st_size for file in files)


async def test_downloads_survive_sigkill_and_are_counted_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    artifact_id = await new_artifact(database)
    folder = tmp_path / "journal"
    counted = 0
    for delay in (0.01, 0.15, 0.27, 0.5):
        # Not into a pipe: one that is full would stop a child in the middle of a transaction.
        said = [tmp_path / "first", tmp_path / "second"]
        children = []
        for path in said:
            with path.open("wb") as output:
                command = (sys.executable, "-c", CHILD, database_url, str(folder), str(artifact_id))
                children.append(await asyncio.create_subprocess_exec(*command, stdout=output))
        assert await asyncio.to_thread(wait_until, partial(all_hold_something, said))
        await asyncio.sleep(delay)
        for child in children:
            child.send_signal(signal.SIGKILL)
            await child.wait()
        counted += sum(path.read_bytes().count(b"counted\n") for path in said)
    # Two gateways that start at once merge what the dead have left.
    both = [
        Counting(Counters(database), WorkersFolder(folder), clock, Stats(), SECRET)
        for _ in range(2)
    ]
    await asyncio.gather(*(each.__aenter__() for each in both))
    assert await both[0].dead_workers(NOW) == set()
    micros, _ = await totals(database, artifact_id)
    # A child may have died between the record and its line of output.
    assert counted <= micros / 500_000 <= counted + 8
    assert micros % 500_000 == 0
    for each in both:
        await each.__aexit__(None, None, None)
    assert (await totals(database, artifact_id))[0] == micros
    assert not WorkersFolder(folder).workers()


async def test_downloads_go_on_while_the_database_is_away(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(postgresql_server())
        database = await stack.enter_async_context(Database(server.url))
        artifact_id = await new_artifact(database)
        folder = WorkersFolder(tmp_path / "journal")
        async with Counting(Counters(database), folder, clock, Stats(), SECRET) as counting:
            counting.download(artifact_id, 0, "a", MILLION)
            await counting.merge_now()
            server.stop()
            for _ in range(100):
                counting.download(artifact_id, 0, "a", MILLION)
            with pytest.raises(ServiceUnavailable):
                await counting.merge_now()

            async def away() -> bool:
                return counting.state.database is not None

            await until(away)
            assert counting.state.waiting > 0
            assert counting.state.ready, "downloads are counted, though not in the database yet"
            server.start()

            async def merged() -> bool:
                return counting.state.waiting == 0

            await until(merged)
            assert counting.state.database is None
            assert await totals(database, artifact_id) == (101 * MILLION, 0)

            counting.download(artifact_id, 0, "a", MILLION)
            server.stop()
        # It ended without its database: the journal stays, and the next start merges it.
        assert [*folder.workers()] == [counting.worker_id]
        assert not folder.lives(counting.worker_id)
        server.start()
        async with Counting(Counters(database), folder, clock, Stats(), SECRET):
            assert await totals(database, artifact_id) == (102 * MILLION, 0)


async def test_files_of_the_journal_that_are_merged_are_removed(
    database: Database,
    new_counting: Callable[[], Counting],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 1_000)
    monkeypatch.setattr(module, "TEND_SECONDS", 0.1)
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        directory = tmp_path / "journal" / counting.worker_id
        for _ in range(8):
            for _ in range(50):
                counting.download(artifact_id, 0, "a", MILLION)
            await asyncio.sleep(0.12)

        async def trimmed() -> bool:
            return len(list(directory.glob("*.journal"))) == 1

        await until(trimmed)
        await counting.merge_now()
        assert int(next(directory.glob("*.journal")).stem) > 0
        assert await totals(database, artifact_id) == (400 * MILLION, 0)


async def test_a_disk_that_takes_no_journal_makes_the_gateway_unready_and_fails_no_download(
    database: Database, new_counting: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _data: bytes, _position: int) -> int:
        raise OSError(28, "no space left")

    artifact_id = await new_artifact(database)
    monkeypatch.setattr(journal, "keeps_blocks", lambda _: False)
    async with new_counting() as counting:
        with monkeypatch.context() as full:
            full.setattr(os, "pwrite", refuse)
            counting.download(artifact_id, 0, "a", MILLION)
            assert not counting.state.ready
            assert counting.state.journal is not None
            await asyncio.sleep(0.3)

        async def ready() -> bool:
            return counting.state.ready

        await until(ready)
        await counting.merge_now()
        assert await totals(database, artifact_id) == (MILLION, 0)
        assert counting.state.lost == 0


async def test_a_machines_durability_waits_for_the_disk_many_at_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fdatasync = os.fdatasync

    def watch(file: int) -> None:
        size = os.fstat(file).st_size
        fdatasync(file)
        synced.append(size)

    monkeypatch.setattr(os, "fdatasync", watch)
    artifact_id = await new_artifact(database)
    folder = WorkersFolder(tmp_path / "journal")
    async with Counting(Counters(database), folder, clock, Stats("machine"), SECRET) as counting:

        async def serve(delay: float) -> None:
            await asyncio.sleep(delay)
            counting.download(artifact_id, 0, "a", MILLION)
            appended = counting.state.waiting
            await counting.settled()
            assert max(synced) >= appended

        synced.append(0)
        await asyncio.gather(*(serve(n % 5 / 1_000) for n in range(200)))
        assert 1 < len(synced) < 50
        with monkeypatch.context() as broken:

            def fail(_file: int) -> None:
                raise OSError(5, "input/output error")

            broken.setattr(os, "fdatasync", fail)
            counting.download(artifact_id, 0, "a", MILLION)
            with pytest.raises(ServiceUnavailable):
                await counting.settled()
        await counting.settled()


async def test_a_processs_durability_waits_for_nothing(
    database: Database, new_counting: Callable[[], Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        calls: list[int] = []
        monkeypatch.setattr(os, "fdatasync", calls.append)
        counting.download(artifact_id, 0, "a", MILLION)
        await counting.settled()
        assert calls == []

        async def synced() -> bool:
            return bool(calls)

        await until(synced)  # a power failure loses what came since


async def test_who_is_dead(
    database: Database, new_counting: Callable[[], Counting], tmp_path: Path
) -> None:
    artifact_id = await new_artifact(database)
    counters = Counters(database)
    folder = WorkersFolder(tmp_path / "journal")
    elsewhere = "another-host"
    async with new_counting() as one, new_counting() as two:
        await counters.register(Worker("seen", elsewhere, NOW - timedelta(seconds=59), 0))
        await counters.register(Worker("silent", elsewhere, NOW - timedelta(seconds=61), 0))
        await counters.register(Worker("gone", folder.host, NOW, 0))
        async with database.writing() as connection:
            await connection.execute(
                insert(tables.intent).values(
                    id="i",
                    worker_id="removed",
                    artifact_id=artifact_id,
                    action="write",
                    path="p",
                    number=0,
                    created_at=NOW,
                )
            )
        assert await one.dead_workers(NOW) == {"silent", "gone", "removed"}
        assert await two.dead_workers(NOW) == {"silent", "gone", "removed"}
        assert await one.dead_workers(NOW + timedelta(seconds=5)) == {
            *("silent", "gone", "removed", "seen")
        }


async def test_living_workers_show_that_they_live(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.05)
    later = NOW
    folder = WorkersFolder(tmp_path / "journal")
    async with Counting(Counters(database), folder, lambda: later, Stats(), SECRET) as counting:
        await Counters(database).register(Worker("gone", folder.host, NOW, 0))
        later = NOW + timedelta(minutes=5)

        async def seen() -> bool:
            rows = await Counters(database).workers()
            return [(row.id, row.seen_at) for row in rows] == [(counting.worker_id, later)]

        await until(seen)


async def test_a_journal_of_another_database_is_put_aside(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifact_id = await new_artifact(database)
    folder = WorkersFolder(tmp_path / "journal")
    stranger = journal.Journal(folder.enter("stranger"))
    stranger.append(b'["v",%d,0]\n' % artifact_id)
    stranger.close()
    folder.leave("stranger")
    async with Counting(Counters(database), folder, clock, Stats(), SECRET) as counting:
        assert [*folder.workers()] == [counting.worker_id]
        assert await totals(database, artifact_id) == (0, 0)
    assert "belongs to another database" in caplog.text
    assert [path.name for path in (tmp_path / "journal-unplaced").iterdir()] == ["stranger"]


@pytest.mark.parametrize("left", [("lock",), ("00000000000000000000.journal",), ()])
async def test_a_worker_that_another_is_removing_keeps_nobody_from_starting(
    database: Database, new_counting: Callable[[], Counting], tmp_path: Path, left: tuple[str, ...]
) -> None:
    artifact_id = await new_artifact(database)
    async with new_counting() as counting:
        counting.download(artifact_id, 0, "a", MILLION)
        await counting.merge_now()
        dead = tmp_path / "journal" / counting.worker_id
        shutil.copytree(dead, tmp_path / "dead")
    (tmp_path / "dead").rename(dead)
    await Counters(database).register(
        Worker(dead.name, WorkersFolder(dead.parent).host, NOW, batches.unmerged(dead, 0))
    )
    for file in {path.name for path in dead.iterdir()} - {*left}:
        (dead / file).unlink()
    async with new_counting() as counting:
        assert [row.id for row in await Counters(database).workers()] == [counting.worker_id]
        assert [*WorkersFolder(dead.parent).workers()] == [counting.worker_id]
    assert await totals(database, artifact_id) == (MILLION, 0)


async def test_those_who_wait_share_a_run_that_began_after_they_asked() -> None:
    began: list[int] = []
    gate = asyncio.Event()

    async def work() -> None:
        began.append(len(began))
        await gate.wait()

    grouped = Grouped(work)
    first = asyncio.create_task(grouped.done())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert began == [0]
    others = [asyncio.create_task(grouped.done()) for _ in range(10)]
    await asyncio.sleep(0)
    others[0].cancel()
    gate.set()
    await asyncio.gather(first, *others, return_exceptions=True)
    assert began == [0, 1]


async def test_a_run_that_fails_fails_for_those_who_wait_for_it_alone() -> None:
    outcomes = [OSError("no"), None]

    async def work() -> None:
        await asyncio.sleep(0)
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    grouped = Grouped(work)
    results = await asyncio.gather(grouped.done(), grouped.done(), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    await grouped.done()
    assert outcomes == []


@pytest.mark.parametrize(
    ("seconds", "counted"),
    [
        ([0], 1),
        ([0, 29.9], 1),
        ([0, 30], 2),
        ([0, 20, 40, 60], 1),
        ([0, 20, 51], 2),
        ([0, 0, 0], 1),
    ],
)
async def test_of_a_clients_downloads_that_are_near_one_counts(
    database: Database, tmp_path: Path, seconds: list[float], counted: int
) -> None:
    artifact_id = await new_artifact(database)
    rules = Stats(double_click_seconds=30)
    now = NOW

    def moving() -> datetime:
        return now

    counters = Counters(database, rules.double_click)
    folders = [WorkersFolder(tmp_path / "journal") for _ in range(2)]
    async with AsyncExitStack() as stack:
        # Which worker of them serves makes no difference.
        both = [
            await stack.enter_async_context(Counting(counters, folder, moving, rules, SECRET))
            for folder in folders
        ]
        for index, later in enumerate(seconds):
            now = NOW + timedelta(seconds=later)
            both[index % 2].download(artifact_id, 0, "a", MILLION, Visit("client"))
            await both[index % 2].merge_now()
        other = Visit("another")
        both[0].download(artifact_id, 0, "a", MILLION, other)
        both[1].download(artifact_id, 0, "b", MILLION, other)
        await both[0].merge_now()
    assert await totals(database, artifact_id) == ((counted + 2) * MILLION, 0)


async def test_clients_are_forgotten_with_the_window(database: Database, tmp_path: Path) -> None:
    artifact_id = await new_artifact(database)
    now = NOW
    rules = Stats(double_click_seconds=30)
    folder = WorkersFolder(tmp_path / "journal")
    counters = Counters(database, rules.double_click)
    async with Counting(counters, folder, lambda: now, rules, SECRET) as counting:
        counting.download(artifact_id, 0, "a", MILLION, Visit("first"))
        await counting.merge_now()
        now = NOW + timedelta(seconds=31)
        counting.download(artifact_id, 0, "b", MILLION, Visit("second"))
        await counting.merge_now()
        async with database.reading() as connection:
            rows = await connection.execute(select(tables.click.c.client))
            assert rows.scalars().all() == ["second"]


@pytest.mark.parametrize("window", [30, 0])
async def test_clients_are_forgotten_where_nobody_comes_after_them(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    artifact_id = await new_artifact(database)
    now, rules = NOW, Stats(double_click_seconds=30)
    folder = WorkersFolder(tmp_path / "journal")

    async def clients() -> list[str]:
        async with database.reading() as connection:
            return list((await connection.execute(select(tables.click.c.client))).scalars())

    async def nobody() -> bool:
        return await clients() == []

    counters = Counters(database, rules.double_click)
    async with Counting(counters, folder, lambda: now, rules, SECRET) as counting:
        counting.download(artifact_id, 0, "a", MILLION, Visit("client"))
        await counting.merge_now()
        assert await clients() == ["client"]
    # The next start may have other rules.
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.05)
    rules, now = Stats(double_click_seconds=window), NOW + timedelta(seconds=120)
    counters = Counters(database, rules.double_click)
    async with Counting(counters, folder, lambda: now, rules, SECRET):
        await until(nobody)
    assert await totals(database, artifact_id) == (MILLION, 0)


async def test_a_reset_forgets_clicks_too(database: Database, tmp_path: Path) -> None:
    artifact_id = await new_artifact(database)
    rules = Stats(double_click_seconds=30)
    folder = WorkersFolder(tmp_path / "journal")
    counters = Counters(database, rules.double_click)
    async with Counting(counters, folder, clock, rules, SECRET) as counting:
        counting.download(artifact_id, 0, "a", MILLION, Visit("c"))
        await counting.merge_now()
        await counting.reset(artifact_id)
        counting.download(artifact_id, 0, "a", MILLION, Visit("c"))  # of before the reset
        counting.download(artifact_id, 1, "a", MILLION, Visit("c"))
        await counting.merge_now()
        assert await totals(database, artifact_id) == (MILLION, 0)


async def test_journals_with_clients_in_them_do_not_stay(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.05)
    artifact_id = await new_artifact(database)
    rules = Stats(double_click_seconds=30)
    folder = WorkersFolder(tmp_path / "journal")
    counters = Counters(database, rules.double_click)
    async with Counting(counters, folder, clock, rules, SECRET) as counting:
        counting.download(artifact_id, 0, "a", MILLION, Visit("a-client"))
        directory = folder.directory(counting.worker_id)

        async def forgotten() -> bool:
            return not any(b"a-client" in file.read_bytes() for file in directory.iterdir())

        await until(forgotten)
        assert await totals(database, artifact_id) == (MILLION, 0)
