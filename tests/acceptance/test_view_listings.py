"""What listings show while an edit is open: readers the commit, writers the stage."""

import pytest

from tests.acceptance.edited import COMMITTED, STAGED, Edited
from tests.acceptance.harness import WORKSPACE, Document, Gateway
from tests.acceptance.steps import contents, keys_below, manifest

READERS = pytest.mark.parametrize("reader", ["anonymous", "read"])


@READERS
def test_listings_show_the_commit_as_before_the_edit(
    gateway: Gateway, edited: Edited, reader: str
) -> None:
    client = gateway.s3(reader)
    expected = [
        (each["Key"], each["Size"], each["ETag"], each["LastModified"])
        for each in edited.listed_before
    ]
    for method in (client.list_objects, client.list_objects_v2):
        answer = method(Bucket=WORKSPACE, Prefix=f"{edited.prefix}/")
        seen = [
            (each["Key"], each["Size"], each["ETag"], each["LastModified"])
            for each in answer["Contents"]
        ]
        assert seen == sorted(expected)
        assert not answer["IsTruncated"]
    assert {key.removeprefix(f"{edited.prefix}/") for key, *_ in expected} == edited.whole.keys()


@READERS
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 1000])
def test_pages_of_any_size_hold_every_key_once(
    gateway: Gateway, edited: Edited, reader: str, size: int
) -> None:
    client = gateway.s3(reader)
    expected = [edited.key(path) for path in sorted(edited.whole)]
    for operation in ("list_objects", "list_objects_v2"):
        pages = client.get_paginator(operation).paginate(
            Bucket=WORKSPACE, Prefix=f"{edited.prefix}/", MaxKeys=size
        )
        told = [page.get("Contents", []) for page in pages]
        assert all(len(page) <= size for page in told)
        assert [each["Key"] for page in told for each in page] == expected


@READERS
def test_listings_take_delimiters_prefixes_and_starts(
    gateway: Gateway, edited: Edited, reader: str
) -> None:
    client, prefix = gateway.s3(reader), edited.prefix

    def listed(method: str = "list_objects_v2", **parameters: Document) -> tuple[list[str], ...]:
        answer = getattr(client, method)(Bucket=WORKSPACE, **parameters)
        keys = [each["Key"].removeprefix(prefix) for each in answer.get("Contents", [])]
        groups = [each["Prefix"].removeprefix(prefix) for each in answer.get("CommonPrefixes", [])]
        return keys, groups

    for method in ("list_objects", "list_objects_v2"):
        assert listed(method, Prefix=f"{prefix}/", Delimiter="/") == (
            ["/a!", "/data.csv", "/manifest.yaml", "/removed.csv", "/same.csv"],
            ["/a/", "/dir/"],
        )
        assert listed(method, Prefix=f"{prefix}/dir/") == (["/dir/deep.csv"], [])
        assert listed(method, Prefix=f"{prefix}/d") == (["/data.csv", "/dir/deep.csv"], [])
        assert listed(method, Prefix=f"{prefix}/d", Delimiter="/") == (["/data.csv"], ["/dir/"])
        assert listed(method, Prefix=f"{prefix}/new") == ([], [])
        assert listed(method, Prefix=f"{prefix}/_") == ([], [])
        assert listed(method, Prefix=f"{prefix}/", Delimiter="a")[1] == ["/a", "/da", "/ma", "/sa"]
    start = {"Prefix": f"{prefix}/", "StartAfter": f"{prefix}/dir/deep.csv"}
    rest = ["/manifest.yaml", "/removed.csv", "/same.csv"]
    assert listed(**start) == (rest, [])
    assert listed(Prefix=f"{prefix}/", StartAfter=f"{prefix}/dir/new.csv") == (rest, [])
    marker = {"Prefix": f"{prefix}/", "Marker": f"{prefix}/dir/deep.csv"}
    assert listed("list_objects", **marker) == (rest, [])
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=WORKSPACE, Prefix=f"{prefix}/", Delimiter="/", MaxKeys=2
    )
    told = [
        each.get("Key", each.get("Prefix")).removeprefix(prefix)
        for page in pages
        for each in [*page.get("Contents", []), *page.get("CommonPrefixes", [])]
    ]
    assert sorted(told) == [
        "/a!", "/a/", "/data.csv", "/dir/", "/manifest.yaml", "/removed.csv", "/same.csv",
    ]  # fmt: skip
    assert len(told) == len(set(told))


@READERS
def test_listings_from_above_show_the_commit(gateway: Gateway, edited: Edited, reader: str) -> None:
    client = gateway.s3(reader)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=WORKSPACE, Prefix="public/", MaxKeys=5
    )
    found = [each for page in pages for each in page.get("Contents", [])]
    mine = [each for each in found if each["Key"].startswith(f"{edited.prefix}/")]
    assert {each["Key"]: each["Size"] for each in mine} == {
        edited.key(path): len(data) for path, data in edited.whole.items()
    }
    assert len(mine) == len(edited.whole)
    answer = client.list_objects_v2(Bucket=WORKSPACE, Prefix=edited.prefix, Delimiter="/")
    assert [each["Prefix"] for each in answer["CommonPrefixes"]] == [f"{edited.prefix}/"]


def test_writers_see_the_stage(gateway: Gateway, edited: Edited) -> None:
    staged = {**COMMITTED, **STAGED, "_manifest.yaml": manifest(name="two")}
    del staged["removed.csv"]
    assert contents(gateway.s3(), edited.prefix) == staged
    assert keys_below(gateway.s3(), edited.prefix, PaginationConfig={"PageSize": 2}) == {
        path: len(data) for path, data in staged.items()
    }
