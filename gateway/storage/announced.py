"""Announcements as objects of the system area: without a byte, their JSON is their metadata.

To store bytes, backends write twice: the bytes, and what they know of the object. SeaweedFS takes
twice as long for an object of 200 bytes as for an empty one, and `put_file` waits for it. Metadata
is stored with the object's key in one step, or not at all, as bytes are: so a PUT that was
answered has stored all of the announcement, and the next one of its path replaces all of it.
"""

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType

from gateway.artifact.record import (
    Announcement,
    UnreadableRecord,
    decode_announcement,
    encode_announcement,
)
from gateway.storage.upstream import ObjectHead

NAME = "announcement"
LONGEST = 1_800
"""So long a value is kept as metadata: S3 allows 2,048 bytes of it, names and all."""

JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})


def written(announcement: Announcement) -> tuple[bytes, Mapping[str, str]]:
    """The bytes and the headers that an announcement is stored with.

    One that is too long to be metadata, as few paths make it, is stored as bytes.
    """
    data = encode_announcement(announcement)
    # In base64 nothing is folded, trimmed, or taken for another encoding on its way.
    value = base64.b64encode(data).decode()
    if len(value) > LONGEST:
        return data, JSON
    return b"", {**JSON, f"x-amz-meta-{NAME}": value}


def read(head: ObjectHead, data: bytes) -> Announcement:
    """The announcement that is stored so, in its bytes where it has some; UnreadableRecord."""
    value = head.metadata.get(NAME)
    if data or value is None:
        return decode_announcement(data)
    try:
        return decode_announcement(base64.b64decode(value, validate=True))
    except binascii.Error:
        raise UnreadableRecord("An announcement's metadata is not base64") from None
