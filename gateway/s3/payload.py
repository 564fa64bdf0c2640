"""How a request's body is framed, and what it declares about itself."""

import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from multidict import MultiMapping

from gateway.errors import InvalidArgument, InvalidDigest, InvalidRequest, MissingContentLength
from gateway.light import light
from gateway.s3.canonical import EMPTY_SHA256
from gateway.s3.header_names import CHECKSUMS, names_of

CHECKSUM_LENGTHS = {
    "x-amz-checksum-crc32": 8,
    "x-amz-checksum-crc32c": 8,
    "x-amz-checksum-crc64nvme": 12,
    "x-amz-checksum-md5": 24,
    "x-amz-checksum-sha1": 28,
    "x-amz-checksum-sha256": 44,
    "x-amz-checksum-sha512": 88,
    "x-amz-checksum-xxhash128": 24,
    "x-amz-checksum-xxhash3": 12,
    "x-amz-checksum-xxhash64": 12,
}
"""S3's checksum headers, and how many characters of base64 a value of each has."""

_OTHER_CHECKSUM_HEADERS = frozenset(
    {"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"}
)
_OF_NOTHING = frozenset({"", EMPTY_SHA256})
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_LENGTH = re.compile(r"[0-9]{1,19}")
_MD5_BYTES = 16


class Form(Enum):
    """The forms of x-amz-content-sha256."""

    HASHED = "hash"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_CHUNKS_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    @property
    def chunked(self) -> bool:
        """Whether the raw body is in aws-chunked framing."""
        return self not in (Form.HASHED, Form.UNSIGNED)

    @property
    def signed_chunks(self) -> bool:
        """Whether each chunk carries a signature."""
        return self in (Form.SIGNED_CHUNKS, Form.SIGNED_CHUNKS_TRAILER)

    @property
    def trailing(self) -> bool:
        """Whether headers may come after the body."""
        return self in (Form.SIGNED_CHUNKS_TRAILER, Form.UNSIGNED_CHUNKS_TRAILER)


_STREAMING = {form.value: form for form in Form if form is not Form.HASHED}


@light
@dataclass(frozen=True, slots=True)
class Payload:
    """What a request declares about its body.

    `length` counts decoded bytes. `sha256` is lower-case hex, "" unless hashed. `content_md5`
    is the raw digest. `checksums` are x-amz-checksum-* names with their base64 values;
    `trailers` are the names of checksums that come after the body.
    """

    form: Form
    length: int
    sha256: str = ""
    content_md5: bytes | None = None
    checksums: tuple[tuple[str, str], ...] = ()
    trailers: tuple[str, ...] = ()

    @property
    def absent(self) -> bool:
        """Whether there is no body, and nothing is declared that could be wrong of none."""
        return (
            not self.length
            and self.sha256 in _OF_NOTHING
            and self.content_md5 is None
            and not self.checksums
            and not self.form.chunked
        )


def parse_payload(
    headers: MultiMapping[str], payload_hash: str | None, length: int | None
) -> Payload:
    """The payload that a request's headers declare.

    `payload_hash` is the claim's; None on unsigned requests, where the header counts. `length`
    is the request's Content-Length, None when it has none: then there is no body, unless
    Transfer-Encoding says so. Raises MissingContentLength, InvalidDigest, InvalidArgument,
    InvalidRequest.
    """
    if payload_hash is None:
        payload_hash = headers.get("x-amz-content-sha256", Form.UNSIGNED.value).strip()
    form, sha256 = _form(payload_hash)
    decoded = _decoded_length(headers, form, length)
    if not names_of(headers).declaring:
        return Payload(form, decoded, sha256)
    return Payload(
        form,
        decoded,
        sha256,
        _content_md5(headers.getall("Content-MD5", ())),
        _checksums(headers),
        _trailers(headers, form),
    )


def content_encoding(value: str | None) -> str | None:
    """A Content-Encoding without its aws-chunked token; None when nothing is left."""
    if value is None:
        return None
    tokens = (token.strip() for token in value.split(","))
    return ",".join(token for token in tokens if token and token.lower() != "aws-chunked") or None


def is_checksum(name: str, value: str) -> bool:
    """Whether `value` can be one of the checksum header `name`: base64 of the right length."""
    try:
        b64decode(value, validate=True)
    except ValueError:
        return False
    return len(value) == CHECKSUM_LENGTHS[name]


def _checksums(headers: MultiMapping[str]) -> tuple[tuple[str, str], ...]:
    named = [(name.lower(), value.strip()) for name, value in headers.items()]
    found = [
        (name, value)
        for name, value in named
        if name.startswith(CHECKSUMS) and name not in _OTHER_CHECKSUM_HEADERS
    ]
    if not all(name in CHECKSUM_LENGTHS for name, _ in found):
        # Passed over, it would promise a check that nobody makes.
        raise InvalidRequest(
            "The algorithm type you specified in x-amz-checksum- header is invalid."
        )
    return tuple(found)


def _form(payload_hash: str) -> tuple[Form, str]:
    """The form that a payload's hash says, and the hash itself where it is one."""
    form = _STREAMING.get(payload_hash)
    if form is not None:
        return form, ""
    if _HEX.fullmatch(payload_hash):
        return Form.HASHED, payload_hash.lower()
    if payload_hash.startswith("STREAMING-AWS4-ECDSA-"):
        raise InvalidRequest("Signature V4A is not supported. Please use AWS4-HMAC-SHA256.")
    raise InvalidArgument(
        f"x-amz-content-sha256 must be {', '.join(_STREAMING)} or a valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=payload_hash,
    )


def _decoded_length(headers: MultiMapping[str], form: Form, length: int | None) -> int:
    if not form.chunked:
        if length is None and "Transfer-Encoding" in headers:
            raise MissingContentLength("You must provide the Content-Length HTTP header.")
        return length or 0
    declared = headers.getall("x-amz-decoded-content-length", [])
    if len(declared) != 1 or _LENGTH.fullmatch(declared[0].strip()) is None:
        raise MissingContentLength("You must provide the x-amz-decoded-content-length header.")
    return int(declared[0])


def _content_md5(values: Sequence[str]) -> bytes | None:
    if not values:
        return None
    try:
        digest = b64decode(values[0].strip(), validate=True)
    except ValueError as error:
        raise InvalidDigest("The Content-MD5 you specified is not valid.") from error
    if len(values) > 1 or len(digest) != _MD5_BYTES:
        raise InvalidDigest("The Content-MD5 you specified is not valid.")
    return digest


def _trailers(headers: MultiMapping[str], form: Form) -> tuple[str, ...]:
    values = headers.getall("x-amz-trailer", ())
    if not values:
        return ()
    names = [name.strip().lower() for value in values for name in value.split(",")]
    names = [name for name in names if name]
    if names and not form.trailing:
        raise InvalidRequest("x-amz-trailer needs a payload with trailers.")
    unknown = [name for name in names if name not in CHECKSUM_LENGTHS]
    if unknown or len(set(names)) != len(names):
        raise InvalidRequest("The value specified in the x-amz-trailer header is not supported")
    return tuple(names)
