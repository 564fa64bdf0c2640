"""What is said to the backend and what comes back: requests, answers, objects, failures."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import ServiceUnavailable
from gateway.light import light
from gateway.s3.address import Query
from gateway.s3.framing import Trailers
from gateway.s3.message import NOWHERE, Body, Notes

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


class BackendError(Exception):
    """A refusal by the backend of a call of the gateway's own.

    `code` is the S3 error code, or the status in digits where the answer named none. It is
    no `GatewayError`: who made the call knows what it means for the client.
    """

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"the backend answered {status} {code}: {message}")
        self.code = code
        self.status = status
        self.message = message


class BrokenUpstream(ServiceUnavailable):
    """The backend broke its answer off: what was read is not the whole.

    While nothing of the answer has left, the client is told 503; later it is cut off too.
    """


@light
@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to the backend, before it is signed.

    `bucket` and `key` are the backend's, decoded, "" when absent. `headers` are those that go
    on, without Host, Content-Length and signing headers. A `body` that is a stream needs its
    `length` in bytes and is sent once; `trailers` come after it, and have their values when it
    has ended. `payload_hash` is a SHA-256 in hex, or UNSIGNED-PAYLOAD where nobody knows it; with
    None, that of a body at hand is made. `notes` have what was worked out of it; `NOWHERE` where
    that is not kept.
    """

    method: str
    bucket: str = ""
    key: str = ""
    query: Query = field(default_factory=Query)
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict, repr=False)
    body: bytes | Body = field(default=b"", repr=False)
    length: int | None = None
    payload_hash: str | None = None
    trailers: Trailers | None = None
    notes: Notes = field(default=NOWHERE, repr=False)


class Upstream(ABC):
    """An answer of the backend, its body not yet read.

    Exactly one of `read`, `stream` and `close` ends it, or `at_hand` where that has the body. The
    connection is used again only when the request was sent whole and the answer read to its end.
    """

    status: int
    headers: CIMultiDictProxy[str]
    notes: Notes
    """What follows from status and headers; `NOWHERE` where these will not come again."""

    @property
    @abstractmethod
    def date(self) -> str:
        """When it was given, by the backend's clock, as HTTP says it; "" where it does not say."""

    @abstractmethod
    def at_hand(self, limit: int) -> bytes | None:
        """The whole body, where it is there; None where `read` has to wait, or to refuse it."""

    @abstractmethod
    async def read(self, limit: int) -> bytes:
        """The whole body, of at most `limit` bytes: EntityTooLarge beyond; BrokenUpstream."""

    @abstractmethod
    def stream(self) -> Body:
        """The body as it comes; BrokenUpstream when it ends early. `aclose` cuts it off."""

    @abstractmethod
    async def close(self) -> None:
        """Nothing; the connection is closed unless the answer was read to its end."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a PUT or a copy made; `version_id` is None on a bucket without versioning."""

    etag: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """What HEAD tells of one object.

    `metadata` is x-amz-meta-* without that prefix. `headers` are the standard object headers
    (content-type, cache-control, …) and x-amz-meta-*, lower-cased: what a copy must repeat.
    """

    size: int
    etag: str
    version_id: str | None
    last_modified: datetime
    content_type: str
    metadata: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object in a listing."""

    key: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload in parts that is neither completed nor aborted."""

    key: str
    upload_id: str
    initiated: datetime


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object, or a delete marker: then `etag` and `size` are None.

    `version_id` is "null" for what was stored while the bucket had no versioning.
    """

    key: str
    version_id: str
    latest: bool
    marker: bool
    etag: str | None
    size: int | None
    last_modified: datetime
