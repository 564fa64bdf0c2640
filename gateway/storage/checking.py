"""Which declarations about a body a backend checks: each is made of another body once.

What it refuses then with 400, and takes when it is right, it checks; any other failure may have
another reason. It is tried with PutObject and with UploadPart, which may go different ways in it,
and counts when it is seen in both.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5, sha256
from http import HTTPStatus

from multidict import CIMultiDict

from gateway.s3.address import Query
from gateway.s3.checks import BackendChecks
from gateway.s3.digests import CHECKSUMS, checksum
from gateway.s3.framing import Trailers
from gateway.storage import answers
from gateway.storage.bucket import Bucket, Outgoing
from gateway.storage.upstream import UNSIGNED_PAYLOAD

LIMIT = 1 << 16
AT_ONCE = 8
BODY, OTHER = b"what is sent", b"what is declared"
UPLOADS = Query((("uploads", ""),))
CRC32 = "x-amz-checksum-crc32"


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a request says of its body."""

    payload_hash: str = UNSIGNED_PAYLOAD
    headers: dict[str, str] = field(default_factory=dict)
    trailers: Trailers | None = None


Declaring = Callable[[bytes], _Declared]


class Checking:
    """The trial of every declaration, on keys of the bucket `area` that `name` gives.

    Who gives the names takes away what is stored under them.
    """

    def __init__(self, bucket: Bucket, area: str, name: Callable[[str], str]) -> None:
        self._bucket = bucket
        self._area = area
        self._name = name
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def checks(self) -> BackendChecks:
        """The declarations that the backend checks."""
        names = tuple(CHECKSUMS)
        hashed, summed, *rest = await asyncio.gather(
            self._checked("hash", lambda body: _Declared(sha256(body).hexdigest())),
            self._checked("md5", _content_md5),
            *(self._checked(f"header-{name}", _in_header(name), name) for name in names),
            *(self._checked(f"trailer-{name}", _in_trailer(name), name) for name in names),
        )
        headers, trailers = rest[: len(names)], rest[len(names) :]
        return BackendChecks(
            hashed,
            summed,
            tuple(name for name, seen in zip(names, headers, strict=True) if seen),
            tuple(name for name, seen in zip(names, trailers, strict=True) if seen),
        )

    async def takes_trailers(self) -> bool:
        """Whether a body that is followed by its checksum arrives as it was before."""
        key = self._name("trailer")
        if await self._put(key, _in_trailer(CRC32)(BODY)) != HTTPStatus.OK:
            return False
        found = await self._bucket.get(self._area, key, limit=LIMIT)
        return found is not None and found[1] == BODY

    async def _checked(self, name: str, declare: Declaring, algorithm: str = "") -> bool:
        key = self._name(name)
        async with self._slots:
            return await self._object(key, declare) and await self._part(key, declare, algorithm)

    async def _object(self, key: str, declare: Declaring) -> bool:
        if await self._put(key, declare(OTHER)) != HTTPStatus.BAD_REQUEST:
            return False
        if await self._bucket.head(self._area, key) is not None:
            return False
        return await self._put(key, declare(BODY)) == HTTPStatus.OK

    async def _part(self, key: str, declare: Declaring, algorithm: str) -> bool:
        headers = CIMultiDict[str]()
        if algorithm:
            # Without it S3 takes no parts with another checksum than its own.
            headers["x-amz-checksum-algorithm"] = algorithm.rpartition("-")[2].upper()
        status, document = await self._ask(Outgoing("POST", self._area, key, UPLOADS, headers))
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            return False
        upload_id = ("uploadId", answers.upload_id(document))
        try:
            right, wrong = (Query((("partNumber", number), upload_id)) for number in ("1", "2"))
            if await self._put(key, declare(BODY), right) != HTTPStatus.OK:
                return False
            if await self._put(key, declare(OTHER), wrong) != HTTPStatus.BAD_REQUEST:
                return False
            _, parts = await self._ask(Outgoing("GET", self._area, key, Query((upload_id,))))
            return answers.part_numbers(parts) == [1]
        finally:
            await self._ask(Outgoing("DELETE", self._area, key, Query((upload_id,))))

    async def _put(self, key: str, declared: _Declared, query: Query | None = None) -> int:
        status, _ = await self._ask(
            Outgoing(
                "PUT",
                self._area,
                key,
                query or Query(),
                CIMultiDict(declared.headers),
                BODY,
                payload_hash=declared.payload_hash,
                trailers=declared.trailers,
            )
        )
        return status

    async def _ask(self, request: Outgoing) -> tuple[int, bytes]:
        upstream = await self._bucket.send(request)
        return upstream.status, await upstream.read(LIMIT)


def _content_md5(body: bytes) -> _Declared:
    digest = md5(body, usedforsecurity=False).digest()
    return _Declared(headers={"Content-MD5": b64encode(digest).decode()})


def _in_header(name: str) -> Declaring:
    return lambda body: _Declared(headers={name: checksum(name, body)})


def _in_trailer(name: str) -> Declaring:
    return lambda body: _Declared(trailers=Trailers((name,), {name: checksum(name, body)}))
