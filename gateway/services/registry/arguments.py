"""The arguments of a call, held against their method's row."""

from collections.abc import Mapping, Sequence

from gateway.artifact.value import JsonValue, is_text
from gateway.errors import InvalidArgument
from gateway.services.registry.argument import LARGEST, Argument, Kind

SPELLED = {
    Kind.TEXT: "a string",
    Kind.FLAG: "true or false",
    Kind.NUMBER: "a number",
    Kind.INTEGER: f"a whole number from 0 to {LARGEST}",
    Kind.MAPPING: "an object",
    Kind.TEXTS: "a list of strings, or one",
    Kind.MAPPINGS: "a list of objects",
    Kind.OPTIONS: "an object",
}

TYPES: Mapping[Kind, type | tuple[type, ...]] = {
    Kind.TEXT: str,
    Kind.FLAG: bool,
    # Weights may come as decimals in text; their own parser says what is wrong with one.
    Kind.NUMBER: (int, float, str),
    Kind.MAPPING: Mapping,
    Kind.OPTIONS: Mapping,
}


class Arguments:
    """A call's arguments, checked against its method's row: InvalidArgument names what is off."""

    def __init__(
        self, method: str, row: tuple[Argument, ...], given: Mapping[str, JsonValue]
    ) -> None:
        known = {argument.name: argument for argument in row}
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "no arguments"
                raise InvalidArgument(
                    f"{method} has no argument {name!r}; it takes {takes}", argument=name
                )
        self._method = method
        self._values = {name: self._value(row, given) for name, row in known.items()}

    def _value(self, row: Argument, given: Mapping[str, JsonValue]) -> JsonValue:
        value = given.get(row.name)
        if value is None:
            if row.required:
                raise InvalidArgument(
                    f"{self._method} needs the argument {row.name!r}", argument=row.name
                )
            return row.default
        if not _is_text(value):
            raise InvalidArgument(
                f"{row.name!r} of {self._method} holds what is no text: a NUL or half a surrogate",
                argument=row.name,
            )
        if not _fits(row.kind, value):
            raise InvalidArgument(
                f"{row.name!r} of {self._method} is {SPELLED[row.kind]}", argument=row.name
            )
        return value

    def text(self, name: str) -> str:
        """A string."""
        value = self._values[name]
        return value if isinstance(value, str) else ""

    def text_or_none(self, name: str) -> str | None:
        """A string, or None where it was left out."""
        value = self._values[name]
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """A boolean."""
        return self._values[name] is True

    def integer(self, name: str) -> int | None:
        """A whole number, or None where it was left out."""
        value = self._values[name]
        return value if isinstance(value, int) else None

    def mapping(self, name: str) -> Mapping[str, JsonValue] | None:
        """An object, or None where it was left out."""
        value = self._values[name]
        return value if isinstance(value, Mapping) else None

    def listed(self, name: str) -> Sequence[JsonValue]:
        """A list; empty where it was left out."""
        value = self._values[name]
        return value if isinstance(value, list) else []

    def has(self, name: str) -> bool:
        """Whether the method takes this argument."""
        return name in self._values

    def value(self, name: str) -> JsonValue:
        """Whatever was given, or the default."""
        return self._values[name]

    def options(self, name: str, row: tuple[Argument, ...]) -> "Arguments":
        """The object of an OPTIONS argument, checked like arguments of its own."""
        return Arguments(f"{self._method}'s {name}", row, self.mapping(name) or {})


def _is_text(value: JsonValue) -> bool:
    """Whether a string, if it is one, is text that every part of the system can hold."""
    if not isinstance(value, str):
        return True  # manifests have a reader of their own
    return is_text(value)


def _fits(kind: Kind, value: JsonValue) -> bool:
    if kind is Kind.TEXTS:
        return all(
            isinstance(each, str) for each in (value if isinstance(value, list) else [value])
        )
    if kind is Kind.MAPPINGS:
        return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)
    if isinstance(value, bool):
        return kind is Kind.FLAG
    if kind is Kind.INTEGER:
        return isinstance(value, int) and 0 <= value <= LARGEST
    return isinstance(value, TYPES[kind])
