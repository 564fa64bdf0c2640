"""An upload by HTML form (PostObject): the PUT that its fields ask for, and how it is answered.

The specification: "POST Object" of the S3 API Reference. Fields that are no headers of PutObject's
row, and not named here, do nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from multidict import CIMultiDict

from gateway.errors import InvalidArgument, MalformedXML
from gateway.s3.address import Address, parse_path
from gateway.s3.form import FormHead, FormReader, base_name
from gateway.s3.message import Reply
from gateway.s3.operation import OPERATIONS
from gateway.s3.policy import Policy
from gateway.s3.xml import document, element, parse

POST_OBJECT = "PostObject"

_CREATED = 201
_NO_CONTENT = 204
_SEE_OTHER = 303
_STATUSES = {"200": 200, "201": _CREATED}
_FILENAME = "${filename}"
_BREAKS = "\r\n\0"
# These two become something else before they could become a header.
_LINES = frozenset({"policy", "tagging"})
_TAKEN = next(row for row in OPERATIONS if row.name == "PutObject").headers
_METADATA = re.compile(r"x-amz-meta-[!#$%&'*+.^_`|~0-9a-z-]+")
_NAMES = {"acl": "x-amz-acl"}
_UNTYPED = "application/octet-stream"
_TAGGING = "tagging"
_REDIRECTS = ("success_action_redirect", "redirect")
_KEPT = frozenset({"host", "x-forwarded-host", "x-forwarded-proto"})
_REPLACED = frozenset({"content-length", "content-type"})


@dataclass(frozen=True, slots=True)
class Posted:
    """What a form asks for beyond the PUT that it is.

    `file` gives the object's bytes, `rest` is how many bytes of the body are left from the
    first of them on. `policy` is None where nobody signed the form. `status` and `redirect`
    are the answer that it wants.
    """

    file: FormReader
    rest: int
    policy: Policy | None
    status: int
    redirect: str | None


def expand(head: FormHead, bucket: str) -> dict[str, str]:
    """A form's fields as its policy sees them: the bucket it was sent to, the file's name.

    InvalidArgument for what can't be a header: line breaks, NUL, and what is not UTF-8.
    """
    name = base_name(head.filename)
    fields = {field: value.replace(_FILENAME, name) for field, value in head.fields.items()}
    fields["bucket"] = bucket
    for field, value in fields.items():
        if field not in _LINES and any(character in value for character in _BREAKS):
            raise InvalidArgument(
                "A field of the form holds a line break or NUL.", ArgumentName=field
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidArgument("The file's name is not UTF-8.", ArgumentName=field) from None
    return fields


def address_of(fields: Mapping[str, str]) -> Address:
    """Bucket and key of a form, not yet folded; InvalidArgument, KeyTooLong."""
    if not fields.get("key"):
        raise InvalidArgument(
            "Bucket POST must contain a field named 'key'. If it is specified, please check the "
            "order of the fields.",
            ArgumentName="key",
        )
    return parse_path("/" + quote(fields["key"], safe=""), fields["bucket"])


def put_headers(
    fields: Mapping[str, str], head: FormHead, headers: Mapping[str, str]
) -> CIMultiDict[str]:
    """The headers of the PUT: of the form's fields those that PutObject takes.

    The Content-Type is the file's own where no field says it: nobody guesses. Of the request's
    `headers` stay those that say how it came. MalformedXML for tags that are none.
    """
    taken = CIMultiDict((name, value) for name, value in headers.items() if name.lower() in _KEPT)
    for field, value in fields.items():
        name = _NAMES.get(field, field)
        if field == _TAGGING:
            taken.add("x-amz-tagging", _tags(value))
        elif name in _TAKEN or _METADATA.fullmatch(name):
            taken.add(name, value)
    if "content-type" not in taken and (head.content_type or head.filename):
        taken["content-type"] = head.content_type or _UNTYPED
    return taken


def wanted_status(fields: Mapping[str, str]) -> int:
    """The status that a form wants for its success: 200, 201, or else 204."""
    return _STATUSES.get(fields.get("success_action_status", ""), _NO_CONTENT)


def wanted_redirect(fields: Mapping[str, str]) -> str | None:
    """Where a form wants its sender to go on; None without one, or for what is no web address."""
    url = next((fields[name] for name in _REDIRECTS if fields.get(name)), "")
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def answer_form(posted: Posted, address: Address, location: str, put: Reply) -> Reply:
    """The answer to a form whose PUT was answered with 200; `location` is the object's URL."""
    headers = CIMultiDict(
        (name, value) for name, value in put.headers.items() if name.lower() not in _REPLACED
    )
    etag = put.headers.get("ETag", "")
    if posted.redirect is not None:
        headers["Location"] = _with_query(
            posted.redirect, bucket=address.bucket, key=address.key, etag=etag
        )
        return Reply(_SEE_OTHER, headers)
    headers["Location"] = location
    if posted.status != _CREATED:
        return Reply(posted.status, headers)
    headers["Content-Type"] = "application/xml"
    body = document(
        "PostResponse",
        element("Location", location),
        element("Bucket", address.bucket),
        element("Key", address.key),
        element("ETag", etag),
        namespace="",
    )
    return Reply(_CREATED, headers, body)


def _tags(xml: str) -> str:
    """Tags as x-amz-tagging has them, of a Tagging document."""
    pairs = []
    for tag in parse(xml.encode()).iter("Tag"):
        key, value = tag.findtext("Key"), tag.findtext("Value")
        if key is None or value is None:
            raise MalformedXML("A Tag has a Key and a Value.")
        pairs.append((key, value))
    return urlencode(pairs, quote_via=quote)


def _with_query(url: str, **more: str) -> str:
    """`url` with `more` at the end of its query; ASCII, whatever it was."""
    before, sign, fragment = url.partition("#")
    mark = "&" if "?" in before else "?"
    whole = f"{before}{mark}{urlencode(more, quote_via=quote, safe='')}{sign}{fragment}"
    return quote(whole, safe="!#$%&'()*+,/:;=?@[]~")
