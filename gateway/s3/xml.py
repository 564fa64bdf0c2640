"""S3's small XML documents, and a parser that no document can harm."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

from gateway.errors import Detail, MalformedXML

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

MAX_BYTES = 1 << 22
"""The longest document that is held whole."""

MAX_TAGS = 200_000
"""The most tags of a document; a listing of 1,000 objects has 30,000."""

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPECIAL = re.compile('[&<>"\r]|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_BAD_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def parse(document: bytes, limit: int = MAX_BYTES) -> Element:
    """The root of a document; names carry no namespace prefix.

    MalformedXML for what is not XML, is longer than `limit` bytes, declares a document type
    or an entity, or has more elements than S3's documents ever do.
    """
    if len(document) > limit or document.count(b"<") > MAX_TAGS:
        raise MalformedXML("The XML you provided is too long.")
    builder = TreeBuilder()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse_declaration
    parser.EntityDeclHandler = refuse_declaration
    try:
        parser.Parse(document, True)  # noqa: FBT003 - expat takes it by place
    except (ExpatError, ValueError, LookupError) as error:
        raise MalformedXML("The XML you provided was not well-formed.") from error
    root = builder.close()
    if ":" in root.tag:
        for item in root.iter():
            item.tag = item.tag.rpartition(":")[2]
    return root


def refuse_declaration(*_declaration: object) -> None:
    """Nothing: raises MalformedXML, as the handler of what S3's documents never declare."""
    raise MalformedXML("The XML you provided declares a document type or an entity.")


def escape(text: str) -> str:
    """`text` for an element; characters that XML can't hold become U+FFFD."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match.group(), "\ufffd"), text)


def element(name: str, text: str | float | None) -> str:
    """An element with text; nothing at all for None."""
    if text is None:
        return ""
    return f"<{name}>{escape(_as_text(text))}</{name}>"


def wrap(name: str, *children: str) -> str:
    """An element with elements in it, which are written already."""
    return f"<{name}>{''.join(children)}</{name}>"


def document(name: str, *children: str, namespace: str = NAMESPACE) -> bytes:
    """A whole document, in UTF-8, of which `name` is the root."""
    declared = f' xmlns="{namespace}"' if namespace else ""
    return f"{_DECLARATION}<{name}{declared}>{''.join(children)}</{name}>".encode()


def timestamp(moment: datetime) -> str:
    """A time as S3's documents write it, in UTC: 2013-05-24T00:00:00.000Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def render_error(
    code: str, message: str, *, resource: str, request_id: str, details: Mapping[str, Detail]
) -> bytes:
    """An S3 error document; `details` become elements of it."""
    return document(
        "Error",
        element("Code", code),
        element("Message", message),
        *(_detail(name, value) for name, value in details.items()),
        element("Resource", resource),
        element("RequestId", request_id),
        namespace="",
    )


def render_buckets(
    owner: str,
    buckets: Iterable[tuple[str, datetime]],
    *,
    prefix: str | None = None,
    token: str | None = None,
) -> bytes:
    """A ListAllMyBucketsResult: names and their times; `token` continues a cut list."""
    return document(
        "ListAllMyBucketsResult",
        wrap("Owner", element("ID", owner), element("DisplayName", owner)),
        wrap(
            "Buckets",
            *(
                wrap("Bucket", element("Name", name), element("CreationDate", timestamp(created)))
                for name, created in buckets
            ),
        ),
        element("Prefix", prefix),
        element("ContinuationToken", token),
    )


def render_copy(etag: str, last_modified: datetime) -> bytes:
    """A CopyObjectResult; `etag` as the backend quotes it."""
    return document(
        "CopyObjectResult",
        element("LastModified", timestamp(last_modified)),
        element("ETag", etag),
    )


def names_output_location(restore: bytes) -> bool:
    """Whether a RestoreObject request would write its output into a bucket of its choice."""
    return bool(restore.strip()) and parse(restore).find(".//OutputLocation") is not None


def _detail(name: str, value: Detail) -> str:
    safe = _BAD_NAME.sub("_", name)
    if not safe or not (safe[0].isalpha() or safe[0] == "_"):
        safe = f"_{safe}"
    if isinstance(value, Mapping):
        return wrap(safe, *(_detail(child, item) for child, item in value.items()))
    if isinstance(value, str | int | float) or value is None:
        return element(safe, value)
    return wrap(safe, *(_detail("Item", item) for item in value))


def _as_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
