"""Many rows in one parameter: a JSON text, which the database takes apart by itself.

Parameters for each row would keep Python at work inside the transaction, and everybody else who
writes waiting for it. The text is made before, in turns.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    bindparam,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy import column as named
from sqlalchemy.engine import Dialect
from sqlalchemy.types import JSON, Text

from gateway.storage.columns import JSONB
from gateway.turns import turns

ROWS = 1_000
"""How many rows a text has at most."""

Columns = Sequence[Column[Any]]


async def pack(dialect: Dialect, columns: Columns, rows: Iterable[Sequence[object]]) -> list[str]:
    """Texts of the rows, whose values come in the order of the columns."""
    written = [each.type.dialect_impl(dialect).bind_processor(dialect) for each in columns]
    texts = []
    async for some in turns(rows, ROWS):
        values = [
            [
                value if write is None else write(value)
                for write, value in zip(written, row, strict=True)
            ]
            for row in some
        ]
        texts.append(json.dumps(values, separators=(",", ":")))
    return texts


def unpacked(dialect: str, columns: Columns) -> Select[Any]:
    """The rows of the text that is bound to `packed`, their values under the columns' names.

    `dialect` is the name of a database.
    """
    text = bindparam("packed", type_=Text)
    if dialect == "sqlite":
        each = func.json_each(text).table_valued(named("value", JSON), name="packed")
        values: list[ColumnElement[Any]] = [
            func.json_extract(each.c.value, f"$[{at}]") for at in range(len(columns))
        ]
    else:
        document = cast(text, JSONB)
        each = func.jsonb_array_elements(document).table_valued(
            named("value", JSONB), name="packed"
        )
        values = [
            cast(each.c.value.op("->>")(literal(at)), of.type) for at, of in enumerate(columns)
        ]
    labelled = (
        type_coerce(value, of.type).label(of.name)
        for value, of in zip(values, columns, strict=True)
    )
    return select(*labelled).select_from(each)
