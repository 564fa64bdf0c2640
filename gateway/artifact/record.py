"""Records in the system area: what they hold, and their JSON.

Every record says its format and what it is about: its key holds a digest, which can't be read back.
The JSON of equal records is equal byte for byte.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from gateway.artifact.value import Fields
from gateway.artifact.version import ManifestObject, Pin, Record

FORMAT = 1
PINS = 100


class UnreadableRecord(ValueError):
    """A record in the system area is damaged, or of a format that this program does not know."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A file that `put_file` announced in a stage; `weight` in millionths, None if not given."""

    prefix: str
    path: str
    weight: int | None
    stage_id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class WeightChange:
    """A committed file's weight as `set_download_weight` set it, in millionths.

    `version` was current then: it counts for that one's pin. Later records hold what became of it.
    """

    prefix: str
    path: str
    weight: int
    version: int
    time: datetime


@dataclass(frozen=True, slots=True)
class WorkspaceRecord:
    """A workspace; `created_by` is the access key that made it at run time, else None."""

    id: str
    name: str
    bucket: str
    prefix: str
    created_at: datetime
    created_by: str | None = None


def encode(record: Record) -> bytes:
    """The JSON of a commit record or tombstone."""
    return b"".join(pieces(record))


def pieces(record: Record) -> Iterator[bytes]:
    """As `encode`, in pieces that each take little time."""
    manifest = None
    if record.manifest:
        data = base64.b64encode(record.manifest.data).decode()
        manifest = {"data": data, "headers": dict(record.manifest.headers)}
    head = {
        "workspace_id": record.workspace_id,
        "prefix": record.prefix,
        "number": record.number,
        "parent": record.parent,
        "author": record.author,
        "time": record.time,
        "message": record.message,
        "manifest": manifest,
        "staged_manifest": record.staged_manifest,
        "manifest_version": record.manifest_version,
    }
    yield _dump(head)[:-1] + b',"pins":['
    for start in range(0, len(record.pins), PINS):
        pins = [_pin_fields(pin) for pin in record.pins[start : start + PINS]]
        yield (b"," if start else b"") + _json(pins)[1:-1]
    yield b"]}"


def _pin_fields(pin: Pin) -> dict[str, object]:
    return {
        "path": pin.path,
        "size": pin.size,
        "etag": pin.etag,
        "version_id": pin.version_id,
        "last_modified": _text(pin.last_modified),
        "content_type": pin.content_type,
        "weight": pin.weight,
    }


def decode(data: bytes) -> Record:
    """The record that `encode` wrote; UnreadableRecord."""
    source = _Source.load(data)
    manifest = source.inner("manifest")
    return Record(
        workspace_id=source.text("workspace_id"),
        prefix=source.text("prefix"),
        number=source.number("number"),
        parent=source.number("parent"),
        author=source.text("author"),
        time=source.time("time"),
        message=source.text_or_none("message"),
        manifest=None if manifest is None else _manifest(manifest),
        pins=tuple(map(_pin, source.list("pins"))),
        staged_manifest=source.text_or_none("staged_manifest"),
        manifest_version=source.text_or_none("manifest_version"),
    )


def encode_announcement(announcement: Announcement) -> bytes:
    """The JSON of an announcement."""
    # Field by field: `asdict` took longer than all the rest of it.
    return _dump(
        {
            "prefix": announcement.prefix,
            "path": announcement.path,
            "weight": announcement.weight,
            "stage_id": announcement.stage_id,
            "time": announcement.time,
        }
    )


def decode_announcement(data: bytes) -> Announcement:
    """The announcement that `encode_announcement` wrote; UnreadableRecord."""
    source = _Source.load(data)
    return Announcement(
        prefix=source.text("prefix"),
        path=source.text("path"),
        weight=None if source.fields.get("weight") is None else source.number("weight"),
        stage_id=source.text("stage_id"),
        time=source.time("time"),
    )


def encode_weight(change: WeightChange) -> bytes:
    """The JSON of a weight change."""
    return _dump(asdict(change))


def decode_weight(data: bytes) -> WeightChange:
    """The weight change that `encode_weight` wrote; UnreadableRecord."""
    source = _Source.load(data)
    return WeightChange(
        prefix=source.text("prefix"),
        path=source.text("path"),
        weight=source.number("weight"),
        version=source.number("version"),
        time=source.time("time"),
    )


def encode_workspace(workspace: WorkspaceRecord) -> bytes:
    """The JSON of a workspace's record."""
    return _dump(asdict(workspace))


def decode_workspace(data: bytes) -> WorkspaceRecord:
    """The workspace that `encode_workspace` wrote; UnreadableRecord."""
    source = _Source.load(data)
    return WorkspaceRecord(
        id=source.text("id"),
        name=source.text("name"),
        bucket=source.text("bucket"),
        prefix=source.text("prefix"),
        created_at=source.time("created_at"),
        created_by=source.text_or_none("created_by"),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """A JSON object whose values are taken by name and type; UnreadableRecord otherwise."""

    fields: Fields

    @classmethod
    def load(cls, data: bytes) -> "_Source":
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError):
            raise UnreadableRecord("A record is not JSON") from None
        if not isinstance(fields, dict):
            raise UnreadableRecord("A record is not an object")
        if fields.get("format") != FORMAT:
            found = fields.get("format")
            raise UnreadableRecord(f"A record has format {found!r}; this program knows {FORMAT}")
        return cls(fields)

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise UnreadableRecord(f"A record's {name} is not text")
        return value

    def text_or_none(self, name: str) -> str | None:
        return None if self.fields.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        value = self.fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise UnreadableRecord(f"A record's {name} is not a whole number")
        return value

    def time(self, name: str) -> datetime:
        try:
            time = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise UnreadableRecord(f"A record's {name} is no time") from None
        if time.tzinfo is None:
            raise UnreadableRecord(f"A record's {name} has no time zone")
        return time

    def inner(self, name: str) -> "_Source | None":
        value = self.fields.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise UnreadableRecord(f"A record's {name} is not an object")
        return _Source(value)

    def list(self, name: str) -> "list[_Source]":
        value = self.fields.get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UnreadableRecord(f"A record's {name} is not a list of objects")
        return [_Source(item) for item in value if isinstance(item, dict)]


def _manifest(source: _Source) -> ManifestObject:
    headers = source.inner("headers") or _Source({})
    try:
        data = base64.b64decode(source.text("data"), validate=True)
    except binascii.Error:
        raise UnreadableRecord("A record's manifest is not base64") from None
    return ManifestObject(data, {name: headers.text(name) for name in headers.fields})


def _pin(source: _Source) -> Pin:
    return Pin(
        path=source.text("path"),
        size=source.number("size"),
        etag=source.text("etag"),
        version_id=source.text_or_none("version_id"),
        last_modified=source.time("last_modified"),
        content_type=source.text("content_type"),
        weight=source.number("weight"),
    )


def _dump(fields: Mapping[str, object]) -> bytes:
    return _json({"format": FORMAT, **fields})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_text).encode()


def _text(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} is no value of a record")
    return value.astimezone(UTC).isoformat()
