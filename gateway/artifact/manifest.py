"""Manifests: read from YAML or JSON, and merged with what the gateway knows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.artifact.document import refusal
from gateway.artifact.json_text import read_json
from gateway.artifact.layout import check_path
from gateway.artifact.value import Fields, JsonValue, brief, lookup
from gateway.artifact.version import Pin
from gateway.artifact.weights import parse_weight, to_number
from gateway.artifact.yaml_text import read_yaml, write_yaml
from gateway.errors import InvalidManifest, InvalidPath, InvalidWeight

COLLECTION = "collection"
SUMMARY_FIELDS = ("id", "name", "description", "type")
# Names in a read manifest that are the gateway's own.
RESERVED = frozenset(
    {"_prefix", "_version", "_created_at", "_modified_at", "_stats", "_child_count", "_stage"}
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An author's manifest: its bytes, and what they say."""

    data: bytes = field(repr=False)
    fields: Fields

    @property
    def type(self) -> str:
        """The artifact's type."""
        return str(self.fields["type"])

    @property
    def collection(self) -> bool:
        """Whether it makes its artifact a collection."""
        return is_collection(self.fields)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """An entry of a manifest's `files`; `weight` in millionths, None where it gives none."""

    path: str
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """An artifact's counters: downloads in millionths, and views."""

    download_micros: int = 0
    views: int = 0

    def shown(self) -> dict[str, JsonValue]:
        """`download_count` and `view_count`."""
        return {"download_count": to_number(self.download_micros), "view_count": self.views}


@dataclass(frozen=True, slots=True)
class Members:
    """A collection's members as its reader may see them: the first summaries, and how many."""

    summaries: Sequence[Fields]
    count: int


def parse(data: bytes, limit: int) -> Manifest:
    """The manifest in `data`, YAML or JSON of at most `limit` bytes.

    InvalidManifest, with `line` and `column` from 1 in its details, when it is not UTF-8, does
    not parse, is not one mapping with a string `type`, repeats a key, has keys that are not
    strings or values that JSON lacks, nests too deep, or its aliases add more than `limit`
    bytes. Dates become ISO 8601 text.
    """
    if len(data) > limit:
        raise InvalidManifest(f"The manifest has {len(data)} bytes; {limit} are allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        at = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise refusal("it is not UTF-8", at) from None
    document = read_json(text) or read_yaml(text, limit)
    if not isinstance(document.fields.get("type"), str):
        at = document.type_at or document.start
        if "type" in document.fields:
            raise refusal("`type` is not a string", at, field="type")
        raise refusal("it has no `type`", at, missing="type")
    return Manifest(data, document.fields)


def lacks_type(error: InvalidManifest) -> bool:
    """Whether `parse` refused only because there is no `type` at all."""
    return error.details.get("missing") == "type"


def render(fields: Fields) -> bytes:
    """YAML that `parse` reads as `fields`, in their order; InvalidManifest if none can be."""
    return write_yaml(fields)


def listed_files(fields: Fields) -> tuple[ListedFile, ...]:
    """The entries of `files`, each path once, in their order; errors as `files_in_turn`."""
    return tuple({file.path: file for file in files_in_turn(fields)}.values())


def files_in_turn(fields: Fields) -> Iterator[ListedFile]:
    """The entries of `files`, one after the other, the same again as often as they are listed.

    InvalidManifest for an entry that is neither a string nor a mapping with `path`, or two of
    one path with different weights; InvalidPath and InvalidWeight name the entry.
    """
    entries = fields.get("files")
    if entries is None:
        return
    if not isinstance(entries, list):
        raise InvalidManifest("`files` is not a list", field="files")
    listed: dict[str, ListedFile] = {}
    for index, entry in enumerate(entries):
        file = _listed_file(entry, index)
        first = listed.setdefault(file.path, file)
        if first is not file and first != file:
            where = f"files[{index}]"
            message = f"{where} lists {brief(file.path)} again, with another weight"
            raise InvalidManifest(message, field=where)
        yield first


def _listed_file(entry: JsonValue, index: int) -> ListedFile:
    path, weight = entry, None
    if isinstance(entry, Mapping):
        path, weight = entry.get("path"), entry.get("download_weight")
    if not isinstance(path, str):
        where = f"files[{index}]"
        message = f"{where} is neither a path nor a mapping with a `path`"
        raise InvalidManifest(message, field=where)
    try:
        return ListedFile(check_path(path), None if weight is None else parse_weight(weight))
    except (InvalidPath, InvalidWeight) as error:
        where = f"files[{index}]"
        raise type(error)(f"{where}: {error.message}", field=where) from None


def is_collection(fields: Fields) -> bool:
    """Whether `type` is `collection`."""
    return fields.get("type") == COLLECTION


def collection_schema(fields: Fields) -> JsonValue:
    """The schema that a collection enforces; None where it has none (or is no collection)."""
    return fields.get("collection_schema") if is_collection(fields) else None


def summary_fields(fields: Fields) -> tuple[str, ...]:
    """Dotted names of what a member's summary shows; id, name, description, type unless said."""
    names = fields.get("summary_fields")
    if not isinstance(names, list):
        return SUMMARY_FIELDS
    return tuple(name for name in names if isinstance(name, str))


def check_collection(fields: Fields) -> None:
    """Nothing; InvalidManifest when `summary_fields` is there but is no list of names."""
    names = fields.get("summary_fields")
    if names is None:
        return
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        message = "`summary_fields` is not a list of names of fields"
        raise InvalidManifest(message, field="summary_fields")


def summary(
    fields: Fields, names: Iterable[str], prefix: str, stats: Stats
) -> dict[str, JsonValue]:
    """A member's summary: `_prefix`, the fields under dotted `names` that exist, `_stats`.

    A dotted name keeps its nesting: `author.name` gives {"author": {"name": …}}.
    """
    wanted = dict.fromkeys(tuple(name.split(".")) for name in names)
    shown: dict[str, JsonValue] = {"_prefix": prefix}
    for path in wanted:
        # `author` holds `author.name` already.
        covered = any(path[:length] in wanted for length in range(1, len(path)))
        value = lookup(fields, ".".join(path))
        if covered or value is None or path[0] in RESERVED:
            continue
        inner: dict[str, JsonValue] = shown
        for part in path[:-1]:
            below = inner.setdefault(part, {})
            inner = below if isinstance(below, dict) else {}
        inner[path[-1]] = value
    shown["_stats"] = stats.shown()
    return shown


def listing(pin: Pin) -> dict[str, JsonValue]:
    """A file as listings show it: path, size, etag, last_modified, type and weight."""
    return {
        "path": pin.path,
        "size": pin.size,
        "etag": pin.etag,
        "last_modified": _time(pin.last_modified),
        "content_type": pin.content_type,
        "download_weight": to_number(pin.weight),
    }


def with_files(fields: Fields, files: Sequence[JsonValue]) -> dict[str, JsonValue]:
    """`fields` as a schema sees them: with `files`, unless the author lists some.

    They are the `listing` of each pin.
    """
    return dict(fields) if fields.get("files") else {**fields, "files": files}


def merged(  # noqa: PLR0913 (what the gateway knows of an artifact is this much)
    fields: Fields,
    files: Sequence[JsonValue],
    *,
    prefix: str,
    version: int | None,
    created_at: datetime | None,
    modified_at: datetime | None,
    stats: Stats,
    members: Members | None = None,
    stage: Mapping[str, JsonValue] | None = None,
) -> dict[str, JsonValue]:
    """What reading the manifest returns: the author's fields, and what the gateway knows.

    Names of the gateway's own (`RESERVED`) never come from the author. `members` sets
    `collection` and `_child_count`; `stage` sets `_stage`.
    """
    shown = {name: value for name, value in fields.items() if name not in RESERVED}
    shown = with_files(shown, files)
    if members is not None:
        shown["collection"] = list(members.summaries)
        shown["_child_count"] = members.count
    shown["_prefix"] = prefix
    shown["_version"] = version
    shown["_created_at"] = _time(created_at)
    shown["_modified_at"] = _time(modified_at)
    shown["_stats"] = stats.shown()
    if stage is not None:
        shown["_stage"] = dict(stage)
    return shown


def _time(time: datetime | None) -> str | None:
    """ISO 8601 in UTC, as `2024-05-01T12:00:00Z`."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")
