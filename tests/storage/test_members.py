"""What the databases find is what the query's own meaning says, on both."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.artifact.lifecycle import Artifact
from gateway.artifact.matching import matches, ordered
from gateway.artifact.query import MemberQuery, microseconds, parse_query
from gateway.artifact.value import Fields, JsonValue
from gateway.artifact.words import manifest_words
from gateway.errors import InvalidArgument
from gateway.storage import members, tables
from gateway.storage.members import MemberIndex
from tests.storage.index import NOW, WORKSPACE, Index

ROOT = "shelf"
MANIFESTS: Sequence[Fields] = (
    {"type": "dataset", "name": "Cells of the Déjà vu", "size": 12, "tags": ["bio", "2024"]},
    {"type": "dataset", "name": "cells", "size": 12.5, "tags": [], "author": {"name": "Ann"}},
    {"type": "model", "name": "CELLS", "size": "12", "open": True, "author": "Ann"},
    {"type": "model", "name": "a*b?c[d]", "size": -3, "open": False, "author": {"name": None}},
    {"type": "application", "name": "100% of_it", "size": True, "tags": ["bio", 7, None]},
    {"type": "application", "name": "", "size": None, "tags": "bio"},
    {"type": "模型", "name": "模型 für Übung", "nested": {"deep": [[1], {"a": 1}]}, "0": "zero"},
    {"type": "x", "name": "Robert'); DROP TABLE artifact;--", "size": 10**18, "tags": [1, 1.0]},
)
FIELDS = ("type", "name", "size", "tags", "open", "author.name", "nested.deep", "0", "absent")
WORDS = ("cell", "dej", "VU", "模", "ub", "ann bio", "12", "drop table", "nothing", "shelf", "-")

scalars: st.SearchStrategy[JsonValue] = st.sampled_from(
    [
        *("dataset", "cells", "*ells*", "C*", "a\\*b?c[d]", "*%*", "*_*", "bio", "12", "", "*"),
        *("1", "模型*", "true", "DROP*", "*'*"),
        *(None, True, False, 12, 12.5, 12.0, -3, 7, 1, 10**18, 10**30, 0.1),
    ]
)
ranges: st.SearchStrategy[JsonValue] = st.dictionaries(
    st.sampled_from(["gt", "gte", "lt", "lte"]),
    st.sampled_from([12, 12.5, -3, 0, 10**30, "12", "c", "", "模"]),
    min_size=1,
    max_size=2,
)
values = scalars | ranges | st.lists(scalars | ranges, max_size=3)
names = st.sampled_from([*FIELDS, "_prefix", "_version", "_stats.view_count"])
orders = st.lists(st.tuples(st.sampled_from(["", "-"]), names).map("".join), max_size=2)
queries = st.builds(
    parse_query,
    st.lists(st.sampled_from(WORDS), max_size=2),
    st.dictionaries(names, values, max_size=3),
    st.sampled_from(["AND", "OR"]),
    orders,
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection with members, and the index that is asked for them."""

    members: Sequence[Artifact]
    index: MemberIndex


def own(artifact: Artifact) -> Fields:
    assert artifact.created_at is not None
    assert artifact.modified_at is not None
    return {
        "_prefix": artifact.prefix,
        "_version": artifact.version,
        "_created_at": microseconds(artifact.created_at),
        "_modified_at": microseconds(artifact.modified_at),
        "_stats.download_count": artifact.stats.download_micros / 1e6,
        "_stats.view_count": artifact.stats.views,
    }


def values_of(artifact: Artifact) -> tuple[Fields, Fields]:
    return artifact.fields or {}, own(artifact)


def expected(members: Sequence[Artifact], query: MemberQuery) -> list[str]:
    found = [
        member
        for member in sorted(members, key=lambda member: member.prefix.encode())
        if matches(query, manifest_words(member.prefix, member.fields or {}), *values_of(member))
    ]
    return [member.prefix for member in ordered(query, found, values_of)]


@pytest.fixture
async def shelf(index: Index) -> Shelf:
    await index.committed(ROOT, fields={"type": "collection"})
    await index.committed("shelf2", fields=MANIFESTS[0])
    members = [
        await index.committed(f"{ROOT}/{number % 3}/{number}", fields=fields)
        for number, fields in enumerate(MANIFESTS)
    ]
    await index.new(f"{ROOT}/staged", MANIFESTS[0])
    await index.deleted(await index.committed(f"{ROOT}/deleted", fields=MANIFESTS[1]))
    return Shelf(members, MemberIndex(index.database))


async def test_members_come_by_prefix(shelf: Shelf) -> None:
    prefixes = [f"{ROOT}/0/0", f"{ROOT}/0/3", f"{ROOT}/0/6", f"{ROOT}/1/1"]
    page = await shelf.index.page(WORKSPACE, ROOT, limit=4)
    assert ([member.prefix for member in page.items], page.total) == (prefixes, 8)
    assert page.items[0].fields == MANIFESTS[0]


# The shelf is only read, so all examples may share it.
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=queries)
async def test_members_are_what_the_query_says(shelf: Shelf, query: MemberQuery) -> None:
    page = await shelf.index.page(WORKSPACE, ROOT, query, limit=100)
    assert [member.prefix for member in page.items] == expected(shelf.members, query)
    assert page.total == len(page.items)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=queries)
async def test_members_of_many_are_what_the_query_says(shelf: Shelf, query: MemberQuery) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "FEW", 0)
        page = await shelf.index.page(WORKSPACE, ROOT, query, limit=100)
    assert [member.prefix for member in page.items] == expected(shelf.members, query)
    assert page.total == len(page.items)


async def test_members_are_counted_in_an_index_alone(shelf: Shelf) -> None:
    statement = select(func.count()).select_from(tables.artifact)
    conditions = shelf.index.conditions(WORKSPACE, ROOT, parse_query(None, None, "AND", None))
    asked = str(
        statement.where(*conditions).compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )
    )
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(str(CreateTable(tables.artifact).compile(dialect=sqlite.dialect())))
        for index in tables.artifact.indexes:
            connection.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
        plan = connection.execute(f"EXPLAIN QUERY PLAN {asked}").fetchall()
    assert ["ix_artifact_committed" in step for *_, step in plan] == [True]


async def test_every_page_is_a_part_of_the_whole(shelf: Shelf) -> None:
    for order in (None, "-name"):
        query = parse_query(None, None, "AND", order)
        whole = (await shelf.index.page(WORKSPACE, ROOT, query, limit=100)).items
        for limit in (1, 3, 8):
            paged = []
            for offset in range(0, 12, limit):
                page = await shelf.index.page(WORKSPACE, ROOT, query, offset=offset, limit=limit)
                assert page.total == 8
                paged += page.items
            assert paged == whole


async def test_the_public_see_what_is_public(index: Index) -> None:
    for prefix in ("", "public", "secret", "public/a", "secret/a", "publican"):
        await index.committed(prefix, fields={"type": "collection"})
    members = MemberIndex(index.database)
    for prefix, public, found in (
        ("", True, ["public", "public/a"]),
        ("public", True, ["public/a"]),
        ("secret", True, []),
        ("", False, ["public", "public/a", "publican", "secret", "secret/a"]),
    ):
        page = await members.page(WORKSPACE, prefix, public=public, limit=10)
        assert [member.prefix for member in page.items] == found


async def test_times_are_compared_as_times(shelf: Shelf) -> None:
    wanted: Mapping[str, int] = {
        NOW.isoformat(): 8,
        "2025-06-07": 0,
        "2025-06-07T10:09:10.123456+02:00": 8,
    }
    for text, total in wanted.items():
        query = parse_query(None, {"_created_at": text}, "AND", None)
        assert (await shelf.index.page(WORKSPACE, ROOT, query, limit=1)).total == total
    since = parse_query(None, {"_modified_at": {"gte": "2025-06-07"}}, "AND", None)
    assert (await shelf.index.page(WORKSPACE, ROOT, since, limit=1)).total == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, None, "XOR", None), "mode"),
        ((1, None, "AND", None), "keywords"),
        (([1], None, "AND", None), "keywords"),
        ((None, [], "AND", None), "filters"),
        ((None, {"a": {}}, "AND", None), "filter"),
        ((None, {"a": {"is": 1}}, "AND", None), "gt, gte, lt, lte"),
        ((None, {"a": {"gt": True}}, "AND", None), "numbers or texts"),
        ((None, {'a"': 1}, "AND", None), "no field"),
        ((None, {"a..b": 1}, "AND", None), "no field"),
        ((None, {"_stage": 1}, "AND", None), "no field"),
        ((None, {"_created_at": "yesterday"}, "AND", None), "no time"),
        ((None, {"a": [1] * 101}, "AND", None), "more than"),
        ((["a"] * 101, None, "AND", None), "more than"),
        ((None, None, "AND", [1]), "order_by"),
        ((None, None, "AND", {}), "order_by"),
    ],
)
def test_what_can_not_be_read_is_refused(
    arguments: tuple[JsonValue, JsonValue, str, JsonValue], said: str
) -> None:
    with pytest.raises(InvalidArgument, match=said):
        parse_query(*arguments)
