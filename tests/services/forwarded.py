"""Requests as the S3 door hands them down, and what comes home."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TypedDict, Unpack

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import IncompleteBody
from gateway.s3.address import SEAWEEDFS_RULES, Query, parse_copy_source, parse_path
from gateway.s3.checks import NOTHING
from gateway.s3.exchange import CopySource, Verified
from gateway.s3.message import Reply, Request
from gateway.s3.operation import COPY_SOURCE, identify
from gateway.s3.payload import parse_payload
from gateway.storage.capabilities import Capabilities

WEED = Capabilities(
    keys=SEAWEEDFS_RULES,
    checks=NOTHING,
    takes_trailers=True,
    conditional_put=True,
    versioning=True,
    delete_by_version=True,
)


class Parts(TypedDict, total=False):
    query: str
    headers: Mapping[str, str]
    body: bytes
    cut_at: int


async def arriving(body: bytes, cut_at: int) -> AsyncIterator[bytes]:
    for start in range(0, min(len(body), cut_at), 30_000):
        await asyncio.sleep(0)
        yield body[start : min(start + 30_000, cut_at)]
    if cut_at < len(body):
        raise IncompleteBody("the client left")


def verified(method: str, path: str, **parts: Unpack[Parts]) -> Verified:
    """An unsigned request, as the S3 door hands it down."""
    body = parts.get("body", b"")
    headers = CIMultiDict(parts.get("headers", {}))
    headers.setdefault("Host", "gateway.example")
    if body:
        headers["Content-Length"] = str(len(body))
    request = Request(
        method,
        path,
        parts.get("query", ""),
        CIMultiDictProxy(headers),
        arriving(body, parts.get("cut_at", len(body))),
        len(body) if body else None,
    )
    address, query = parse_path(path), Query.parse(request.query)
    source = None
    if COPY_SOURCE in headers:
        source = CopySource(*parse_copy_source(headers[COPY_SOURCE]))
    return Verified(
        request,
        identify(method, address, query, headers),
        address,
        query,
        parse_payload(headers, None, request.length),
        source=source,
    )


async def whole(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([piece async for piece in reply.body])
