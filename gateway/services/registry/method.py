"""The methods: one definition, of which doors, clients, OpenAPI and the reference are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from gateway.identity import Right
from gateway.services.registry.argument import Argument, Kind


class Shape(Enum):
    """What a method returns; `web/openapi` says each as a JSON Schema."""

    NOTHING = auto()
    TEXT = auto()
    TEXTS = auto()
    URL = auto()
    UPLOAD = auto()
    MANIFEST = auto()
    COMMIT = auto()
    FILE = auto()
    FILES = auto()
    PAGE = auto()
    MEMBERS = auto()
    VERSIONS = auto()
    INDEXED = auto()
    STATS = auto()
    NEW_KEY = auto()
    KEYS = auto()


@dataclass(frozen=True, slots=True)
class Method:
    """One method, and a sentence on it.

    `right` is what it needs in the workspace; what is public is read without. `reads` says that it
    changes nothing.
    """

    name: str
    right: Right
    about: str
    arguments: tuple[Argument, ...]
    returns: Shape
    reads: bool = False


def _reading(name: str, about: str, returns: Shape, *arguments: Argument) -> Method:
    return Method(name, Right.READ, about, arguments, returns, reads=True)


def _writing(name: str, about: str, returns: Shape, *arguments: Argument) -> Method:
    return Method(name, Right.WRITE, about, arguments, returns)


def _administering(
    name: str, about: str, returns: Shape, *arguments: Argument, reads: bool = False
) -> Method:
    return Method(name, Right.ADMIN, about, arguments, returns, reads=reads)


PREFIX = Argument("prefix", Kind.TEXT, "the artifact's path in its workspace", required=True)
FILE_PATH = Argument("file_path", Kind.TEXT, "the file's path in the artifact", required=True)
PATH = Argument("path", Kind.TEXT, "the file's path in the artifact", required=True)
MANIFEST = Argument("manifest", Kind.MAPPING, "of which `type` is mandatory", required=True)
STAGE = Argument("stage", Kind.FLAG, "the open edit, not the last commit", default=False)
VERSION = Argument("version", Kind.INTEGER, "a version instead of the last commit")
SILENT = Argument("silent", Kind.FLAG, "count nothing", default=False)
EXPIRES_IN = Argument("expires_in", Kind.INTEGER, "for how many seconds it is good; else 3600")
KEYWORDS = Argument("keywords", Kind.TEXTS, "beginnings of words in a member's manifest or prefix")
FILTERS = Argument("filters", Kind.MAPPING, "a dotted field to a value, a list, or a range")
MODE = Argument("mode", Kind.TEXT, "AND: everything is met; OR: something is", default="AND")
OFFSET = Argument("offset", Kind.INTEGER, "how many to leave out", default=0)
LIMIT = Argument("limit", Kind.INTEGER, "how many at most")
GRANTS = "workspace, or `*`, to `read`, `write` or `admin`"
WEIGHT = "what one download adds to the count: 0 to 1,000,000, at most 6 decimal places"

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _writing(
            "create",
            "Makes an artifact, and commits it unless it is to be staged.",
            Shape.MANIFEST,
            PREFIX,
            MANIFEST,
            Argument("stage", Kind.FLAG, "leave it staged", default=False),
            Argument("overwrite", Kind.FLAG, "begin anew where an artifact is", default=False),
        ),
        _writing(
            "edit",
            "Opens an edit, or replaces the staged manifest.",
            Shape.MANIFEST,
            PREFIX,
            Argument("manifest", Kind.MAPPING, "the new manifest; without, the one that is there"),
        ),
        _writing(
            "commit",
            "Makes the stage what everybody reads: the next version.",
            Shape.COMMIT,
            PREFIX,
            Argument("message", Kind.TEXT, "what the history says of it"),
        ),
        _writing("discard", "Takes the stage away; the last commit stays.", Shape.NOTHING, PREFIX),
        _writing(
            "delete",
            "Deletes an artifact.",
            Shape.NOTHING,
            PREFIX,
            Argument("recursive", Kind.FLAG, "a collection's members, too", default=False),
        ),
        _writing(
            "put_file",
            "Gives a URL to PUT a file to, or one for each of its parts; commit demands the file.",
            Shape.UPLOAD,
            PREFIX,
            FILE_PATH,
            Argument(
                "options",
                Kind.OPTIONS,
                "how it is put",
                options=(
                    Argument("download_weight", Kind.NUMBER, WEIGHT),
                    EXPIRES_IN,
                    Argument("parts", Kind.INTEGER, "in how many parts, 1 to 10,000"),
                    Argument("content_type", Kind.TEXT, "its type, where it comes in parts"),
                ),
            ),
        ),
        _writing(
            "complete_file",
            "Joins the parts of a file that `put_file` gave URLs for.",
            Shape.FILE,
            PREFIX,
            FILE_PATH,
            Argument("upload_id", Kind.TEXT, "as `put_file` said", required=True),
            Argument("parts", Kind.MAPPINGS, "each `part_number` and `etag`", required=True),
        ),
        _reading(
            "get_file",
            "Gives a URL to GET a file from.",
            Shape.URL,
            PREFIX,
            PATH,
            Argument(
                "options",
                Kind.OPTIONS,
                "which state, and for how long",
                options=(SILENT, VERSION, STAGE, EXPIRES_IN),
            ),
        ),
        _writing("remove_file", "Stages a file's removal.", Shape.NOTHING, PREFIX, FILE_PATH),
        _writing(
            "set_download_weight",
            "Gives a committed file another weight, at once.",
            Shape.NOTHING,
            PREFIX,
            PATH,
            Argument("weight", Kind.NUMBER, WEIGHT, required=True),
        ),
        _reading(
            "list",
            "Names what is directly below a path: artifacts, and what leads to some.",
            Shape.TEXTS,
            Argument("prefix", Kind.TEXT, "a path; without, the workspace", default=""),
            Argument("stage", Kind.FLAG, "those with an open edit alone", default=False),
        ),
        _reading(
            "children",
            "Gives a page of a collection's members.",
            Shape.PAGE,
            PREFIX,
            KEYWORDS,
            FILTERS,
            MODE,
            Argument("order_by", Kind.TEXTS, "fields, `-` before one turns it round"),
            OFFSET,
            LIMIT,
            Argument("stage", Kind.FLAG, "members with an open edit alone", default=False),
        ),
        _reading(
            "search",
            "Finds members of a collection.",
            Shape.MEMBERS,
            PREFIX,
            KEYWORDS,
            FILTERS,
            MODE,
        ),
        _reading(
            "list_files",
            "Lists files and folders directly below a path of an artifact.",
            Shape.FILES,
            PREFIX,
            Argument("path", Kind.TEXT, "a folder; without, the artifact", default=""),
            STAGE,
            VERSION,
            OFFSET,
            LIMIT,
        ),
        _reading(
            "read",
            "Reads a manifest, with what the gateway knows of the artifact.",
            Shape.MANIFEST,
            PREFIX,
            STAGE,
            VERSION,
            SILENT,
        ),
        _reading("versions", "Lists an artifact's commits, newest first.", Shape.VERSIONS, PREFIX),
        _writing(
            "rollback",
            "Makes a new version that equals an old one.",
            Shape.COMMIT,
            PREFIX,
            Argument("version", Kind.INTEGER, "the old one", required=True),
        ),
        _writing(
            "index",
            "Writes a collection's members into its own manifest, as a commit.",
            Shape.INDEXED,
            PREFIX,
        ),
        _administering("reset_stats", "Sets an artifact's counters to 0.", Shape.NOTHING, PREFIX),
        _reading(
            "stats",
            "Reports downloads over time, of an artifact and of each of its files.",
            Shape.STATS,
            PREFIX,
            Argument("since", Kind.TEXT, "the first day, such as 2025-06-07"),
            Argument("until", Kind.TEXT, "the last day"),
        ),
        _administering(
            "generate_token",
            "Gives a bearer token.",
            Shape.TEXT,
            Argument("grants", Kind.MAPPING, f"{GRANTS}; without, what the caller holds"),
            EXPIRES_IN,
        ),
        _administering(
            "keys.create",
            "Makes an access key, and shows its secret this once.",
            Shape.NEW_KEY,
            Argument("name", Kind.TEXT, "what histories and logs call it", required=True),
            Argument("grants", Kind.MAPPING, GRANTS, required=True),
        ),
        _administering(
            "keys.list", "Lists the keys that the caller administers.", Shape.KEYS, reads=True
        ),
        _administering(
            "keys.revoke",
            "Ends a key, and with it its tokens and its URLs.",
            Shape.NOTHING,
            Argument("access_key_id", Kind.TEXT, "the key's id", required=True),
        ),
    )
}


def options_of(method: str) -> tuple[Argument, ...]:
    """The names that a method's `options` may hold."""
    return next(a.options for a in METHODS[method].arguments if a.kind is Kind.OPTIONS)
