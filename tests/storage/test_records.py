"""The system area on two real backends: what is committed once, and what the last one wins."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.artifact.record import (
    Announcement,
    UnreadableRecord,
    WeightChange,
    WorkspaceRecord,
    encode_announcement,
)
from gateway.artifact.record_key import announcement_key
from gateway.artifact.version import ManifestObject, Pin, Record
from gateway.errors import PreconditionFailed, ServiceUnavailable
from gateway.storage.bucket import Bucket, StoredObject
from gateway.storage.objects import NO_HEADERS
from gateway.storage.records import Records
from gateway.storage.shelves import Shelves
from tests.conftest import BackendInUse

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def record(number: int, prefix: str = "public/data set+1", author: str = "alice") -> Record:
    pin = Pin("a/ü.csv", 12, '"etag"', "v1", NOW, "text/csv", 500_000)
    manifest = ManifestObject(b"type: dataset\n", {"content-type": "text/yaml"})
    return Record("w1", prefix, number, number - 1, author, NOW, "message", manifest, (pin,))


@pytest.fixture
async def area(each_bucket: Bucket, fresh_name: str) -> str:
    await each_bucket.create_bucket(fresh_name)
    return fresh_name


@pytest.fixture
def records(each_bucket: Bucket, area: str) -> Records:
    return Records(each_bucket, area, "system/")


async def test_record_is_read_as_it_was_put(records: Records) -> None:
    await records.put_record(record(1))
    assert await records.get_record("w1", "public/data set+1", 1) == record(1)
    assert await records.get_record("w1", "public/data set+1", 2) is None
    assert await records.get_record("w2", "public/data set+1", 1) is None


async def test_a_number_is_given_once(records: Records) -> None:
    await records.put_record(record(1))
    for other in (record(1, author="bob"), record(1)):
        with pytest.raises(PreconditionFailed):
            await records.put_record(other)
    assert await records.get_record("w1", "public/data set+1", 1) == record(1)


async def test_one_of_many_commits_wins(records: Records) -> None:
    outcomes = await asyncio.gather(
        *(records.put_record(record(1, author=f"author {number}")) for number in range(8)),
        return_exceptions=True,
    )
    lost = [outcome for outcome in outcomes if isinstance(outcome, PreconditionFailed)]
    assert (len(lost), outcomes.count(None)) == (7, 1)
    found = await records.get_record("w1", "public/data set+1", 1)
    assert found is not None
    assert found.author == f"author {outcomes.index(None)}"


async def test_numbers_and_records_are_those_of_the_prefix(
    each_bucket: Bucket, area: str, records: Records
) -> None:
    for number in (1, 2, 3, 10):
        await records.put_record(record(number, "a"))
    await records.put_record(record(1, "a/b"))
    tombstone = replace(record(2, "a/b"), manifest=None, pins=())
    await records.put_record(tombstone)
    assert await records.numbers("w1", "a") == [1, 2, 3, 10]
    assert await records.numbers("w1", "a", after=2) == [3, 10]
    assert await records.numbers("w1", "none") == []
    assert [found async for found in records.records("w1", "a/b")] == [
        record(1, "a/b"),
        tombstone,
    ]
    everything = [(found.prefix, found.number) async for found in records.records("w1")]
    assert sorted(everything) == [("a", 1), ("a", 2), ("a", 3), ("a", 10), ("a/b", 1), ("a/b", 2)]
    assert [number for prefix, number in everything if prefix == "a"] == [1, 2, 3, 10]
    assert [found async for found in records.records("w2")] == []
    keys = [item.key async for page in each_bucket.list(area, "") for item in page]
    assert all(key.startswith("system/") for key in keys)


async def test_last_announcement_and_weight_of_a_path_win(records: Records) -> None:
    first = Announcement("p", "a b.csv", None, "stage", NOW)
    second = replace(first, weight=500_000)
    other = replace(first, path="c.csv")
    for announcement in (first, other, second):
        await records.announce("w1", announcement)
    found = [item async for item in records.announcements("w1", "p")]
    assert sorted(found, key=lambda item: item.path) == [second, other]
    await records.withdraw("w1", "p", "a b.csv")
    assert [item async for item in records.announcements("w1", "p")] == [other]
    assert [item async for item in records.announcements("w1", "q")] == []

    change = WeightChange("p", "a b.csv", 1, 1, NOW)
    await records.put_weight("w1", change)
    await records.put_weight("w1", replace(change, weight=2))
    assert [item async for item in records.weights("w1", "p")] == [replace(change, weight=2)]
    assert await records.get_weight("w1", "p", "a b.csv") == replace(change, weight=2)
    assert await records.get_weight("w1", "p", "c.csv") is None
    await records.remove_weight("w1", "p", "a b.csv")
    assert [item async for item in records.weights("w1", "p")] == []


# In UTF-8 twice as long as in characters, in JSON six times: too long for metadata.
LONG = "/".join(["ü" * 100] * 5)


@pytest.mark.parametrize("path", ["a b.csv", 'ü=?utf-8?Q?"\n  x\\.csv', "x" * 1000, LONG])
async def test_an_announcement_is_read_as_it_was_put(
    each_bucket: Bucket, area: str, records: Records, path: str
) -> None:
    mine = Announcement("public/data set+1", path, 500_000, "stage", NOW)
    key = "system/" + announcement_key("w1", mine.prefix, mine.path)
    await records.announce("w1", mine)
    stored = await each_bucket.get(area, key, limit=1 << 20)
    assert stored is not None
    # Backends take twice as long for an object that has bytes: only one too long has some.
    assert bool(stored[1]) == (len(encode_announcement(mine)) * 4 / 3 > 1_800)
    assert [found async for found in records.announcements("w1", mine.prefix)] == [mine]
    assert await records.read_announcement(key.removeprefix("system/")) == mine
    shelves = Shelves(each_bucket, area, "system/")
    assert [found async for found in shelves.announcements("w1")] == [mine]


async def test_an_announcement_takes_the_place_of_one_of_the_other_kind(
    each_bucket: Bucket, area: str, records: Records
) -> None:
    first = Announcement("p", "a.csv", None, "stage", NOW)
    key = announcement_key("w1", first.prefix, first.path)
    in_bytes = replace(first, stage_id="older")
    for put_in_bytes in (False, True, False):
        if put_in_bytes:  # as gateways did
            await each_bucket.put(area, f"system/{key}", encode_announcement(in_bytes))
        else:
            await records.announce("w1", first)
        expected = in_bytes if put_in_bytes else first
        assert await records.read_announcement(key) == expected
        assert [found async for found in records.announcements("w1", "p")] == [expected]


@pytest.mark.parametrize("metadata", [{}, {"x-amz-meta-announcement": "e30"}])
async def test_an_announcement_of_which_nothing_is_left_is_unreadable(
    each_bucket: Bucket, area: str, records: Records, metadata: dict[str, str]
) -> None:
    key = announcement_key("w1", "p", "a.csv")
    await each_bucket.put(area, f"system/{key}", b"", metadata)
    with pytest.raises(UnreadableRecord):
        await records.read_announcement(key)
    shelves = Shelves(each_bucket, area, "system/")
    assert [found async for found in shelves.announcements("w1", "p")] == []


async def test_workspaces_are_recorded_until_removed(records: Records) -> None:
    mine = WorkspaceRecord("w1", "mine", "bucket", "", NOW)
    await records.put_workspace(mine)
    with pytest.raises(PreconditionFailed):
        await records.put_workspace(replace(mine, name="other"))
    assert [found async for found in records.workspaces()] == [mine]
    await records.remove_workspace("w1")
    assert [found async for found in records.workspaces()] == []


class Losing(Bucket):
    """A backend whose answers to PUT get lost, before or after it has done as it was told."""

    def lose(self, *losses: str) -> None:
        self.losses = list(losses)

    async def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        if_absent: bool = False,
    ) -> StoredObject:
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "request":
            raise ServiceUnavailable("lost")
        stored = await super().put(bucket, key, data, headers, if_absent=if_absent)
        if loss == "answer":
            raise ServiceUnavailable("lost")
        return stored


@pytest.fixture
async def losing(each_backend: BackendInUse) -> AsyncIterator[Losing]:
    async with Losing(each_backend.backend) as bucket:
        bucket.lose()
        yield bucket


@pytest.fixture
def unsure(losing: Losing, area: str) -> Records:
    return Records(losing, area)


@pytest.mark.parametrize("loss", [["request"], ["answer"], ["request", "answer"]])
async def test_commit_whose_answer_got_lost_is_a_commit(
    losing: Losing, unsure: Records, loss: list[str]
) -> None:
    losing.lose(*loss)
    await unsure.put_record(record(1))
    assert await unsure.get_record("w1", "public/data set+1", 1) == record(1)


async def test_commit_that_lost_while_its_answers_did_is_a_conflict(
    losing: Losing, unsure: Records
) -> None:
    await unsure.put_record(record(1, author="bob"))
    losing.lose("request")
    with pytest.raises(PreconditionFailed):
        await unsure.put_record(record(1))
    found = await unsure.get_record("w1", "public/data set+1", 1)
    assert found is not None
    assert found.author == "bob"


async def test_commit_on_a_silent_backend_is_unavailable(losing: Losing, unsure: Records) -> None:
    losing.lose(*["request"] * 9)
    with pytest.raises(ServiceUnavailable):
        await unsure.put_record(record(1))
