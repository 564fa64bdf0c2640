"""The methods of RPC, a row each: names, arguments, and whether they only read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.artifact.value import JsonValue

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


def options_of(method: str) -> tuple[Argument, ...]:
    """The names that a method's `options` may hold."""
    return next(a.options for a in METHODS[method].arguments if a.kind is Kind.OPTIONS)
