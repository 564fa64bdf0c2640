"""A backend in memory: every file is the same, and what is put is forgotten."""

from typing import Self

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.config import Backend
from gateway.s3.message import NOWHERE, Body
from gateway.storage.bucket import Bucket, Outgoing, Upstream

BACKEND = Backend("http://127.0.0.1:1", "us-east-1", "key", "a secret of the bench")
FILE_BYTES = 4_096
ETAG = '"620f0b67a91f7f74151bc5be745b7110"'


class Memory(Bucket):
    """A backend that answers from memory."""

    def __init__(self) -> None:
        super().__init__(BACKEND)
        self._headers = CIMultiDictProxy(
            CIMultiDict(
                {
                    "Accept-Ranges": "bytes",
                    "Content-Length": str(FILE_BYTES),
                    "Content-Type": "application/octet-stream",
                    "Etag": ETAG,
                    "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
                    "Server": "SeaweedFS 4.48",
                    "X-Amz-Request-Id": "0000000000000000",
                    "X-Amz-Version-Id": "v1",
                    "Date": "Thu, 01 Jan 2026 00:00:00 GMT",
                }
            )
        )
        self._empty = CIMultiDictProxy(CIMultiDict({"Content-Length": "0", "Etag": '"62"'}))
        self._listing = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/xml"}))

    async def send(self, request: Outgoing) -> Upstream:
        """The answer."""
        if request.method == "PUT":
            async for _ in (
                Pieces(request.body) if isinstance(request.body, bytes) else request.body
            ):
                pass
            return Said(200, self._empty, b"")
        if not request.key:
            return Said(200, self._listing, b"<ListBucketResult></ListBucketResult>")
        return Said(200, self._headers, bytes(FILE_BYTES))


class Said(Upstream):
    """An answer of the backend's."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.notes = NOWHERE
        self._body = body

    @property
    def date(self) -> str:
        """It has no clock."""
        return ""

    def at_hand(self, limit: int) -> bytes:
        """The whole body."""
        del limit
        return self._body

    async def read(self, limit: int) -> bytes:
        """The whole body."""
        del limit
        return self._body

    def stream(self) -> Body:
        """The body, in one piece."""
        return Pieces(self._body)

    async def close(self) -> None:
        """Nothing."""


class Pieces:
    """A body of one piece."""

    def __init__(self, body: bytes) -> None:
        self._left = [body] if body else []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()

    async def aclose(self) -> None:
        """Nothing."""
