"""What is asked of a collection's members: keywords, filters and an order.

A member matches a keyword when each word of it begins a word of the member's manifest or
prefix. A filter names a field, dotted, and says what its value is; of a field that is a list,
one element is enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from gateway.artifact.manifest import RESERVED
from gateway.artifact.value import JsonValue, brief, fault
from gateway.artifact.words import words_of
from gateway.errors import InvalidArgument

Bound: TypeAlias = str | int | float
Scalar: TypeAlias = str | int | float | bool | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MOST_CONDITIONS = 100
ANY, ESCAPE = "*", "\\"
BOUNDS = ("gt", "gte", "lt", "lte")
MODES = ("AND", "OR")

OWN_TIMES = frozenset({"_created_at", "_modified_at"})
OWN_FIELDS = OWN_TIMES | frozenset(
    {
        "_prefix",
        "_version",
        "_stats.download_count",
        "_stats.view_count",
    }
)
"""What the gateway knows of every artifact, under the names that reading it shows."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The value is this one: text, number, truth, or (None) nothing."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Like:
    """The value is text made of these parts in their order, with anything between them."""

    parts: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Whether `text` is so made; in linear time."""
        first, last = self.parts[0], self.parts[-1]
        if len(text) < len(first) + len(last):
            return False
        if not (text.startswith(first) and text.endswith(last)):
            return False
        at, end = len(first), len(text) - len(last)
        for part in self.parts[1:-1]:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True


@dataclass(frozen=True, slots=True)
class Within:
    """The value lies between bounds of its own kind: `operator` is gt, gte, lt or lte."""

    bounds: tuple[tuple[str, Bound], ...]


Test: TypeAlias = Equals | Like | Within


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: the field's name in its parts, and tests of which one must hold."""

    field: tuple[str, ...]
    tests: tuple[Test, ...]

    @property
    def name(self) -> str:
        """The field's dotted name."""
        return ".".join(self.field)


@dataclass(frozen=True, slots=True)
class Order:
    """A field that members are sorted by: numbers, then text, then those without, in any case."""

    field: tuple[str, ...]
    descending: bool = False

    @property
    def name(self) -> str:
        """The field's dotted name."""
        return ".".join(self.field)


@dataclass(frozen=True, slots=True)
class MemberQuery:
    """Keywords, each as its words; conditions; and whether one of all these is enough."""

    keywords: tuple[tuple[str, ...], ...] = ()
    conditions: tuple[Condition, ...] = ()
    any_of: bool = False
    order: tuple[Order, ...] = ()


def parse_query(
    keywords: JsonValue, filters: JsonValue, mode: str, order_by: JsonValue
) -> MemberQuery:
    r"""The query that a call's arguments are; InvalidArgument names what can't be read.

    `keywords` is a list of texts, or one. `filters` maps dotted fields to a value (where `*`
    in text stands for anything, and `\*` for itself), a list of values of which one is
    enough, or a mapping with `gt`, `gte`, `lt`, `lte`. `order_by` is a field or a list of them,
    the first counting most; `-` before one turns it round.
    """
    for name, given in (("keywords", keywords), ("filters", filters), ("order_by", order_by)):
        if reason := fault(given):
            raise InvalidArgument(f"{name} {reason}", argument=name)
    if mode.upper() not in MODES:
        raise InvalidArgument("mode is AND or OR", argument="mode")
    query = MemberQuery(
        tuple(_keywords(keywords)),
        tuple(_conditions(filters)),
        mode.upper() == "OR",
        tuple(_orders(order_by)),
    )
    if len(query.keywords) + len(query.conditions) + len(query.order) > MOST_CONDITIONS:
        raise InvalidArgument(f"more than {MOST_CONDITIONS} keywords, filters and orders")
    return query


def microseconds(time: datetime) -> int:
    """The point in time as `own` holds it: whole microseconds since 1970."""
    return (time - EPOCH) // timedelta(microseconds=1)


def _keywords(given: JsonValue) -> Iterator[tuple[str, ...]]:
    if given is None:
        return
    for keyword in [given] if isinstance(given, str) else _listed(given, "keywords"):
        if not isinstance(keyword, str):
            raise InvalidArgument("keywords is a list of texts", argument="keywords")
        words = words_of(keyword)
        if words:
            yield tuple(dict.fromkeys(words))


def _conditions(given: JsonValue) -> Iterator[Condition]:
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise InvalidArgument("filters is an object of fields and values", argument="filters")
    for name, value in given.items():
        wanted = value if isinstance(value, list | tuple) else [value]
        if len(wanted) > MOST_CONDITIONS:
            raise InvalidArgument(
                f"the filter on {brief(name)} has more than {MOST_CONDITIONS} values",
                argument="filters",
            )
        tests = tuple(_test(name, each) for each in wanted)
        yield Condition(_field(name, "filters"), tests)


def _test(name: str, value: JsonValue) -> Test:
    if isinstance(value, str):
        return Equals(_moment(name, value)) if name in OWN_TIMES else _text_test(value)
    if value is None or isinstance(value, bool | int | float):
        return Equals(value)
    if isinstance(value, Mapping) and value:
        bounds = tuple((operator, _bound(name, operator, value[operator])) for operator in value)
        return Within(bounds)
    raise InvalidArgument(
        f"the filter on {brief(name)} is no value, list of values, or range", argument="filters"
    )


def _text_test(text: str) -> Test:
    parts, part = [], []
    characters = iter(text)
    for character in characters:
        if character == ESCAPE:
            following = next(characters, "")
            part.append(following if following in (ANY, ESCAPE) else ESCAPE + following)
        elif character == ANY:
            parts.append("".join(part))
            part = []
        else:
            part.append(character)
    parts.append("".join(part))
    return Like(tuple(parts)) if len(parts) > 1 else Equals(parts[0])


def _bound(name: str, operator: str, value: JsonValue) -> Bound:
    if operator not in BOUNDS:
        raise InvalidArgument(
            f"the filter on {brief(name)} has {brief(operator)}: a range has gt, gte, lt, lte",
            argument="filters",
        )
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidArgument(
            f"the bounds of the filter on {brief(name)} are numbers or texts", argument="filters"
        )
    return _moment(name, value) if name in OWN_TIMES and isinstance(value, str) else value


def _moment(name: str, text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(
            f"the filter on {brief(name)} is no time: write it as 2024-05-01T12:00:00Z",
            argument="filters",
        ) from None
    return microseconds(time if time.tzinfo else time.replace(tzinfo=UTC))


def _orders(given: JsonValue) -> Iterator[Order]:
    if given is None:
        return
    for name in [given] if isinstance(given, str) else _listed(given, "order_by"):
        if not isinstance(name, str):
            raise InvalidArgument("order_by is a field, or a list of them", argument="order_by")
        yield Order(_field(name.removeprefix("-"), "order_by"), name.startswith("-"))


def _field(name: str, argument: str) -> tuple[str, ...]:
    if name in OWN_FIELDS:
        return tuple(name.split("."))
    parts = tuple(name.split("."))
    if not all(parts) or '"' in name or "\0" in name or parts[0] in RESERVED:
        raise InvalidArgument(
            f"{brief(name)} is no field of a manifest, nor one of {', '.join(sorted(OWN_FIELDS))}",
            argument=argument,
        )
    return parts


def _listed(given: JsonValue, argument: str) -> Sequence[JsonValue]:
    if isinstance(given, list | tuple):
        return given
    raise InvalidArgument(f"{argument} is a list", argument=argument)
