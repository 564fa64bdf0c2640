"""What this backend can do, seen by trying it once, and remembered in the system area."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from gateway.errors import PreconditionFailed
from gateway.s3.address import KeyRules, Query
from gateway.storage import answers, capabilities
from gateway.storage.bucket import BackendError, Bucket, Outgoing
from gateway.storage.capabilities import BackendUnfit, Capabilities, demand
from gateway.storage.checking import Checking
from gateway.storage.subresources import passed_over

__all__ = ["BackendUnfit", "Capabilities", "demand", "probe"]

MEMORY = "capabilities.json"
LIMIT = 1 << 16
JSON: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})
FIRST, SECOND = b"first", b"second"
PRIVATE_SUFFIX = ".versions"
PRIVATE_SEGMENT = ".uploads"
# In the order of their UTF-8; each pair is one that some order of its own turns around.
ORDERED = ("a!", "a.b", "a/b", "a0", "aA", "aa", "\uffe0", "\U00010000")


@dataclass(frozen=True, slots=True)
class _Versions:
    """Whether versions are kept, come back when a newer one goes, and can be seen as keys."""

    kept: bool = False
    restored: bool = False
    private: bool = False


NO_VERSIONS = _Versions()
VERSIONED = "versioned"
UPLOADS = Query((("uploads", ""),))


async def probe(
    bucket: Bucket, system_bucket: str, system_prefix: str = "", *, again: bool = False
) -> Capabilities:
    """What the backend can do: the remembered answers, or those of a probe made now.

    The system bucket is made when it is not there. `again` probes whatever is remembered.
    What the probe stores it takes away. ServiceUnavailable, BackendError.
    """
    await bucket.create_bucket(system_bucket)
    memory = system_prefix + MEMORY
    found = None if again else await bucket.get(system_bucket, memory, limit=LIMIT)
    known = None if found is None else capabilities.decode(found[1])
    if known is not None and known.payload_signing == bucket.payload_signing:
        return known
    folder = f"{system_prefix}probe/{secrets.token_hex(8)}/"
    seen = await _Probe(bucket, system_bucket, folder).run()
    await bucket.put(system_bucket, memory, capabilities.encode(seen), JSON)
    return seen


class _Probe:
    """One probe in a folder of its own, and in a bucket of its own where it may make one."""

    def __init__(self, bucket: Bucket, area: str, folder: str) -> None:
        self._bucket = bucket
        self._area = area
        self._folder = folder
        self._stored: list[str] = []

    async def run(self) -> Capabilities:
        """What was seen; nothing of it is left behind."""
        try:
            folds = await self._folds()
            versions = await self._versions()
            trial = Checking(self._bucket, self._area, self._key)
            checks = await trial.checks()
            return Capabilities(
                keys=KeyRules(
                    folds,
                    (PRIVATE_SUFFIX,) if versions.private else (),
                    (PRIVATE_SEGMENT,) if await self._uploads_are_keys() else (),
                    await self._lists_in_order(),
                ),
                checks=checks,
                takes_trailers=await trial.takes_trailers(),
                conditional_put=await self._conditional_put(),
                versioning=versions.kept,
                delete_by_version=versions.restored,
                passed_over=await passed_over(self._bucket, self._area, self._key("table/")),
                payload_signing=self._bucket.payload_signing,
            )
        finally:
            await self._clean()

    async def _conditional_put(self) -> bool:
        key = self._key("conditional")
        try:
            await self._bucket.put(self._area, key, FIRST, if_absent=True)
            await self._bucket.put(self._area, key, SECOND, if_absent=True)
        except PreconditionFailed:
            return True
        except BackendError:
            return False
        return False

    async def _folds(self) -> bool:
        """Whether any of the spellings that some backends fold is found under another."""
        spellings = (("", "slash//es"), ("/", "leading"), ("", "back\\slash"))
        for start, name in spellings:
            spelled = start + self._key(name)
            plain = self._key(name.replace("//", "/").replace("\\", "/"))
            if not await self._put(spelled, FIRST):
                continue
            self._stored.append(spelled)
            if await self._bucket.head(self._area, plain) is not None:
                return True
        return False

    async def _lists_in_order(self) -> bool:
        folder = self._key("order/")
        for name in ORDERED:
            await self._bucket.put(self._area, self._key(f"order/{name}"), FIRST)
        names = [
            item.key.removeprefix(folder)
            async for page in self._bucket.list(self._area, folder)
            for item in page
        ]
        return names == [name for name in ORDERED if name in names]

    async def _uploads_are_keys(self) -> bool:
        """Whether an open multipart upload can be seen as a key."""
        key = self._key("upload")
        status, document = await self._ask(Outgoing("POST", self._area, key, UPLOADS))
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            return False
        upload_id = answers.upload_id(document)
        try:
            upload = f"{PRIVATE_SEGMENT}/{upload_id}/"
            return await self._bucket.head(self._area, upload) is not None
        finally:
            query = Query((("uploadId", upload_id),))
            await self._ask(Outgoing("DELETE", self._area, key, query))

    async def _versions(self) -> _Versions:
        area = f"artifact-gateway-probe-{secrets.token_hex(8)}"
        try:
            await self._bucket.create_bucket(area)
        except BackendError:
            # The credentials may make no bucket: what the system bucket keeps is all there is.
            if not await self._bucket.versioning(self._area):
                return NO_VERSIONS
            return await self._versions_in(self._area, self._key(VERSIONED))
        try:
            await self._bucket.enable_versioning(area)
            return await self._versions_in(area, VERSIONED)
        except BackendError:
            return NO_VERSIONS
        finally:
            await self._empty(area, VERSIONED)
            await self._bucket.delete_bucket(area)

    async def _versions_in(self, area: str, key: str) -> _Versions:
        first = await self._bucket.put(area, key, FIRST)
        second = await self._bucket.put(area, key, SECOND)
        if first.version_id is None or second.version_id is None:
            return NO_VERSIONS
        old = await self._bucket.get(area, key, first.version_id, limit=LIMIT)
        inner = f"{key}{PRIVATE_SUFFIX}/v_{first.version_id}"
        private = await self._bucket.head(area, inner) is not None
        await self._bucket.delete(area, key, second.version_id)
        now = await self._bucket.get(area, key, limit=LIMIT)
        return _Versions(
            kept=old is not None and old[1] == FIRST,
            restored=now is not None and now[1] == FIRST,
            private=private,
        )

    async def _put(self, key: str, data: bytes) -> bool:
        status, _ = await self._ask(Outgoing("PUT", self._area, key, body=data))
        return status < HTTPStatus.MULTIPLE_CHOICES

    async def _ask(self, request: Outgoing) -> tuple[int, bytes]:
        upstream = await self._bucket.send(request)
        return upstream.status, await upstream.read(LIMIT)

    def _key(self, name: str) -> str:
        key = self._folder + name
        self._stored.append(key)
        return key

    async def _clean(self) -> None:
        for key in dict.fromkeys(self._stored):
            await self._empty(self._area, key)

    async def _empty(self, area: str, key: str) -> None:
        versions = await self._bucket.versions(area, key)
        for version in versions:
            await self._bucket.delete(area, key, version.version_id)
        if not versions:
            await self._bucket.delete(area, key)
