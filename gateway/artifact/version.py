"""Versions of an artifact: pins, staged files, and the commit record that fixes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import md5

from gateway.artifact.layout import MANIFEST

NULL_VERSION = "null"
"""The version of what a bucket stored without versioning; it stays that when that is turned on.

Asked for without a version, the key would answer with whatever is newest by then.
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a commit records of one file.

    `path` is relative to the artifact. `etag` is as the backend quotes it. `version_id` is
    the backend's, NULL_VERSION where it keeps none, and None for a manifest whose plain key is
    not written yet. `weight` is in millionths of a download.
    """

    path: str
    size: int
    etag: str
    version_id: str | None
    last_modified: datetime
    content_type: str
    weight: int = 0

    def weighing(self, weight: int) -> "Pin":
        """This pin with another weight, in millionths."""
        return replace(self, weight=weight)


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file as the stage knows it; `removed` when its removal is staged.

    `weight` is in millionths, None where the upload gave none. What a removal or an unknown
    backend answer leaves open is None.
    """

    path: str
    removed: bool = False
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    content_type: str | None = None
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """A manifest as an object: its bytes, and the headers it was stored with.

    `headers` are lower-cased: content-type and the other standard object headers, and
    x-amz-meta-*.
    """

    data: bytes = field(repr=False)
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """One commit record, or a tombstone where `manifest` is None.

    `number` counts the records of one prefix from 1; `parent` is the version it followed, 0
    for none. `pins` are the artifact's files, sorted by path, without its manifest.
    `staged_manifest` is the backend version (or, without versioning, the ETag) of the
    `_manifest.yaml` that the commit made unnecessary, None when there was none.
    `manifest_version` is the backend version of the `manifest.yaml` that a commit found at its
    plain key and left there; None where the commit puts it.
    """

    workspace_id: str
    prefix: str
    number: int
    parent: int
    author: str
    time: datetime
    message: str | None
    manifest: ManifestObject | None
    pins: tuple[Pin, ...] = ()
    staged_manifest: str | None = None
    manifest_version: str | None = None


def manifest_pin(record: Record) -> Pin:
    """The pin of a record's manifest before its plain key is written."""
    if record.manifest is None:
        raise ValueError("a tombstone has no manifest")
    digest = md5(record.manifest.data, usedforsecurity=False).hexdigest()
    return Pin(
        path=MANIFEST,
        size=len(record.manifest.data),
        etag=f'"{digest}"',
        version_id=None,
        last_modified=record.time.replace(microsecond=0),
        content_type=record.manifest.headers.get("content-type", "binary/octet-stream"),
    )
