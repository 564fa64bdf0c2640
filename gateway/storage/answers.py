"""What the backend's answers say: XML documents and headers, read into values."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, ParseError, fromstring

from gateway.s3.parts import Part
from gateway.storage.upstream import (
    BackendError,
    BrokenUpstream,
    ListedObject,
    ObjectHead,
    ObjectVersion,
    OpenUpload,
)

STANDARD_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
META = "x-amz-meta-"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the backend read whole: status, lower-cased headers, body."""

    status: int
    headers: Mapping[str, str]
    data: bytes


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """One page of a listing; `token` asks for the next one, None after the last."""

    objects: list[ListedObject]
    folders: list[str]
    token: str | None


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One page of versions; the markers ask for the next one, None after the last."""

    versions: list[ObjectVersion]
    key_marker: str | None
    version_id_marker: str | None


@dataclass(frozen=True, slots=True)
class UploadPage:
    """One page of uploads; the markers ask for the next one, None after the last."""

    uploads: list[OpenUpload]
    key_marker: str | None
    upload_id_marker: str | None


@dataclass(frozen=True, slots=True)
class PartPage:
    """One page of an upload's parts; `marker` asks for the next one, None after the last."""

    parts: list[Part]
    marker: str | None


def failure(answer: Answer) -> BackendError:
    """The error that an answer carries, by its XML or, without one, by its status."""
    try:
        root = fromstring(answer.data)  # noqa: S314 - the backend's own words
    except ParseError:
        return BackendError(str(answer.status), answer.status, "no further word")
    code = _text(root, "Code") or str(answer.status)
    return BackendError(code, answer.status, _text(root, "Message"))


def head_of(headers: Mapping[str, str]) -> ObjectHead:
    """The object that the headers of a HEAD or GET describe; BrokenUpstream if they don't."""
    try:
        size = int(headers["content-length"])
        modified = parsedate_to_datetime(headers["last-modified"])
    except (KeyError, ValueError) as error:
        raise BrokenUpstream(f"the backend's object headers lack {error}") from error
    kept = {
        name: value
        for name, value in headers.items()
        if name in STANDARD_HEADERS or name.startswith(META)
    }
    metadata = {name[len(META) :]: value for name, value in kept.items() if name.startswith(META)}
    return ObjectHead(
        size=size,
        etag=headers.get("etag", ""),
        version_id=headers.get("x-amz-version-id"),
        last_modified=modified.astimezone(UTC),
        content_type=headers.get("content-type", "binary/octet-stream"),
        metadata=MappingProxyType(metadata),
        headers=MappingProxyType(kept),
    )


def copied_etag(data: bytes) -> str:
    """The quoted ETag in the result of a copy, or of an upload that was completed.

    BackendError when the 200 carries an <Error>.
    """
    root = _document(data)
    if _tag(root) == "Error":
        raise BackendError(_text(root, "Code"), 200, _text(root, "Message"))
    etag = _text(root, "ETag").strip('"')
    return f'"{etag}"'


def upload_id(data: bytes) -> str:
    """The id in an InitiateMultipartUploadResult."""
    return _text(_document(data), "UploadId")


def part_numbers(data: bytes) -> list[int]:
    """The numbers of the parts in a ListPartsResult, in document order."""
    return [int(_text(part, "PartNumber")) for part in _children(_document(data), "Part")]


def parts_page(data: bytes) -> PartPage:
    """The page that a ListParts result holds."""
    root = _document(data)
    parts = [
        Part(int(_text(item, "PartNumber")), _text(item, "ETag"))
        for item in _children(root, "Part")
    ]
    truncated = _text(root, "IsTruncated") == "true"
    return PartPage(parts, _text(root, "NextPartNumberMarker") if truncated else None)


def versioning_status(data: bytes) -> str:
    """One of "Enabled", "Suspended", and "" for a bucket that never kept versions."""
    return _text(_document(data), "Status")


def objects_page(data: bytes) -> ObjectPage:
    """The page that a ListObjectsV2 result holds, keys decoded."""
    root = _document(data)
    decode = _decoder(root)
    # An artifact's thousands of entries: looked up by whole names, which takes no Python.
    space = root.tag[: root.tag.rfind("}") + 1]
    key, size, etag, time = (f"{space}{name}" for name in ("Key", "Size", "ETag", "LastModified"))
    objects = [
        ListedObject(
            key=decode(item.findtext(key, "")),
            size=int(item.findtext(size) or 0),
            etag=item.findtext(etag, ""),
            last_modified=_time(item.findtext(time, "")),
        )
        for item in root.iterfind(f"{space}Contents")
    ]
    folders = [decode(_text(item, "Prefix")) for item in _children(root, "CommonPrefixes")]
    truncated = _text(root, "IsTruncated") == "true"
    token = _text(root, "NextContinuationToken") if truncated else None
    return ObjectPage(objects, folders, token)


def versions_page(data: bytes) -> VersionPage:
    """The page that a ListObjectVersions result holds, keys decoded, in document order."""
    root = _document(data)
    decode = _decoder(root)
    versions = [
        _version(item, decode(_text(item, "Key")))
        for item in root
        if _tag(item) in ("Version", "DeleteMarker")
    ]
    if _text(root, "IsTruncated") != "true":
        return VersionPage(versions, None, None)
    return VersionPage(
        versions,
        decode(_text(root, "NextKeyMarker")),
        _text(root, "NextVersionIdMarker"),
    )


def uploads_page(data: bytes) -> UploadPage:
    """The page that a ListMultipartUploads result holds, keys decoded."""
    root = _document(data)
    decode = _decoder(root)
    uploads = [
        OpenUpload(
            key=decode(_text(item, "Key")),
            upload_id=_text(item, "UploadId"),
            initiated=_time(_text(item, "Initiated")),
        )
        for item in _children(root, "Upload")
    ]
    if _text(root, "IsTruncated") != "true":
        return UploadPage(uploads, None, None)
    return UploadPage(
        uploads, decode(_text(root, "NextKeyMarker")), _text(root, "NextUploadIdMarker")
    )


def lists_anything(data: bytes) -> bool:
    """Whether a listing, of objects or of versions, names anything or has another page."""
    root = _document(data)
    listed = ("Contents", "Version", "DeleteMarker", "CommonPrefixes")
    return _text(root, "IsTruncated") == "true" or any(_tag(item) in listed for item in root)


def _version(item: Element, key: str) -> ObjectVersion:
    marker = _tag(item) == "DeleteMarker"
    return ObjectVersion(
        key=key,
        version_id=_text(item, "VersionId"),
        latest=_text(item, "IsLatest") == "true",
        marker=marker,
        etag=None if marker else _text(item, "ETag"),
        size=None if marker else int(_text(item, "Size") or 0),
        last_modified=_time(_text(item, "LastModified")),
    )


def _document(data: bytes) -> Element:
    try:
        return fromstring(data)  # noqa: S314 - the backend's own words
    except ParseError as error:
        raise BrokenUpstream(f"the backend's answer is no XML: {error}") from error


def _decoder(root: Element) -> Callable[[str], str]:
    return unquote_plus if _text(root, "EncodingType") == "url" else str


def _tag(element: Element) -> str:
    # Some backends leave the S3 namespace out.
    return element.tag.rpartition("}")[2]


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _tag(child) == name)


def _text(element: Element, name: str) -> str:
    child = next(_children(element, name), None)
    return "" if child is None else child.text or ""


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is UTC else time.astimezone(UTC)
