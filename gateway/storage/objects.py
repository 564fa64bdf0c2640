"""The gateway's own calls to the backend about objects: what is stored, listings, versions."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import TypeAlias

from multidict import CIMultiDict

from gateway.errors import PreconditionFailed
from gateway.s3.address import Address, Query, encode_copy_source
from gateway.storage import answers
from gateway.storage.answers import ObjectPage, VersionPage
from gateway.storage.calls import TRIES, Calls, accepted, holding
from gateway.storage.upstream import (
    ListedObject,
    ObjectHead,
    ObjectVersion,
    Outgoing,
    StoredObject,
)

VERSION_PAGE = 1000
LONG_PAGE = 65_536
"""Of so many bytes a page takes milliseconds to read."""

# A delete marker asked for by its version id is 405.
ABSENT = frozenset((404, 405))
# 409 is AWS's word for two conditional writes at the same moment.
LOST = frozenset((409, 412))
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
# Named here: inside the class, `list` is a method.
Page: TypeAlias = list[ListedObject]
History: TypeAlias = list[ObjectVersion]
Folders: TypeAlias = list[str]


class Objects(Calls):
    """Calls on objects, their listings and their versions, with values in and out."""

    async def head(self, bucket: str, key: str, version_id: str | None = None) -> ObjectHead | None:
        """What is stored under the key, or None; a delete marker is None too."""
        answer = await self._call(Outgoing("HEAD", bucket, key, _version(version_id)))
        if answer.status in ABSENT:
            return None
        return answers.head_of(accepted(answer).headers)

    async def get(
        self, bucket: str, key: str, version_id: str | None = None, *, limit: int
    ) -> tuple[ObjectHead, bytes] | None:
        """The object and its bytes, or None; EntityTooLarge beyond `limit` bytes."""
        answer = await self._call(Outgoing("GET", bucket, key, _version(version_id)), limit=limit)
        if answer.status in ABSENT:
            if (refusal := answers.failure(answer)).code == "NoSuchBucket":
                raise refusal
            return None
        return answers.head_of(accepted(answer).headers), answer.data

    async def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        if_absent: bool = False,
    ) -> StoredObject:
        """What was stored. With `if_absent`, PreconditionFailed when the key is taken.

        Such a PUT is sent once: after ServiceUnavailable the object may be there.
        """
        own = CIMultiDict(headers)
        if if_absent:
            own["If-None-Match"] = "*"
        answer = await self._call(
            holding("PUT", bucket, key, data, headers=own), tries=1 if if_absent else TRIES
        )
        if if_absent and answer.status in LOST:
            raise PreconditionFailed("an object is already stored under this key")
        accepted(answer)
        return StoredObject(answer.headers.get("etag", ""), answer.headers.get("x-amz-version-id"))

    async def copy(
        self, bucket: str, source_key: str, source_version: str | None, key: str
    ) -> StoredObject:
        """The copy, with the source's headers and metadata; BackendError without a source."""
        source = encode_copy_source(Address(bucket, source_key), source_version)
        headers = CIMultiDict({"x-amz-copy-source": source})
        answer = accepted(await self._call(Outgoing("PUT", bucket, key, headers=headers)))
        etag = answers.copied_etag(answer.data)
        return StoredObject(etag, answer.headers.get("x-amz-version-id"))

    async def delete(self, bucket: str, key: str, version_id: str | None = None) -> str | None:
        """The marker's version id, where one hides the key now; the key or version is gone.

        Whether it was there or not.
        """
        answer = await self._call(Outgoing("DELETE", bucket, key, _version(version_id)))
        if answer.status != HTTPStatus.NOT_FOUND:
            accepted(answer)
        return answer.headers.get("x-amz-version-id")

    async def list(
        self, bucket: str, prefix: str, *, start_after: str = "", delimiter: str = ""
    ) -> AsyncIterator[Page]:
        """Pages of the objects whose key begins with `prefix`, in the backend's order.

        With a delimiter, those directly below alone: common prefixes are left out.
        """
        query = Query((("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)))
        if delimiter:
            query = query.adding("delimiter", delimiter)
        following = query.adding("start-after", start_after) if start_after else query
        while True:
            answer = accepted(await self._call(Outgoing("GET", bucket, query=following)))
            page = await _page(answer.data)
            # A backend may answer with keys of its own making for a prefix of its own.
            yield [found for found in page.objects if found.key.startswith(prefix)]
            if page.token is None:
                return
            following = query.adding("continuation-token", page.token)

    async def folders(self, bucket: str, prefix: str) -> AsyncIterator[Folders]:
        """Pages of the common prefixes directly below `prefix`, each with its slash."""
        query = Query((("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)))
        query = following = query.adding("delimiter", "/")
        while True:
            answer = accepted(await self._call(Outgoing("GET", bucket, query=following)))
            page = await _page(answer.data)
            yield [found for found in page.folders if found.startswith(prefix) and found != prefix]
            if page.token is None:
                return
            following = query.adding("continuation-token", page.token)

    async def versions(self, bucket: str, key: str) -> History:
        """All versions and delete markers of exactly this key, newest first."""
        pages = [page async for page in self._pages_of(bucket, key)]
        return _history(pages, key)

    async def whole_history(self, bucket: str, key: str, *, bytewise: bool) -> History | None:
        """As `versions`; None where nobody can say whether that is all.

        A backend that does not list in the order of the keys' bytes loses keys where its pages
        end, unless they end within this one.
        """
        pages = [page async for page in self._pages_of(bucket, key)]
        if not bytewise and any(page.key_marker not in (None, key) for page in pages):
            return None
        return _history(pages, key)

    def _pages_of(self, bucket: str, key: str) -> AsyncIterator[VersionPage]:
        # The delimiter folds away what lies below a "directory" of the key's name.
        return self.version_pages(bucket, key, delimiter="" if key.endswith("/") else "/")

    async def histories(
        self, bucket: str, prefix: str, *, delimiter: str = ""
    ) -> AsyncIterator[History]:
        """Pages of all versions and delete markers below `prefix`, in the backend's order.

        SeaweedFS loses keys at the borders of pages: who misses one asks for it by its id.
        """
        async for page in self.version_pages(bucket, prefix, delimiter=delimiter):
            yield page.versions

    async def version_pages(
        self, bucket: str, prefix: str, *, delimiter: str = ""
    ) -> AsyncIterator[VersionPage]:
        """As `histories`, with the markers at which each page ends."""
        query = Query((("versions", ""), ("encoding-type", "url"), ("prefix", prefix)))
        query = query.adding("max-keys", str(VERSION_PAGE))
        query = following = query.adding("delimiter", delimiter) if delimiter else query
        while True:
            answer = accepted(await self._call(Outgoing("GET", bucket, query=following)))
            page = answers.versions_page(answer.data)
            # A backend may answer with keys of its own making for a prefix of its own.
            found = [version for version in page.versions if version.key.startswith(prefix)]
            yield VersionPage(found, page.key_marker, page.version_id_marker)
            if page.key_marker is None:
                return
            following = query.adding("key-marker", page.key_marker)
            if page.version_id_marker:
                following = following.adding("version-id-marker", page.version_id_marker)


async def _page(data: bytes) -> ObjectPage:
    """A page of a listing, read beside the event loop where that takes long."""
    if len(data) < LONG_PAGE:
        return answers.objects_page(data)
    return await asyncio.to_thread(answers.objects_page, data)


def _history(pages: Iterable[VersionPage], key: str) -> History:
    found = [version for page in pages for version in page.versions if version.key == key]
    # Times may be of whole seconds: among equal ones the backend's order stands.
    return sorted(found, key=lambda one: (one.latest, one.last_modified), reverse=True)


def _version(version_id: str | None) -> Query:
    return Query(() if version_id is None else (("versionId", version_id),))
