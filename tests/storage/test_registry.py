"""The table of workspaces: ids that stay, names that are taken once, states that one hand holds."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.storage.registry import MAKING, REMOVING, Entry, Overlap, Registry
from tests.storage.index import Index

NOW = datetime(2025, 6, 7, 8, 9, 10, 123_456, tzinfo=UTC)
LATER = NOW.replace(year=2026)
LAB = Entry("1", "lab", "bucket", "ä/", NOW)
MADE = Entry("7", "made", "made", "", NOW, "AKALICE")


@pytest.fixture
def registry(index: Index) -> Registry:
    return Registry(index.database)


async def made(registry: Registry, entry: Entry = MADE) -> Entry:
    """An entry that was made at run time, and is finished."""
    assert await registry.reserve(replace(entry, unfinished=MAKING, worker_id="w1"))
    standing = await registry.named(entry.name)
    assert standing is not None
    finished = await registry.move(standing, "", None)
    assert finished == entry
    return finished


async def test_a_workspace_is_remembered_with_its_id_and_age(registry: Registry) -> None:
    assert await registry.all() == []
    plain = Entry("2", "plain", "bucket", "", LATER)
    assert await registry.remember(plain) == plain
    assert await registry.remember(LAB) == LAB
    assert await registry.remember(replace(LAB, id="3", created_at=LATER)) == LAB
    assert await registry.all() == [LAB, plain]
    assert await registry.named("lab") == await registry.with_id("1") == LAB
    assert await registry.named("laboratory") is None
    assert await registry.with_id("3") is None


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800bc", "ü" * 9, "l" * 99, "LAB"])
async def test_what_can_be_no_name_is_none(registry: Registry, name: str) -> None:
    assert await registry.named(name) is None


async def test_a_workspace_that_lies_elsewhere_is_another(registry: Registry) -> None:
    await registry.remember(LAB)
    for other in (replace(LAB, id="3", bucket="other"), replace(LAB, id="4", prefix="")):
        assert await registry.remember(other) == other
        assert await registry.all() == [other]


async def test_of_ids_made_at_once_for_one_workspace_one_stands(
    registry: Registry, other: Index
) -> None:
    both = [registry, Registry(other.database)]
    standing = await asyncio.gather(
        *(both[n % 2].remember(replace(LAB, id=f"{n}")) for n in range(6))
    )
    assert len({entry.id for entry in standing}) == 1
    assert await registry.all() == standing[:1]


async def test_one_that_was_made_at_run_time_keeps_its_id_where_it_is_configured(
    registry: Registry,
) -> None:
    entry = await made(registry)
    assert await registry.remember(replace(MADE, id="8", created_by=None)) == entry
    assert await registry.all() == [entry]


@pytest.mark.parametrize(
    "wanted",
    [
        Entry("2", "made", "elsewhere", "", NOW),
        Entry("2", "made", "made", "part/", NOW),
        Entry("2", "other", "made", "", NOW),
        Entry("2", "other", "made", "part/", NOW),
    ],
)
async def test_one_that_was_made_at_run_time_gives_neither_name_nor_place(
    registry: Registry, wanted: Entry
) -> None:
    entry = await made(registry)
    with pytest.raises(Overlap) as caught:
        await registry.remember(wanted)
    assert caught.value.entry == entry
    assert await registry.all() == [entry]


async def test_one_that_is_not_finished_is_nobodys_yet(registry: Registry) -> None:
    for state in (MAKING, REMOVING):
        entry = replace(MADE, unfinished=state, worker_id="w1")
        assert await registry.reserve(entry)
        with pytest.raises(Overlap):
            await registry.remember(replace(MADE, id="8", created_by=None))
        await registry.forget(entry)
    assert await registry.all() == []


async def test_of_many_who_reserve_a_name_at_once_one_gets_it(
    registry: Registry, other: Index
) -> None:
    both = [registry, Registry(other.database)]
    wanted = [replace(MADE, id=f"{n}", unfinished=MAKING, worker_id="w1") for n in range(6)]
    got = await asyncio.gather(*(both[n % 2].reserve(entry) for n, entry in enumerate(wanted)))
    assert sorted(got) == [False] * 5 + [True]
    assert await registry.all() == [wanted[got.index(True)]]


async def test_a_name_that_was_configured_once_is_free(registry: Registry) -> None:
    await registry.remember(LAB)
    entry = replace(MADE, name="lab", bucket="lab", unfinished=MAKING, worker_id="w1")
    assert await registry.reserve(entry)
    assert await registry.all() == [entry]


async def test_an_entry_is_moved_by_who_knows_how_it_stands(registry: Registry) -> None:
    entry = await made(registry)
    removing = await registry.move(entry, REMOVING, "w1")
    assert removing == replace(entry, unfinished=REMOVING, worker_id="w1")
    assert await registry.move(entry, REMOVING, "w2") is None
    assert await registry.move(replace(removing, worker_id="w2"), "", None) is None
    assert await registry.move(replace(removing, id="8"), "", None) is None
    taken = await registry.move(removing, REMOVING, "w2")
    assert taken is not None
    assert await registry.move(removing, "", None) is None
    await registry.forget(removing)
    assert await registry.all() == [taken]
    await registry.forget(taken)
    assert await registry.all() == []


async def test_of_many_who_take_an_entry_over_one_gets_it(registry: Registry, other: Index) -> None:
    entry = await made(registry)
    both = [registry, Registry(other.database)]
    moved = await asyncio.gather(*(both[n % 2].move(entry, REMOVING, f"w{n}") for n in range(6)))
    assert sum(each is not None for each in moved) == 1
