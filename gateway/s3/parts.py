"""The parts of an upload: their list as CompleteMultipartUpload takes it, and the ETag of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5

from gateway.s3.xml import document, element, wrap

MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload: its number, from 1, and the ETag that its PUT answered."""

    number: int
    etag: str


def render_parts(parts: Sequence[Part]) -> bytes:
    """The body of a CompleteMultipartUpload."""
    listed = (
        wrap("Part", element("PartNumber", part.number), element("ETag", part.etag))
        for part in parts
    )
    return document("CompleteMultipartUpload", *listed)


def joined_etag(parts: Sequence[Part]) -> str | None:
    """The ETag, without quotes, of the object that these make; None where theirs are no MD5.

    S3 makes it of the parts' own; where objects are encrypted with keys of the client's, theirs
    tell nothing.
    """
    try:
        digests = [bytes.fromhex(part.etag.strip('"')) for part in parts]
    except ValueError:
        return None
    if any(len(digest) != md5(usedforsecurity=False).digest_size for digest in digests):
        return None
    return f"{md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(parts)}"
