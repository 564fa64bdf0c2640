"""Filters and orders on what manifests say, in SQL; every value is bound.

`artifact.query` says what they mean. JSON's types are kept apart: 1 is not "1", and truth is
no number.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Numeric,
    Text,
    and_,
    case,
    cast,
    collate,
    column,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
)

from gateway.artifact.query import OWN_FIELDS, Bound, Condition, Equals, Like, Order, Test
from gateway.storage import tables
from gateway.storage.columns import JSONB

Expression: TypeAlias = ColumnElement[Any]

MICROS = 1_000_000.0
LARGEST = (1 << 63) - 1
ESCAPE = "\\"

_ARTIFACT = tables.artifact.c
_OWN_NUMBERS: dict[str, Expression] = {
    "_version": type_coerce(_ARTIFACT.version, BigInteger),
    "_created_at": type_coerce(_ARTIFACT.created_at, BigInteger),
    "_modified_at": type_coerce(_ARTIFACT.modified_at, BigInteger),
    "_stats.download_count": cast(_ARTIFACT.download_micros, Float(53)) / literal(MICROS, Float),
    "_stats.view_count": type_coerce(_ARTIFACT.views, BigInteger),
}
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def holds(condition: Condition, dialect: str) -> Expression:
    """Whether an artifact's row meets a condition."""
    if condition.name in OWN_FIELDS:
        return or_(false(), *(_own(condition.name, test) for test in condition.tests))
    tests = [_in_fields(condition.field, test, dialect) for test in condition.tests]
    return or_(false(), *tests)


def ordering(order: Order, dialect: str) -> Iterator[Expression]:
    """What rows are sorted by: numbers, then text, then what has neither."""
    if order.name == "_prefix":
        expressions: list[Expression] = [_ARTIFACT.prefix]
    elif order.name in _OWN_NUMBERS:
        expressions = [_OWN_NUMBERS[order.name]]
    else:
        expressions = list(_sorted_values(order.field, dialect))
    for expression in expressions:
        turned = expression.desc() if order.descending else expression.asc()
        yield turned.nulls_last()


def _own(name: str, test: Test) -> Expression:
    number = _OWN_NUMBERS.get(name)
    if number is None:
        return _tested_text(_ARTIFACT.prefix, test, sqlite=False)
    return _tested_number(number, test, exact=False)


def _tested_text(value: Expression, test: Test, *, sqlite: bool) -> Expression:
    if isinstance(test, Equals):
        return value == test.value if isinstance(test.value, str) else false()
    if isinstance(test, Like):
        if sqlite:
            return value.op("GLOB")(literal(_glob(test), Text))
        # The key column is compared as bytes: a LIKE of SQLite's own would fold its case.
        return _like(value, test)
    bounds = [
        value.op(_OPERATORS[operator])(literal(bound, Text)) if isinstance(bound, str) else false()
        for operator, bound in test.bounds
    ]
    return and_(true(), *bounds)


def _like(value: Expression, test: Like) -> Expression:
    escaped = (
        part.replace(ESCAPE, ESCAPE * 2).replace("%", ESCAPE + "%").replace("_", ESCAPE + "_")
        for part in test.parts
    )
    return value.like("%".join(escaped), escape=ESCAPE)


def _glob(test: Like) -> str:
    return "*".join("".join(f"[{c}]" if c in "*?[" else c for c in part) for part in test.parts)


def _tested_number(value: Expression, test: Test, *, exact: bool) -> Expression:
    if isinstance(test, Equals):
        number = test.value
        if number is None:
            return value.is_(None)
        if isinstance(number, str | bool):
            return false()
        return value == _number(number, exact=exact)
    if isinstance(test, Like):
        return false()
    bounds = [
        false()
        if isinstance(bound, str)
        else value.op(_OPERATORS[operator])(_number(bound, exact=exact))
        for operator, bound in test.bounds
    ]
    return and_(true(), *bounds)


def _number(number: Bound, *, exact: bool) -> Expression:
    if exact:
        return literal(Decimal(str(number)), Numeric)
    if isinstance(number, int) and abs(number) <= LARGEST:
        return literal(number, BigInteger)
    return literal(float(number), Float)


def _in_fields(field: tuple[str, ...], test: Test, dialect: str) -> Expression:
    if dialect == "sqlite":
        return _in_sqlite(field, test)
    return _in_postgresql(field, test)


def _in_sqlite(field: tuple[str, ...], test: Test) -> Expression:
    path = _path(field)
    kind = func.json_type(_ARTIFACT.fields, path)
    if test == Equals(None):
        return or_(kind.is_(None), kind == "null")
    each = func.json_each(_ARTIFACT.fields, path).table_valued(
        column("value"), column("type", Text), name="element"
    )
    value, of = each.c.value, each.c.type
    if isinstance(test, Equals) and isinstance(test.value, bool):
        found: Expression = of == ("true" if test.value else "false")
    else:
        found = or_(
            and_(of == "text", _tested_text(value, test, sqlite=True)),
            and_(of.in_(["integer", "real"]), _tested_number(value, test, exact=False)),
        )
    return and_(kind != "object", exists(select(1).select_from(each).where(found)))


def _in_postgresql(field: tuple[str, ...], test: Test) -> Expression:
    document = _document(field)
    kind = func.jsonb_typeof(document)
    if test == Equals(None):
        return or_(document.is_(None), kind == "null")
    nothing = literal_column("'[]'::jsonb", JSONB)
    elements = case(
        (kind == "array", document),
        (kind == "object", nothing),
        else_=func.jsonb_build_array(document),
    )
    each = func.jsonb_array_elements(elements).table_valued(column("value", JSONB), name="element")
    value = each.c.value
    if isinstance(test, Equals) and isinstance(test.value, bool):
        found: Expression = value == literal_column(
            "'true'::jsonb" if test.value else "'false'::jsonb", JSONB
        )
    else:
        of, text = func.jsonb_typeof(value), _text(value)
        found = case(
            (of == "string", _tested_text(collate(text, "C"), test, sqlite=False)),
            (of == "number", _tested_number(cast(text, Numeric), test, exact=True)),
            else_=false(),
        )
    return exists(select(1).select_from(each).where(found))


def _sorted_values(field: tuple[str, ...], dialect: str) -> Iterator[Expression]:
    if dialect == "sqlite":
        path = _path(field)
        kind = func.json_type(_ARTIFACT.fields, path)
        value = func.json_extract(_ARTIFACT.fields, path)
        yield case((kind.in_(["integer", "real", "true", "false"]), value))
        yield case((kind == "text", value))
        return
    document = _document(field)
    kind, text = func.jsonb_typeof(document), _text(document)
    yield case(
        (kind == "number", cast(text, Numeric)),
        (kind == "boolean", case((text == "true", literal_column("1")), else_=literal_column("0"))),
    )
    yield case((kind == "string", collate(text, "C")))


def _path(field: tuple[str, ...]) -> str:
    """SQLite's path of a field; names in it hold no quotes."""
    return "$" + "".join(f'."{part}"' for part in field)


def _document(field: tuple[str, ...]) -> Expression:
    """PostgreSQL's value of a field. Names are of objects alone: `0` is no list's first."""
    document: Expression = cast(_ARTIFACT.fields, JSONB)
    for part in field:
        document = document.op("->", return_type=JSONB)(literal(part, Text))
    return document


def _text(value: Expression) -> Expression:
    """A JSON scalar's text, without its quotes."""
    return value.op("#>>", return_type=Text())(literal_column("'{}'"))
