"""Listings of objects and versions, as values."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote_plus
from xml.etree.ElementTree import Element

from gateway.errors import MalformedXML
from gateway.s3.xml import document, element, parse, wrap

_LISTING_BYTES = 1 << 25
_ENCODING = "url"


class ListingKind(Enum):
    """Which listing a document is."""

    OBJECTS = "ListObjects"
    OBJECTS_V2 = "ListObjectsV2"
    VERSIONS = "ListObjectVersions"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who the backend says owns an object."""

    id: str
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object or version of a listing; times and ETags as the backend writes them.

    `version_id` and `is_latest` are of version listings; a delete marker has no size or ETag.
    """

    key: str
    last_modified: str
    etag: str = ""
    size: int = 0
    storage_class: str = "STANDARD"
    owner: Owner | None = None
    checksum_algorithms: tuple[str, ...] = ()
    checksum_type: str | None = None
    version_id: str | None = None
    is_latest: bool = False
    delete_marker: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing, names decoded; what a page does not say is None.

    `marker` and `next_marker` are Marker/NextMarker, or KeyMarker/NextKeyMarker of versions.
    `url_encoded` says that names are written percent-encoded. Whoever asked knows prefix and
    markers better: SeaweedFS says `EncodingType` and repeats them unencoded.
    """

    kind: ListingKind
    name: str
    prefix: str = ""
    max_keys: int = 1000
    truncated: bool = False
    delimiter: str | None = None
    marker: str | None = None
    next_marker: str | None = None
    version_marker: str | None = None
    next_version_marker: str | None = None
    start_after: str | None = None
    token: str | None = None
    next_token: str | None = None
    url_encoded: bool = False
    entries: tuple[Entry, ...] = ()
    common_prefixes: tuple[str, ...] = ()


def parse_listing(body: bytes) -> Listing:
    """The page that a ListBucketResult or ListVersionsResult holds; MalformedXML otherwise."""
    root = parse(body, _LISTING_BYTES)
    encoded = root.findtext("EncodingType", "").strip() == _ENCODING
    try:
        return _listing(root, _decoded if encoded else str, encoded=encoded)
    except ValueError as error:
        raise MalformedXML("The listing holds a value that can't be read.") from error


def render_listing(listing: Listing) -> bytes:
    """The document of a page, in S3's order of elements; KeyCount is counted."""
    spell = _encoded if listing.url_encoded else _as_is
    root = "ListBucketResult"
    if listing.kind is ListingKind.VERSIONS:
        root, head = "ListVersionsResult", _versions_head(listing, spell)
    elif listing.kind is ListingKind.OBJECTS_V2:
        head = _v2_head(listing, spell)
    else:
        head = (
            element("Marker", spell(listing.marker or "")),
            element("NextMarker", spell(listing.next_marker)),
        )
    return document(
        root,
        element("Name", listing.name),
        element("Prefix", spell(listing.prefix)),
        *head,
        element("MaxKeys", listing.max_keys),
        element("Delimiter", spell(listing.delimiter)),
        element("EncodingType", _ENCODING if listing.url_encoded else None),
        element("IsTruncated", listing.truncated),
        *(_rendered(entry, listing.kind, spell) for entry in listing.entries),
        *(
            wrap("CommonPrefixes", element("Prefix", spell(prefix)))
            for prefix in listing.common_prefixes
        ),
    )


_Spelling = Callable[[str | None], str | None]


def _listing(root: Element, decode: Callable[[str], str], *, encoded: bool) -> Listing:
    def named(tag: str) -> str | None:
        text = root.findtext(tag)
        return None if text is None else decode(text)

    kind = _kind(root)
    versions = kind is ListingKind.VERSIONS
    tags = ("Version", "DeleteMarker") if versions else ("Contents",)
    return Listing(
        kind=kind,
        name=root.findtext("Name", ""),
        prefix=named("Prefix") or "",
        max_keys=int(root.findtext("MaxKeys", "1000")),
        truncated=_is_true(root.findtext("IsTruncated")),
        delimiter=named("Delimiter"),
        marker=named("KeyMarker" if versions else "Marker"),
        next_marker=named("NextKeyMarker" if versions else "NextMarker"),
        version_marker=root.findtext("VersionIdMarker"),
        next_version_marker=root.findtext("NextVersionIdMarker"),
        start_after=named("StartAfter"),
        token=root.findtext("ContinuationToken"),
        next_token=root.findtext("NextContinuationToken"),
        url_encoded=encoded,
        entries=tuple(_entry(item, decode) for item in root if item.tag in tags),
        common_prefixes=tuple(
            decode(item.findtext("Prefix", "")) for item in root.iterfind("CommonPrefixes")
        ),
    )


def _kind(root: Element) -> ListingKind:
    if root.tag == "ListVersionsResult":
        return ListingKind.VERSIONS
    if root.tag != "ListBucketResult":
        raise MalformedXML("This is no listing.")
    second = ("KeyCount", "StartAfter", "ContinuationToken", "NextContinuationToken")
    if any(root.find(tag) is not None for tag in second):
        return ListingKind.OBJECTS_V2
    return ListingKind.OBJECTS


def _entry(item: Element, decode: Callable[[str], str]) -> Entry:
    texts = {child.tag: child.text or "" for child in item}
    owner = item.find("Owner") if "Owner" in texts else None
    algorithms = item.iterfind("ChecksumAlgorithm") if "ChecksumAlgorithm" in texts else ()
    return Entry(
        key=decode(texts.get("Key", "")),
        last_modified=texts.get("LastModified", ""),
        etag=texts.get("ETag", ""),
        size=int(texts.get("Size", "0")),
        storage_class=texts.get("StorageClass", "STANDARD"),
        owner=None
        if owner is None
        else Owner(owner.findtext("ID", ""), owner.findtext("DisplayName", "")),
        checksum_algorithms=tuple(found.text or "" for found in algorithms),
        checksum_type=texts.get("ChecksumType"),
        version_id=texts.get("VersionId"),
        is_latest=_is_true(texts.get("IsLatest")),
        delete_marker=item.tag == "DeleteMarker",
    )


def _versions_head(listing: Listing, spell: _Spelling) -> tuple[str, ...]:
    return (
        element("KeyMarker", spell(listing.marker or "")),
        element("VersionIdMarker", listing.version_marker or ""),
        element("NextKeyMarker", spell(listing.next_marker)),
        element("NextVersionIdMarker", listing.next_version_marker),
    )


def _v2_head(listing: Listing, spell: _Spelling) -> tuple[str, ...]:
    return (
        element("StartAfter", spell(listing.start_after)),
        element("ContinuationToken", listing.token),
        element("NextContinuationToken", listing.next_token),
        element("KeyCount", len(listing.entries) + len(listing.common_prefixes)),
    )


def _rendered(entry: Entry, kind: ListingKind, spell: _Spelling) -> str:
    versions = kind is ListingKind.VERSIONS
    owner = entry.owner and wrap(
        "Owner", element("ID", entry.owner.id), element("DisplayName", entry.owner.display_name)
    )
    stored = (
        ()
        if entry.delete_marker
        else (
            element("ETag", entry.etag),
            *(element("ChecksumAlgorithm", name) for name in entry.checksum_algorithms),
            element("ChecksumType", entry.checksum_type),
            element("Size", entry.size),
            element("StorageClass", entry.storage_class),
        )
    )
    return wrap(
        "DeleteMarker" if entry.delete_marker else "Version" if versions else "Contents",
        element("Key", spell(entry.key)),
        element("VersionId", entry.version_id if versions else None),
        element("IsLatest", entry.is_latest if versions else None),
        element("LastModified", entry.last_modified),
        *stored,
        owner or "",
    )


def _is_true(text: str | None) -> bool:
    return text is not None and text.strip().lower() == "true"


def _decoded(text: str) -> str:
    """A name as `encoding-type=url` writes it: "+" is a space, as AWS and SeaweedFS write it."""
    return unquote_plus(text, errors="strict")


def _encoded(name: str | None) -> str | None:
    return None if name is None else quote(name, safe="/")


def _as_is(name: str | None) -> str | None:
    return name
