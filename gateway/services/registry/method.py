"""The methods of RPC, a row each: names, arguments, and whether they only read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.artifact.value import JsonValue, is_text
from gateway.errors import InvalidArgument

LARGEST = 2**31 - 1


class Kind(Enum):
    """What an argument holds, in JSON's words."""

    TEXT = "string"
    FLAG = "boolean"
    NUMBER = "number"
    INTEGER = "integer"
    MAPPING = "object"
    TEXTS = "array of strings"
    MAPPINGS = "array of objects"
    OPTIONS = "options"


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


@dataclass(frozen=True, slots=True)
class Argument:
    """One keyword argument. `options` are the names that an OPTIONS object may hold."""

    name: str
    kind: Kind
    required: bool = False
    default: JsonValue = None
    options: tuple["Argument", ...] = ()


@dataclass(frozen=True, slots=True)
class Method:
    """One method: `reads` says that it changes nothing."""

    name: str
    reads: bool
    arguments: tuple[Argument, ...]


PREFIX = Argument("prefix", Kind.TEXT, required=True)
FILE_PATH = Argument("file_path", Kind.TEXT, required=True)
PATH = Argument("path", Kind.TEXT, required=True)
STAGE = Argument("stage", Kind.FLAG, default=False)
VERSION = Argument("version", Kind.INTEGER)
SILENT = Argument("silent", Kind.FLAG, default=False)
EXPIRES_IN = Argument("expires_in", Kind.INTEGER)
KEYWORDS = Argument("keywords", Kind.TEXTS)
FILTERS = Argument("filters", Kind.MAPPING)
MODE = Argument("mode", Kind.TEXT, default="AND")
MANIFEST = Argument("manifest", Kind.MAPPING, required=True)

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "create",
            reads=False,
            arguments=(
                PREFIX,
                MANIFEST,
                STAGE,
                Argument("overwrite", Kind.FLAG, default=False),
            ),
        ),
        Method("edit", reads=False, arguments=(PREFIX, Argument("manifest", Kind.MAPPING))),
        Method("commit", reads=False, arguments=(PREFIX, Argument("message", Kind.TEXT))),
        Method("discard", reads=False, arguments=(PREFIX,)),
        Method(
            "delete",
            reads=False,
            arguments=(PREFIX, Argument("recursive", Kind.FLAG, default=False)),
        ),
        Method(
            "put_file",
            reads=False,
            arguments=(
                PREFIX,
                FILE_PATH,
                Argument(
                    "options",
                    Kind.OPTIONS,
                    options=(
                        Argument("download_weight", Kind.NUMBER),
                        EXPIRES_IN,
                        Argument("parts", Kind.INTEGER),
                        Argument("content_type", Kind.TEXT),
                    ),
                ),
            ),
        ),
        Method(
            "complete_file",
            reads=False,
            arguments=(
                PREFIX,
                FILE_PATH,
                Argument("upload_id", Kind.TEXT, required=True),
                Argument("parts", Kind.MAPPINGS, required=True),
            ),
        ),
        Method(
            "get_file",
            reads=True,
            arguments=(
                PREFIX,
                PATH,
                Argument("options", Kind.OPTIONS, options=(SILENT, VERSION, STAGE, EXPIRES_IN)),
            ),
        ),
        Method("remove_file", reads=False, arguments=(PREFIX, FILE_PATH)),
        Method(
            "set_download_weight",
            reads=False,
            arguments=(PREFIX, PATH, Argument("weight", Kind.NUMBER, required=True)),
        ),
        Method("list", reads=True, arguments=(Argument("prefix", Kind.TEXT, default=""), STAGE)),
        Method(
            "children",
            reads=True,
            arguments=(
                PREFIX,
                KEYWORDS,
                FILTERS,
                MODE,
                Argument("order_by", Kind.TEXTS),
                Argument("offset", Kind.INTEGER, default=0),
                Argument("limit", Kind.INTEGER),
                STAGE,
            ),
        ),
        Method("search", reads=True, arguments=(PREFIX, KEYWORDS, FILTERS, MODE)),
        Method(
            "list_files",
            reads=True,
            arguments=(
                PREFIX,
                Argument("path", Kind.TEXT, default=""),
                STAGE,
                VERSION,
                Argument("offset", Kind.INTEGER, default=0),
                Argument("limit", Kind.INTEGER),
            ),
        ),
        Method("read", reads=True, arguments=(PREFIX, STAGE, VERSION, SILENT)),
        Method("versions", reads=True, arguments=(PREFIX,)),
        Method(
            "rollback",
            reads=False,
            arguments=(PREFIX, Argument("version", Kind.INTEGER, required=True)),
        ),
        Method("index", reads=False, arguments=(PREFIX,)),
        Method("reset_stats", reads=False, arguments=(PREFIX,)),
        Method(
            "stats",
            reads=True,
            arguments=(PREFIX, Argument("since", Kind.TEXT), Argument("until", Kind.TEXT)),
        ),
        Method(
            "generate_token",
            reads=False,
            arguments=(Argument("grants", Kind.MAPPING), EXPIRES_IN),
        ),
        Method(
            "keys.create",
            reads=False,
            arguments=(
                Argument("name", Kind.TEXT, required=True),
                Argument("grants", Kind.MAPPING, required=True),
            ),
        ),
        Method("keys.list", reads=True, arguments=()),
        Method(
            "keys.revoke",
            reads=False,
            arguments=(Argument("access_key_id", Kind.TEXT, required=True),),
        ),
    )
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


def options_of(method: str) -> tuple[Argument, ...]:
    """The names that a method's `options` may hold."""
    return next(a.options for a in METHODS[method].arguments if a.kind is Kind.OPTIONS)


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
