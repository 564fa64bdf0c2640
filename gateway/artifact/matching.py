"""What a query of members finds: the meaning that the index has to give it in SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TypeVar

from gateway.artifact.query import (
    OWN_FIELDS,
    Bound,
    Condition,
    Equals,
    Like,
    MemberQuery,
    Test,
)
from gateway.artifact.value import Fields, JsonValue, lookup

T = TypeVar("T")


def matches(query: MemberQuery, words: frozenset[str], fields: Fields, own: Fields) -> bool:
    """Whether a member is what is asked for; `own` has the values of OWN_FIELDS by their names.

    Times are in microseconds since 1970.
    """
    found = [
        *(all(_begins(words, word) for word in keyword) for keyword in query.keywords),
        *(_holds(condition, fields, own) for condition in query.conditions),
    ]
    return not found or (any(found) if query.any_of else all(found))


def ordered(
    query: MemberQuery, members: Iterable[T], values: Callable[[T], tuple[Fields, Fields]]
) -> list[T]:
    """The members, which come by prefix, in the query's order; `values` gives fields and own."""
    found = list(members)
    for order in reversed(query.order):
        numbers: list[tuple[float, T]] = []
        texts: list[tuple[str, T]] = []
        others: list[T] = []
        for member in found:
            value = _value(order.field, *values(member))
            if isinstance(value, bool | int | float):
                numbers.append((value, member))
            elif isinstance(value, str):
                texts.append((value, member))
            else:
                others.append(member)
        numbers.sort(key=itemgetter(0), reverse=order.descending)
        texts.sort(key=itemgetter(0), reverse=order.descending)
        found = [member for _, member in (*numbers, *texts)] + others
    return found


def _begins(words: frozenset[str], beginning: str) -> bool:
    return any(word.startswith(beginning) for word in words)


def _value(field: Sequence[str], fields: Fields, own: Fields) -> JsonValue:
    name = ".".join(field)
    return own.get(name) if name in OWN_FIELDS else lookup(fields, name)


def _holds(condition: Condition, fields: Fields, own: Fields) -> bool:
    value = _value(condition.field, fields, own)
    elements = value if isinstance(value, list | tuple) else [value]
    for test in condition.tests:
        if test == Equals(None):
            if value is None:
                return True
        elif any(_passes(test, element) for element in elements):
            return True
    return False


def _passes(test: Test, element: JsonValue) -> bool:
    if isinstance(test, Equals):
        same_kind = isinstance(test.value, bool) is isinstance(element, bool)
        scalar = not isinstance(element, list | tuple | Mapping) and element is not None
        return same_kind and scalar and element == test.value
    if isinstance(test, Like):
        return isinstance(element, str) and test.matches(element)
    return all(_bounded(element, operator, bound) for operator, bound in test.bounds)


def _bounded(element: JsonValue, operator: str, bound: Bound) -> bool:
    if isinstance(element, str) and isinstance(bound, str):
        low, high = element, bound
        return _compared(operator, (low > high) - (low < high))
    if isinstance(element, int | float) and not isinstance(element, bool):
        if isinstance(bound, str):
            return False
        return _compared(operator, (element > bound) - (element < bound))
    return False


def _compared(operator: str, sign: int) -> bool:
    return {"gt": sign > 0, "gte": sign >= 0, "lt": sign < 0, "lte": sign <= 0}[operator]
