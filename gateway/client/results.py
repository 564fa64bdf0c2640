"""What methods take and return: docs/rpc.md says the same of the wire."""

from typing import Literal, NotRequired, TypedDict


class Totals(TypedDict):
    """An artifact's counters."""

    download_count: float
    view_count: int


class Pin(TypedDict):
    """A file of a version. `etag` has no quotes."""

    path: str
    size: int
    etag: str
    last_modified: str
    content_type: str
    download_weight: float


class File(Pin):
    """A file in a listing; `path` is its place in the artifact."""

    name: str
    type: Literal["file"]


class Folder(TypedDict):
    """A folder in a listing."""

    name: str
    path: str
    type: Literal["directory"]
    size: int


class Member(TypedDict):
    """A collection's member, in short; what `summary_fields` names besides is in it, too."""

    _prefix: str
    _stats: Totals
    id: NotRequired[str | None]
    name: NotRequired[str | None]
    description: NotRequired[str | None]
    type: NotRequired[str | None]


class Manifest(TypedDict):
    """A manifest, merged with what the gateway knows; the author's other fields are in it, too."""

    _prefix: str
    _stats: Totals
    type: str
    id: NotRequired[str]
    name: NotRequired[str]
    description: NotRequired[str]
    files: NotRequired[list[Pin]]
    collection: NotRequired[list[Member]]
    _version: NotRequired[int | None]
    _created_at: NotRequired[str | None]
    _modified_at: NotRequired[str | None]
    _child_count: NotRequired[int]
    _stage: NotRequired[dict[str, object]]


class Commit(TypedDict):
    """A version that was made."""

    version: int
    manifest: Manifest
    files: list[Pin]


class Version(TypedDict):
    """A commit in the history."""

    version: int
    parent: int | None
    author: str
    time: str
    message: str | None


class PutOptions(TypedDict, total=False):
    """How a file is put."""

    download_weight: float | str
    expires_in: int
    parts: int
    content_type: str


class GetOptions(TypedDict, total=False):
    """Which state of a file, and for how long its URL is good."""

    silent: bool
    version: int
    stage: bool
    expires_in: int


class UploadPart(TypedDict):
    """A part that is to come, and where it is PUT."""

    part_number: int
    url: str


class PartedUpload(TypedDict):
    """An upload in parts that `put_file` began."""

    upload_id: str
    parts: list[UploadPart]


class FilePart(TypedDict):
    """A part that was put, and the ETag of its answer."""

    part_number: int
    etag: str


class Page(TypedDict):
    """A page of a collection's members."""

    items: list[Member]
    total: int
    offset: int
    limit: int


class Indexed(TypedDict):
    """What `index` wrote."""

    version: int
    members: int
    truncated: bool


class Period(TypedDict):
    """The downloads of a day, or of a month."""

    period: str
    downloads: int
    download_count: float
    bytes: int


class Stats(TypedDict):
    """Downloads over time."""

    prefix: str
    download_count: float
    view_count: int
    since: str
    until: str
    series: list[Period]
    files: dict[str, list[Period]]


class KeyInfo(TypedDict):
    """An access key, without its secret; `configured` ones are the configuration's."""

    access_key_id: str
    name: str
    grants: dict[str, str]
    configured: bool


class NewKey(TypedDict):
    """A new access key: its secret is shown this once."""

    access_key_id: str
    name: str
    grants: dict[str, str]
    secret_access_key: str
