"""Rows that go in as one text come out as they would by themselves."""

from datetime import UTC, datetime

from gateway.artifact.version import Pin
from gateway.storage import tables
from gateway.storage.database import Database
from gateway.storage.packed import ROWS, pack, unpacked
from gateway.storage.pins import MADE, pin_values

NOW = datetime(2025, 6, 7, 8, 9, 10, 123_456, tzinfo=UTC)
PINS = (
    Pin("a", 0, '"e"', None, NOW, "text/csv", 0),
    Pin("ä \U0010ffff/'\"\\ ☃", 1 << 62, '"é"', "null", NOW, "", 1_000_000_000_000),
    Pin("-", 1, "", "v\u2028", datetime(1970, 1, 1, tzinfo=UTC), "a\tb\n", 1),
)


async def test_unpacked_rows_are_what_was_packed(database: Database) -> None:
    many = [Pin(f"{n:06d}", n, f'"{n}"', str(n), NOW, "x", n) for n in range(ROWS + 1)]
    rows = [(f"a/{pin.path}", *pin_values(pin), bool(pin.size)) for pin in (*PINS, *many)]
    found: list[tuple[object, ...]] = []
    async with database.reading() as connection:
        texts = await pack(connection.dialect, MADE, rows)
        assert len(texts) == 2
        for text in texts:
            question = unpacked(database.dialect, MADE)
            answer = await connection.execute(question, {"packed": text})
            found += map(tuple, answer)
    assert found == rows


async def test_what_a_database_can_not_keep_is_packed_as_it_would_be_kept(
    database: Database,
) -> None:
    columns = (tables.pin.c.path, tables.pin.c.content_type)
    async with database.reading() as connection:
        (text,) = await pack(connection.dialect, columns, [("a\0b", "c\0\ud800d")])
        question = unpacked(database.dialect, columns)
        found = await connection.execute(question, {"packed": text})
        assert [tuple(row) for row in found] == [("a\x01b", "c\ufffd?d")]
