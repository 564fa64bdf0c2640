"""What is kept of the index is given again only while it is what would be found now."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

import pytest
from sqlalchemy import Executable, delete, insert, text, update

from gateway.artifact.layout import place
from gateway.artifact.lifecycle import Location
from gateway.errors import ServiceUnavailable
from gateway.storage import tables
from gateway.storage.counters import Counters
from gateway.storage.keys import Keys
from gateway.storage.registry import Entry, Registry
from gateway.storage.tally import add_up, download
from tests.storage.index import NOW, WORKSPACE, Index, pin, put, tombstone

TODAY = datetime(2026, 1, 1, tzinfo=UTC).date()
KEY = "a/x"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, index: Index) -> list[str]:
    """The keys that the database was asked about, one by one."""
    keys: list[str] = []
    locate = index.catalogue._locate  # noqa: SLF001 (what a memory spares is this)

    async def ask(workspace_id: str, key: str) -> Location:
        keys.append(key)
        return await locate(workspace_id, key)

    monkeypatch.setattr(index.catalogue, "_locate", ask)
    return keys


async def test_nothing_is_asked_twice_while_nothing_changes(index: Index, asked: list[str]) -> None:
    await index.committed("a", pin("x"))
    found = [await index.catalogue.locate(WORKSPACE, KEY) for _ in range(3)]
    assert [each.pin for each in found] == [pin("x")] * 3
    most = {"sqlite": 1, "postgresql": 3}[index.database.dialect]
    assert asked == [KEY] * most


async def test_one_question_says_for_a_directory_that_nothing_owns_it(
    index: Index, asked: list[str]
) -> None:
    for key in ("d/x", "d/y", "d/manifest.yaml", "d/e/x", "d/e/y"):
        found = await index.catalogue.locate(WORKSPACE, key)
        assert (found.key, found.place, found.above) == (key, place(key, ()), ())
    assert asked == {"sqlite": ["d/x", "d/e/x"]}.get(
        index.database.dialect, ["d/x", "d/y", "d/manifest.yaml", "d/e/x", "d/e/y"]
    )


async def test_what_begins_to_own_a_directory_is_seen_at_once(index: Index, other: Index) -> None:
    await index.catalogue.locate(WORKSPACE, "a/b/y")
    artifact = await other.committed("a", pin("x"))
    found = await index.catalogue.locate(WORKSPACE, "a/b/z")
    assert found.artifact is not None
    assert (found.artifact.id, found.place.path) == (artifact.id, "b/z")


async def test_what_another_worker_commits_is_seen_at_once(index: Index, other: Index) -> None:
    artifact = await index.committed("a", pin("x"))
    assert (await other.catalogue.locate(WORKSPACE, KEY)).pin == pin("x")
    await index.write(artifact, put("x", "v2"))
    staged = (await other.catalogue.locate(WORKSPACE, KEY)).artifact
    assert staged is not None
    assert staged.stage is not None
    await other.commit(await other.again(artifact), pin("x", "v2"))
    assert (await index.catalogue.locate(WORKSPACE, KEY)).pin == pin("x", "v2")
    again = await other.again(artifact)
    await other.weights.settle(await other.weights.begin(again, "x", NOW), 7)
    weighed = (await index.catalogue.locate(WORKSPACE, KEY)).pin
    assert weighed is not None
    assert weighed.weight == 7
    await other.commits.bury(artifact.id, tombstone(again))
    assert (await index.catalogue.locate(WORKSPACE, KEY)).pin is None


async def test_every_writer_counts_whatever_it_writes(index: Index, other: Index) -> None:
    """Not only the gateway's own steps: what an operator or an older gateway writes, too."""
    artifact = await index.committed("a", pin("x"))
    changes: list[tuple[str, Callable[[Location], object], object]] = [
        ("UPDATE artifact SET epoch = 5", lambda found: found.above[0].epoch, 5),
        ("UPDATE pin SET until = 9", lambda found: found.pin, None),
        ("UPDATE pin SET until = NULL", lambda found: found.pin, pin("x")),
        (f"DELETE FROM pin WHERE artifact_id = {artifact.id}", lambda found: found.pin, None),  # noqa: S608
    ]
    for statement, what, expected in changes:
        await other.catalogue.locate(WORKSPACE, KEY)
        async with index.database.writing() as connection:
            await connection.execute(text(statement))
        assert what(await other.catalogue.locate(WORKSPACE, KEY)) == expected, statement


async def test_a_commit_while_the_question_is_asked_is_seen_by_the_next(
    index: Index, other: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = await index.committed("a", pin("x"))
    locate = index.catalogue._locate  # noqa: SLF001

    async def slow(workspace_id: str, key: str) -> Location:
        found = await locate(workspace_id, key)
        monkeypatch.setattr(index.catalogue, "_locate", locate)
        await other.commits.bury(artifact.id, tombstone(await other.again(artifact)))
        return found

    monkeypatch.setattr(index.catalogue, "_locate", slow)
    before, after = [await index.catalogue.locate(WORKSPACE, KEY) for _ in range(2)]
    assert (before.pin, after.pin) == (pin("x"), None)


async def test_counters_throw_nothing_away(index: Index, asked: list[str]) -> None:
    artifact = await index.committed("a", pin("x"))
    await index.catalogue.locate(WORKSPACE, KEY)
    async with index.database.writing() as connection:
        row = {"id": "w1", "host": "h", "seen_at": NOW, "merged": 0}
        await connection.execute(insert(tables.worker).values(row))
    line = download(artifact.id, artifact.epoch, "x", 500_000, TODAY, 7)
    assert await Counters(index.database).merge("w1", 0, len(line), add_up([line]))
    assert (await index.again(artifact)).stats.download_micros == 500_000
    await index.catalogue.locate(WORKSPACE, KEY)
    assert len(asked) == {"sqlite": 1, "postgresql": 2}[index.database.dialect]


async def test_counters_are_counted_apart(index: Index) -> None:
    if index.database.generation() is None:
        assert index.database.generation(counters=True) is None
        return
    artifact = await index.committed("a", pin("x"))
    number, both = (index.database.generation(counters=each) for each in (False, True))
    async with index.database.writing() as connection:
        await connection.execute(update(tables.artifact).values(views=3))
    assert index.database.generation() == number
    assert index.database.generation(counters=True) != both
    found = await index.catalogue.artifact(WORKSPACE, "a")
    assert found is not None
    assert (found.id, found.stats.views) == (artifact.id, 3)


async def test_marks_of_another_worker_come_and_go_at_once(index: Index, other: Index) -> None:
    artifact = await index.committed("c/a", pin("x"))
    assert await index.catalogue.marks(WORKSPACE, "c/") == ([], [])
    intent, arrival = tables.intent, tables.arrival
    commit = {
        "id": "i" * 32,
        "worker_id": "w",
        "artifact_id": artifact.id,
        "action": "commit",
        "path": "",
        "number": 0,
        "created_at": NOW,
    }
    waiting = {"workspace_id": WORKSPACE, "prefix": "c/b"}
    steps: list[tuple[Executable, int, list[str]]] = [
        (insert(intent).values(commit), 1, []),
        (update(intent).values(action="write"), 0, []),
        (update(intent).values(action="commit"), 1, []),
        (delete(intent), 0, []),
        (insert(arrival).values(waiting), 0, ["c/b"]),
        (update(arrival).values(prefix="c/d"), 0, ["c/d"]),
        (delete(arrival), 0, []),
    ]
    for statement, marked, arrivals in steps:
        async with other.database.writing() as connection:
            await connection.execute(statement)
        found = await index.catalogue.marks(WORKSPACE, "c/")
        assert (len(found[0]), found[1]) == (marked, arrivals), str(statement)


async def test_keys_and_workspaces_of_another_worker_come_and_go_at_once(
    index: Index, other: Index
) -> None:
    keys, registry = Keys(index.database, bytes(32)), Registry(index.database)
    assert await keys.get("AG1") is None
    assert await registry.named("made") is None
    entry = Entry("i" * 32, "made", "made", "", NOW, "admin")
    async with other.database.writing() as connection:
        await connection.execute(
            insert(tables.workspace).values(
                id=entry.id,
                name="made",
                bucket="made",
                prefix="",
                created_at=NOW,
                created_by="admin",
            )
        )
    assert await registry.named("made") == entry
    async with other.database.writing() as connection:
        await connection.execute(update(tables.workspace).values(unfinished="removing"))
    found = await registry.named("made")
    assert found is not None
    assert found.unfinished == "removing"


async def test_without_a_database_readers_alone_have_an_answer(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index.committed("a", pin("x"))
    found = await index.catalogue.locate(WORKSPACE, KEY, recalled=True)

    def away(*_: object, **__: object) -> NoReturn:
        raise ServiceUnavailable("away")

    monkeypatch.setattr(index.database, "generation", away)
    monkeypatch.setattr(index.database, "glance", away)
    assert await index.catalogue.locate(WORKSPACE, KEY, recalled=True) == found
    with pytest.raises(ServiceUnavailable):
        await index.catalogue.locate(WORKSPACE, KEY)
