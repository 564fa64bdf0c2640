"""Which subresources a backend passes over, so that a request for one would do something else.

`PUT key?annotation` is a plain PUT where annotations are not known, `DELETE bucket?metrics` a
plain DeleteBucket. Each row of the operation table that a subresource selects is tried once, on
objects and buckets of the trial's own.
"""

import asyncio
import secrets
from collections.abc import Sequence

from multidict import CIMultiDict

from gateway.s3.address import Query
from gateway.s3.operation import OPERATIONS, Level, Operation
from gateway.storage.bucket import BackendError, Bucket, Outgoing

LIMIT = 1 << 20
ERROR = 300
AT_ONCE = 8
STORED, SENT = b"stored before", b"<Sent/>"
LISTING = b"ListBucketResult"
FLAGGED = frozenset(("id", "annotationName", "partNumber", "select-type", "uploadId"))
# CreateMultipartUpload would leave an upload; the two listings of objects answer alike.
UNTRIED = frozenset(("CreateMultipartUpload", "ListObjectsV2"))
BOUNDARY = "trial"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="key"\r\n\r\n%s\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    f"sent\r\n--{BOUNDARY}--\r\n"
)


async def passed_over(bucket: Bucket, area: str, folder: str) -> tuple[str, ...]:
    """The names of the operations whose subresource the backend passes over, sorted.

    Tried on keys below `folder` of the bucket `area`, and on buckets of its own where the
    credentials may make some; where they may not, what deletes at a bucket counts as passed
    over. Nothing is left behind. ServiceUnavailable.
    """
    return await _Trial(bucket, area, folder).run()


class _Trial:
    """The trial of every row."""

    def __init__(self, bucket: Bucket, area: str, folder: str) -> None:
        self._bucket = bucket
        self._area = area
        self._folder = folder
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> tuple[str, ...]:
        rows = [o for o in OPERATIONS if o.subresources and not o.copies and o.name not in UNTRIED]
        objects = [o for o in rows if o.level is Level.OBJECT]
        buckets = {
            method: [o for o in rows if o.level is Level.BUCKET and o.method == method]
            for method in ("GET", "PUT", "POST", "DELETE")
        }
        found = await asyncio.gather(
            *(self._object(row) for row in objects),
            *(self._reading(row) for row in buckets["GET"]),
            *(self._posting(row) for row in buckets["POST"]),
            self._making(buckets["PUT"]),
            self._deleting(buckets["DELETE"]),
        )
        return tuple(sorted(name for names in found for name in names))

    async def _object(self, row: Operation) -> Sequence[str]:
        """The row's name if, with its subresource, it is a plain GET, PUT or DELETE."""
        key = f"{self._folder}{row.name}"
        async with self._slots:
            await self._bucket.put(self._area, key, STORED)
            try:
                status, answer = await self._ask(row, self._area, key, SENT)
                there = await self._bucket.get(self._area, key, limit=LIMIT)
            finally:
                await self._remove(key)
        same = there is not None and there[1] == STORED
        shown = row.method == "GET" and status < ERROR and STORED in answer
        return () if same and not shown else (row.name,)

    async def _reading(self, row: Operation) -> Sequence[str]:
        """The row's name if it lists the bucket."""
        async with self._slots:
            status, answer = await self._ask(row, self._area)
        return (row.name,) if status < ERROR and LISTING in answer else ()

    async def _posting(self, row: Operation) -> Sequence[str]:
        """The row's name if it takes an upload by HTML form."""
        key = f"{self._folder}{row.name}"
        headers = CIMultiDict({"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        async with self._slots:
            await self._ask(row, self._area, "", (FORM % key).encode(), headers)
            there = await self._bucket.head(self._area, key) is not None
            if there:
                await self._remove(key)
        return (row.name,) if there else ()

    async def _making(self, rows: Sequence[Operation]) -> Sequence[str]:
        """The names of those that make the bucket which they are to change."""
        name, found = _new_name(), []
        for row in rows:
            await self._ask(row, name)
            if await self._is_there(name):
                found.append(row.name)
                await self._bucket.delete_bucket(name)
        return found

    async def _deleting(self, rows: Sequence[Operation]) -> Sequence[str]:
        """The names of those that delete the bucket itself."""
        name, found = _new_name(), []
        try:
            await self._bucket.create_bucket(name)
        except BackendError:
            return [row.name for row in rows]
        for row in rows:
            await self._ask(row, name)
            if not await self._is_there(name):
                found.append(row.name)
                await self._bucket.create_bucket(name)
        await self._bucket.delete_bucket(name)
        return found

    async def _is_there(self, name: str) -> bool:
        try:
            return await self._bucket.bucket_exists(name)
        except BackendError:
            return False  # credentials that may not look at a new bucket may not make one

    async def _ask(
        self,
        row: Operation,
        bucket: str,
        key: str = "",
        body: bytes = b"",
        headers: CIMultiDict[str] | None = None,
    ) -> tuple[int, bytes]:
        query = Query(
            tuple((name, "1" if name in FLAGGED else "") for name in sorted(row.subresources))
        )
        sent = body if row.method in ("PUT", "POST") else b""
        upstream = await self._bucket.send(
            Outgoing(row.method, bucket, key, query, headers or CIMultiDict(), sent)
        )
        return upstream.status, await upstream.read(LIMIT)

    async def _remove(self, key: str) -> None:
        versions = await self._bucket.versions(self._area, key)
        for version in versions:
            await self._bucket.delete(self._area, key, version.version_id)
        if not versions:
            await self._bucket.delete(self._area, key)


def _new_name() -> str:
    return f"artifact-gateway-probe-{secrets.token_hex(8)}"
