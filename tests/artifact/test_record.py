"""Records in the system area: what is written comes back, what is damaged is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.artifact.record import (
    PINS,
    Announcement,
    UnreadableRecord,
    WeightChange,
    WorkspaceRecord,
    decode,
    decode_announcement,
    decode_weight,
    decode_workspace,
    encode,
    encode_announcement,
    encode_weight,
    encode_workspace,
)
from gateway.artifact.record_key import (
    announcement_folder,
    announcement_key,
    record_folder,
    record_key,
    record_number,
    records_folder,
    weight_folder,
    weight_key,
    workspace_key,
)
from gateway.artifact.version import ManifestObject, Pin, Record

TIME = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
RECORD = Record(
    workspace_id="ws1",
    prefix="public/gallery/é'; DROP TABLE x; --",
    number=12,
    parent=11,
    author="alice",
    time=TIME,
    message="<b>first</b>\n",
    manifest=ManifestObject(b"type: x\n\xff\x00", {"content-type": "application/yaml"}),
    pins=(
        Pin("a.csv", 2**40, '"abc"', "v1", TIME, "text/csv", 500_000),
        Pin("b/\ud800", 0, '"def"', None, TIME, "", 0),
    ),
    staged_manifest="v0",
)
ANNOUNCEMENT = Announcement("a/b", "c.csv", 500_000, "stage1", TIME)
CHANGE = WeightChange("a/b", "c.csv", 0, 3, TIME)
WORKSPACE = WorkspaceRecord("id1", "name", "bucket", "prefix/", TIME)


def test_a_record_comes_back_as_it_was() -> None:
    assert decode(encode(RECORD)) == RECORD


def test_a_record_of_many_pins_is_written_as_if_at_once() -> None:
    pins = tuple(Pin(str(n), n, '"e"', None, TIME, "text/csv", 0) for n in range(2 * PINS + 1))
    for some in (pins, pins[:PINS], pins[:1], ()):
        record = replace(RECORD, pins=some)
        data = encode(record)
        assert decode(data) == record
        assert json.dumps(json.loads(data), separators=(",", ":")).encode() == data


def test_a_tombstone_comes_back_as_it_was() -> None:
    tombstone = Record("ws1", "", 2, 1, "bob", TIME, None, None)
    assert decode(encode(tombstone)) == tombstone


@given(st.binary(), st.text(), st.datetimes(timezones=st.just(UTC)), st.integers(0, 10**12))
def test_any_record_comes_back_as_it_was(
    data: bytes, text: str, time: datetime, weight: int
) -> None:
    pin = Pin(text, weight, text, text, time, text, weight)
    manifest = ManifestObject(data, {"x-amz-meta-a": text})
    record = Record("ws", text, weight, 0, text, time, text, manifest, (pin,), text)
    assert decode(encode(record)) == record


def test_equal_records_are_equal_bytes_of_ascii() -> None:
    elsewhere = TIME.astimezone(timezone(timedelta(hours=2)))
    other = Record(
        **{
            **{name: getattr(RECORD, name) for name in Record.__slots__},
            "time": elsewhere,
        }
    )
    assert encode(other) == encode(RECORD)
    assert encode(RECORD).isascii()
    assert json.loads(encode(RECORD))["format"] == 1


def test_small_records_come_back_as_they_were() -> None:
    assert decode_announcement(encode_announcement(ANNOUNCEMENT)) == ANNOUNCEMENT
    unweighted = Announcement("", "c", None, "s", TIME)
    assert decode_announcement(encode_announcement(unweighted)) == unweighted
    assert decode_weight(encode_weight(CHANGE)) == CHANGE
    assert decode_workspace(encode_workspace(WORKSPACE)) == WORKSPACE


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": None},
        {"number": "12"},
        {"number": True},
        {"number": -1},
        {"prefix": None},
        {"time": "yesterday"},
        {"time": "2024-05-01T12:00:00"},
        {"manifest": "text"},
        {"manifest": {"data": "***", "headers": {}}},
        {"manifest": {"headers": {}}},
        {"manifest": {"data": "", "headers": {"a": 5}}},
        {"pins": None},
        {"pins": [5]},
        {"pins": [{}]},
    ],
)
def test_a_damaged_record_is_told(change: dict[str, object]) -> None:
    document = {**json.loads(encode(RECORD)), **change}
    with pytest.raises(UnreadableRecord):
        decode(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"null", b"{", b"[" * 100_000, b"{}"])
@pytest.mark.parametrize("reader", [decode, decode_announcement, decode_weight, decode_workspace])
def test_what_is_no_record_is_told(reader: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        reader(data)


def test_fields_of_later_programs_are_passed_over() -> None:
    document = {**json.loads(encode(RECORD)), "signature": "x"}
    assert decode(json.dumps(document).encode()) == RECORD


def test_keys_hold_no_names_and_sort_by_number() -> None:
    keys = [record_key("ws1", "a/b", number) for number in (1, 9, 10, 999_999_999)]
    assert keys == sorted(keys)
    folder = record_folder("ws1", "a/b")
    assert all(key.startswith(folder) for key in keys)
    assert folder.startswith(records_folder("ws1"))
    assert [record_number("system/x/" + key) for key in keys] == [1, 9, 10, 999_999_999]
    assert record_key("ws1", "../..\n\ud800", 1).isascii()


@pytest.mark.parametrize("ending", ["", "1", "00000000010", "000000000a", "0000000001/x"])
def test_other_keys_have_no_number(ending: str) -> None:
    assert record_number(record_folder("ws1", "a") + ending) is None
    assert record_number("0000000001") is None
    assert record_number(workspace_key("0000000001")) is None


def test_every_prefix_and_path_has_keys_of_its_own() -> None:
    prefixes = ["", "a", "a/b", "A"]
    assert len({record_folder("ws", prefix) for prefix in prefixes}) == 4
    assert len({announcement_key("ws", "a", path) for path in prefixes}) == 4
    assert len({weight_key("ws", "a", path) for path in prefixes}) == 4
    assert announcement_key("ws", "a", "b").startswith(announcement_folder("ws", "a"))
    assert weight_key("ws", "a", "b").startswith(weight_folder("ws", "a"))
    assert announcement_key("ws", "a", "b") != weight_key("ws", "a", "b")
    assert workspace_key("id1") == "workspaces/id1"
