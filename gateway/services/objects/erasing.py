"""Delete many objects in one request, each by the rules of its place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.artifact.layout import Role
from gateway.errors import GatewayError, InvalidPath, MalformedXML
from gateway.identity import Workspace
from gateway.s3.address import Address, KeyRules, Query
from gateway.s3.deletion import (
    MAX_ENTRIES,
    Deleted,
    DeleteEntry,
    DeleteFailure,
    DeleteResult,
    parse_delete,
    render_delete_result,
)
from gateway.s3.exchange import Verified
from gateway.s3.message import Reply, Request
from gateway.s3.operation import identify
from gateway.s3.payload import parse_payload
from gateway.s3.xml import parse
from gateway.services.transfer.forwarding import Changes, Forwarding
from gateway.services.transfer.payloads import read_payload
from gateway.storage.catalogue import Catalogue

OK = 200
ERROR = 400
DOCUMENT_BYTES = 4 << 20
AT_ONCE = 8

DeleteOne = Callable[[Verified], Awaitable[Reply]]


class Erasing:
    """Answers DeleteObjects."""

    def __init__(self, catalogue: Catalogue, forwarding: Forwarding, rules: KeyRules) -> None:
        self._catalogue = catalogue
        self._forwarding = forwarding
        self._rules = rules

    async def delete_many(
        self, workspace: Workspace, verified: Verified, delete_one: DeleteOne
    ) -> Reply:
        """What went and what did not; `delete_one` answers the DELETE of a single object.

        A list in which no key is an artifact's, nor a version any commit's, goes to the
        backend as it came.
        """
        document = await read_payload(verified, DOCUMENT_BYTES)
        request = parse_delete(document)
        if not await self._concerns_artifacts(workspace, request.entries):
            return await self._forwarding.forward(verified, workspace, Changes(body=document))
        if len(request.entries) > MAX_ENTRIES:
            raise MalformedXML(f"a Delete document names at most {MAX_ENTRIES} objects")
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(entry: DeleteEntry) -> Deleted | DeleteFailure:
            async with limit:
                return await self._outcome(verified, entry, delete_one)

        outcomes = await asyncio.gather(*(one(entry) for entry in request.entries))
        deleted = () if request.quiet else tuple(o for o in outcomes if isinstance(o, Deleted))
        failures = tuple(o for o in outcomes if isinstance(o, DeleteFailure))
        headers = CIMultiDict({"Content-Type": "application/xml"})
        return Reply(OK, headers, render_delete_result(DeleteResult(deleted, failures)))

    async def _concerns_artifacts(
        self, workspace: Workspace, entries: tuple[DeleteEntry, ...]
    ) -> bool:
        for entry in entries:
            key = self._rules.fold(entry.key).rstrip("/")
            if entry.version_id is not None and await self._catalogue.pinned(
                workspace.id, key, entry.version_id
            ):
                return True
        if not await self._catalogue.has_artifacts(workspace.id):
            return False
        for entry in entries:
            key = self._rules.fold(entry.key)
            location = await self._catalogue.locate(workspace.id, key)
            if location.artifact is not None or location.place.role is Role.ARRIVING:
                return True
        return False

    async def _outcome(
        self, verified: Verified, entry: DeleteEntry, delete_one: DeleteOne
    ) -> Deleted | DeleteFailure:
        try:
            key = self._rules.fold(entry.key)
            if self._rules.is_private(key):
                raise InvalidPath("the backend keeps this key for itself", key=key)
            reply = await delete_one(_single(verified, entry, key))
        except GatewayError as error:
            return DeleteFailure(entry.key, entry.version_id, error.code, error.message)
        if reply.status >= ERROR:
            document = reply.body
            if not isinstance(document, bytes):
                document = b"".join([chunk async for chunk in document])
            root = parse(document)
            code = root.findtext("Code") or "InternalError"
            return DeleteFailure(entry.key, entry.version_id, code, root.findtext("Message") or "")
        marker = reply.headers.get("x-amz-delete-marker") == "true"
        made = reply.headers.get("x-amz-version-id")
        return Deleted(entry.key, entry.version_id, marker, made if marker else None)


def _single(verified: Verified, entry: DeleteEntry, key: str) -> Verified:
    """The DeleteObject that one entry of the list stands for, with its key as it is stored."""
    headers = CIMultiDict[str]()
    if entry.etag is not None:
        headers["If-Match"] = entry.etag
    if entry.last_modified is not None:
        headers["x-amz-if-match-last-modified-time"] = entry.last_modified
    if entry.size is not None:
        headers["x-amz-if-match-size"] = entry.size
    address = Address(verified.address.bucket, key)
    query = Query() if entry.version_id is None else Query((("versionId", entry.version_id),))
    request = Request(
        method="DELETE",
        path=verified.request.path,
        query=query.encode(),
        headers=CIMultiDictProxy(headers),
        body=_nothing(),
        length=0,
        remote=verified.request.remote,
    )
    return replace(
        verified,
        request=request,
        operation=identify("DELETE", address, query, headers),
        address=address,
        query=query,
        payload=parse_payload(headers, "UNSIGNED-PAYLOAD", 0),
        source=None,
    )


async def _nothing() -> AsyncIterator[bytes]:
    """A body without a byte."""
    chunks: tuple[bytes, ...] = ()
    for chunk in chunks:
        yield chunk
