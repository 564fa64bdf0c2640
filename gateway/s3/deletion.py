"""The documents of DeleteObjects: what shall go, and what went."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from gateway.errors import KeyTooLong, MalformedXML
from gateway.s3.address import KEY_BYTES
from gateway.s3.xml import document, element, parse, wrap

MAX_ENTRIES = 1000
"""How many objects one DeleteObjects may name, in S3."""

_FIELDS = frozenset(("Key", "VersionId", "ETag", "LastModifiedTime", "Size"))


@dataclass(frozen=True, slots=True)
class DeleteEntry:
    """One object to delete; `etag`, `last_modified` and `size` are conditions, as written."""

    key: str
    version_id: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """A DeleteObjects body; `quiet` answers failures only."""

    entries: tuple[DeleteEntry, ...]
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Deleted:
    """An object that went; `marker` says that the request made or removed a delete marker."""

    key: str
    version_id: str | None = None
    marker: bool = False
    marker_version_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteFailure:
    """An object that did not go, and why."""

    key: str
    version_id: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """What a DeleteObjects did, entry by entry."""

    deleted: tuple[Deleted, ...] = ()
    failures: tuple[DeleteFailure, ...] = ()


def parse_delete(body: bytes) -> DeleteRequest:
    """The entries of a Delete document; MalformedXML where it is none, KeyTooLong.

    Also what readers of XML take in different ways is none: an element that is not S3's or is
    there twice, a name with a prefix, text with elements in it. How many entries there may be is
    for whoever deletes them to say.
    """
    root = parse(body)
    flags = [item for item in root if item.tag == "Quiet"]
    objects = [item for item in root if item.tag == "Object"]
    known = len(root) == len(flags) + len(objects) and len(flags) <= 1
    if root.tag != "Delete" or not known or any(len(flag) for flag in flags):
        raise MalformedXML("A Delete document holds objects, and one Quiet.")
    return DeleteRequest(tuple(map(_entry, objects)), _flag(root, "Quiet"))


def render_delete(request: DeleteRequest) -> bytes:
    """The Delete document of these entries."""
    return document(
        "Delete",
        *(
            wrap(
                "Object",
                element("Key", entry.key),
                element("VersionId", entry.version_id),
                element("ETag", entry.etag),
                element("LastModifiedTime", entry.last_modified),
                element("Size", entry.size),
            )
            for entry in request.entries
        ),
        element("Quiet", request.quiet or None),
    )


def parse_delete_result(body: bytes) -> DeleteResult:
    """What the backend's DeleteResult says; MalformedXML."""
    root = parse(body)
    if root.tag != "DeleteResult":
        raise MalformedXML("This is no DeleteResult.")
    return DeleteResult(
        deleted=tuple(
            Deleted(
                key=item.findtext("Key", ""),
                version_id=item.findtext("VersionId") or None,
                marker=_flag(item, "DeleteMarker"),
                marker_version_id=item.findtext("DeleteMarkerVersionId") or None,
            )
            for item in root.iterfind("Deleted")
        ),
        failures=tuple(
            DeleteFailure(
                key=item.findtext("Key", ""),
                version_id=item.findtext("VersionId") or None,
                code=item.findtext("Code", ""),
                message=item.findtext("Message", ""),
            )
            for item in root.iterfind("Error")
        ),
    )


def render_delete_result(result: DeleteResult) -> bytes:
    """The DeleteResult document of these outcomes."""
    return document(
        "DeleteResult",
        *(
            wrap(
                "Deleted",
                element("Key", item.key),
                element("VersionId", item.version_id),
                element("DeleteMarker", item.marker or None),
                element("DeleteMarkerVersionId", item.marker_version_id),
            )
            for item in result.deleted
        ),
        *(
            wrap(
                "Error",
                element("Key", item.key),
                element("VersionId", item.version_id),
                element("Code", item.code),
                element("Message", item.message),
            )
            for item in result.failures
        ),
    )


def _entry(item: Element) -> DeleteEntry:
    names = [field.tag for field in item]
    if len(set(names)) != len(names) or not _FIELDS.issuperset(names):
        raise MalformedXML(f"An object of a Delete document has each of {sorted(_FIELDS)} once.")
    if any(len(field) for field in item):
        raise MalformedXML("What an object of a Delete document holds is text.")
    key = item.findtext("Key", "")
    if not key:
        raise MalformedXML("An object of a Delete document has no key.")
    if len(key.encode()) > KEY_BYTES:
        raise KeyTooLong("Your key is too long.", MaxSizeAllowed=KEY_BYTES)
    return DeleteEntry(
        key=key,
        version_id=item.findtext("VersionId") or None,
        etag=item.findtext("ETag"),
        last_modified=item.findtext("LastModifiedTime"),
        size=item.findtext("Size"),
    )


def _flag(parent: Element, name: str) -> bool:
    return parent.findtext(name, "").strip().lower() in ("true", "1")
