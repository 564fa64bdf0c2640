"""Manifests as they are read: the fields, and what the gateway knows beside them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.artifact.manifest import (
    ListedFile,
    Members,
    Stats,
    check_collection,
    collection_schema,
    is_collection,
    listed_files,
    listing,
    merged,
    parse,
    render,
    summary,
    summary_fields,
    with_files,
)
from gateway.artifact.value import Fields, JsonValue, lookup
from gateway.artifact.version import Pin
from gateway.errors import InvalidManifest, InvalidPath, InvalidWeight

LIMIT = 1 << 20
TIME = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
PIN = Pin("data.csv", 3, '"abc"', "v1", TIME, "text/csv", 500_000)
PINNED: JsonValue = {
    "path": "data.csv",
    "size": 3,
    "etag": '"abc"',
    "last_modified": "2024-05-01T12:00:00Z",
    "content_type": "text/csv",
    "download_weight": 0.5,
}

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    text,
    st.sampled_from(
        ["yes", "1", "0o7", "1e5", "2024-01-01", "12:30:45", "~", "=", "<<", "*a", "&a"]
    ),
)
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4)
)


@given(st.dictionaries(text, values, max_size=6))
@settings(deadline=None)
def test_rendered_fields_parse_as_they_were(fields: dict[str, JsonValue]) -> None:
    fields["type"] = "dataset"
    manifest = parse(render(fields), LIMIT)
    assert manifest.fields == fields
    assert list(manifest.fields) == list(fields)
    assert repr(manifest.fields) == repr(fields)


def test_rendering_is_plain_yaml_for_people() -> None:
    fields: Fields = {"type": "dataset", "name": "Zürich", "files": [{"path": "a.csv"}]}
    expected = "type: dataset\nname: Zürich\nfiles:\n- path: a.csv\n"
    assert render(fields).decode() == expected


def test_rendering_writes_shared_values_out() -> None:
    shared: list[JsonValue] = ["x"]
    data = render({"type": "t", "a": shared, "b": shared})
    assert b"&" not in data
    assert parse(data, LIMIT).fields == {"type": "t", "a": ["x"], "b": ["x"]}


def nested(depth: int) -> JsonValue:
    value: JsonValue = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        b"bytes",
        {1, 2},
        {1: 2},
        "\ud800",
        {"\ud800": 1},
        10**400,
        TIME,
        nested(5000),
    ],
    ids=lambda value: ascii(value)[:20] if not isinstance(value, list) else "nested",
)
def test_rendering_refuses_what_json_lacks(value: JsonValue) -> None:
    with pytest.raises(InvalidManifest):
        render({"type": "x", "value": value})


def test_a_manifest_knows_its_type() -> None:
    assert parse(b"type: dataset", LIMIT).type == "dataset"
    assert not parse(b"type: dataset", LIMIT).collection
    assert parse(b"type: collection", LIMIT).collection
    assert "dataset" not in repr(parse(b"type: x\nsecret: dataset", LIMIT).data[:4])


def test_listed_files_are_paths_or_mappings() -> None:
    fields: Fields = {
        "files": ["a.csv", {"path": "b.csv"}, {"path": "c.csv", "download_weight": "0.5"}, "a.csv"]
    }
    assert listed_files(fields) == (
        ListedFile("a.csv"),
        ListedFile("b.csv"),
        ListedFile("c.csv", 500_000),
    )
    assert listed_files({}) == listed_files({"files": None}) == listed_files({"files": []}) == ()


@pytest.mark.parametrize(
    ("files", "error", "said"),
    [
        ("a.csv", InvalidManifest, "not a list"),
        ({"path": "a.csv"}, InvalidManifest, "not a list"),
        ([5], InvalidManifest, r"files\[0\]"),
        (["a", {}], InvalidManifest, r"files\[1\]"),
        ([["a"]], InvalidManifest, r"files\[0\]"),
        ([{"path": None}], InvalidManifest, r"files\[0\]"),
        (["a", "../b"], InvalidPath, r"files\[1\].*segment"),
        (["manifest.yaml"], InvalidPath, r"files\[0\].*manifest"),
        ([{"path": "a", "download_weight": -1}], InvalidWeight, r"files\[0\]"),
        ([{"path": "a", "download_weight": True}], InvalidWeight, r"files\[0\]"),
        (["a", {"path": "a", "download_weight": 1}], InvalidManifest, "another weight"),
    ],
)
def test_bad_entries_are_named(files: JsonValue, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        listed_files({"files": files})


def test_a_collection_is_what_its_type_says() -> None:
    schema: Fields = {"type": "object"}
    assert is_collection({"type": "collection"})
    assert not is_collection({"type": "Collection"})
    assert collection_schema({"type": "collection", "collection_schema": schema}) == schema
    assert collection_schema({"type": "collection"}) is None
    assert collection_schema({"type": "dataset", "collection_schema": schema}) is None


def test_summary_fields_have_a_default() -> None:
    assert summary_fields({}) == ("id", "name", "description", "type")
    assert summary_fields({"summary_fields": "name"}) == ("id", "name", "description", "type")
    assert summary_fields({"summary_fields": ["a.b", 5, "c"]}) == ("a.b", "c")


def test_summary_fields_are_checked_where_they_are_committed() -> None:
    check_collection({})
    check_collection({"summary_fields": ["a.b"]})
    mistakes: list[JsonValue] = ["name", {"a": 1}, ["a", 5], 5]
    for wrong in mistakes:
        with pytest.raises(InvalidManifest, match="summary_fields"):
            check_collection({"summary_fields": wrong})


def test_a_summary_keeps_the_nesting_of_dotted_names() -> None:
    fields: Fields = {
        "name": "n",
        "author": {"name": "Ada", "mail": "secret"},
        "none": None,
        "_prefix": "fake",
    }
    names = ["name", "author.name", "missing", "author.missing.x", "none", "_prefix", "name.x"]
    assert summary(fields, names, "a/b", Stats(1_500_000, 4)) == {
        "_prefix": "a/b",
        "name": "n",
        "author": {"name": "Ada"},
        "_stats": {"download_count": 1.5, "view_count": 4},
    }
    assert fields["author"] == {"name": "Ada", "mail": "secret"}


def test_a_name_covers_the_names_below_it() -> None:
    fields: Fields = {"author": {"name": "Ada", "mail": "m"}}
    for names in (["author", "author.name"], ["author.name", "author"]):
        assert summary(fields, names, "p", Stats())["author"] == {"name": "Ada", "mail": "m"}


def test_lookup_follows_mappings_only() -> None:
    fields: Fields = {"a": {"b": [1]}, "c": "text"}
    assert lookup(fields, "a.b") == [1]
    assert lookup(fields, "a.b.0") is None
    assert lookup(fields, "c.upper") is None
    assert lookup(fields, "") is None


def test_files_list_the_pins_where_the_author_lists_none() -> None:
    assert with_files({"type": "x"}, [PINNED]) == {"type": "x", "files": [PINNED]}
    assert with_files({"files": None}, [PINNED]) == with_files({"files": []}, [PINNED])
    assert with_files({"files": []}, [PINNED]) == {"files": [PINNED]}
    assert with_files({"files": ["own.csv"]}, [PINNED]) == {"files": ["own.csv"]}


def test_reading_merges_what_the_gateway_knows() -> None:
    fields: Fields = {"type": "dataset", "id": "x", "files": []}
    assert merged(
        fields,
        [listing(PIN)],
        prefix="gallery/x",
        version=3,
        created_at=TIME,
        modified_at=TIME.replace(microsecond=250_000),
        stats=Stats(2_000_000, 7),
    ) == {
        "type": "dataset",
        "id": "x",
        "files": [PINNED],
        "_prefix": "gallery/x",
        "_version": 3,
        "_created_at": "2024-05-01T12:00:00Z",
        "_modified_at": "2024-05-01T12:00:00.250000Z",
        "_stats": {"download_count": 2, "view_count": 7},
    }
    assert fields["files"] == []


def test_an_author_cannot_write_the_gateways_fields() -> None:
    reserved = ("_prefix", "_version", "_stats", "_child_count", "_stage", "_created_at")
    fields: Fields = {"type": "x", "_own": 1, **dict.fromkeys(reserved, "fake")}
    read = merged(
        fields, [], prefix="p", version=1, created_at=None, modified_at=None, stats=Stats()
    )
    assert "fake" not in read.values()
    assert read["_own"] == 1
    assert "_stage" not in read
    assert "_child_count" not in read
    assert read["_created_at"] is None


def test_a_collection_shows_its_members_and_a_stage_its_changes() -> None:
    read = merged(
        {"type": "collection", "collection": ["stale"]},
        [],
        prefix="gallery",
        version=1,
        created_at=TIME,
        modified_at=TIME,
        stats=Stats(),
        members=Members([{"id": "a"}], 12),
        stage={"files": []},
    )
    assert read["collection"] == [{"id": "a"}]
    assert read["_child_count"] == 12
    assert read["_stage"] == {"files": []}
