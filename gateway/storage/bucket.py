"""The backend: requests signed with its credentials and streamed over one pooled session."""

import asyncio
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs
from aiohttp.tracing import Trace
from multidict import CIMultiDict
from yarl import URL

from gateway.config import Backend
from gateway.errors import EntityTooLarge, InvalidArgument, ServiceUnavailable
from gateway.s3.address import Address, encode_path
from gateway.s3.chunked import ChunkSigning
from gateway.s3.message import Body
from gateway.s3.signer import Signer
from gateway.storage.buckets import Buckets
from gateway.storage.credentials import CredentialsSource, chosen
from gateway.storage.objects import Objects
from gateway.storage.parts import Parts
from gateway.storage.upload import IDLE_SECONDS, Carriage, Upload, carriage_of
from gateway.storage.upstream import (
    BackendError,
    BrokenUpstream,
    ListedObject,
    ObjectHead,
    ObjectVersion,
    OpenUpload,
    Outgoing,
    StoredObject,
    Upstream,
)

__all__ = [
    "BackendError",
    "BrokenUpstream",
    "Bucket",
    "ListedObject",
    "ObjectHead",
    "ObjectVersion",
    "OpenUpload",
    "Outgoing",
    "StoredObject",
    "Upstream",
]

CONNECT_SECONDS = 5
# Below what servers and balancers allow, so that an idle connection is ours to close.
KEEPALIVE_SECONDS = 10
HEADER_BYTES = 1 << 16
BUFFER_BYTES = 1 << 18
SILENT = frozenset(("GET", "HEAD"))
FORBIDDEN = frozenset("\r\n\0")
SKIPPED = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)


class Bucket(Objects, Parts, Buckets):
    """The backend client of one process: an async context manager around its connections."""

    def __init__(self, backend: Backend, credentials: CredentialsSource | None = None) -> None:
        self.region = backend.region
        self._credentials = chosen(backend) if credentials is None else credentials
        self._endpoint = urlsplit(backend.endpoint_url.rstrip("/"))
        self._virtual = backend.addressing_style == "virtual"
        self.payload_signing = backend.payload_signing
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Pool(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=IDLE_SECONDS
            ),
            auto_decompress=False,
            skip_auto_headers=SKIPPED,
            read_bufsize=BUFFER_BYTES,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            middlewares=(_sent_once,),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Outgoing) -> Upstream:
        """The backend's answer, its body not yet read, whatever its status.

        ServiceUnavailable when there is no connection within 5 s, when it breaks before the
        answer's headers, or when nothing moves for 60 s. A body that is a stream is sent once;
        what the stream raises comes back as it was raised. IncompleteBody when it has not
        exactly its length. InvalidArgument when a header holds a line break or NUL.
        """
        try:
            return await self._send(request)
        except _Reset:
            # The pool may hand out a connection that the backend is just closing.
            if request.method not in SILENT or request.body:
                raise ServiceUnavailable("the backend broke the connection; try again") from None
        try:
            return await self._send(request)
        except _Reset as error:
            raise ServiceUnavailable("the backend broke the connection; try again") from error

    async def _send(self, request: Outgoing) -> Upstream:
        if self._session is None:
            raise RuntimeError("the bucket is not open")
        carriage = carriage_of(request, sign_chunks=self.payload_signing == "chunks")
        url, headers, chunks = await self._signed(request, carriage)
        upload = Upload(request, carriage, chunks)
        try:
            async with asyncio.timeout(None) as deadline:
                response = await self._session.request(
                    request.method,
                    url,
                    headers=headers,
                    data=upload.pieces(deadline) if upload.length else None,
                    allow_redirects=False,
                )
        except _Reset:
            if upload.failure is not None:
                raise upload.failure from None
            raise
        except (aiohttp.ClientError, TimeoutError) as error:
            if upload.failure is not None:
                raise upload.failure from None
            raise ServiceUnavailable("the backend does not answer; try again") from error
        finally:
            upload.deadline = None
        return _Answer(response, upload)

    async def _signed(
        self, request: Outgoing, carriage: Carriage
    ) -> tuple[URL, CIMultiDict[str], ChunkSigning]:
        key = await self._credentials.current()
        host = self._endpoint.netloc
        if self._virtual and request.bucket:
            host = f"{request.bucket}.{host}"
            path = encode_path(Address("", request.key))
        else:
            path = encode_path(Address(request.bucket, request.key))
        path = self._endpoint.path + path
        query = request.query.encode()
        headers = CIMultiDict(request.headers)
        headers.update(carriage.headers)
        for name, value in headers.items():
            _check(name, value)
        signer = Signer(key.access_key_id, key.secret_access_key, self.region, key.token)
        signed = signer.sign(
            request.method, host, path, query, headers, carriage.payload_hash, datetime.now(UTC)
        )
        headers.update(signed)
        headers[hdrs.HOST] = host
        if carriage.length or request.method in ("PUT", "POST"):
            headers[hdrs.CONTENT_LENGTH] = str(carriage.length)
        target = f"{self._endpoint.scheme}://{host}{path}{'?' if query else ''}{query}"
        return URL(target, encoded=True), headers, signer.chunks(signed)


class _Pool(aiohttp.TCPConnector):
    """Connections of which none has said anything that was not asked for.

    A backend that sends a body where none may be (with 204, 304, to HEAD) would have it taken
    for the answer to the next request on that connection: somebody else's.
    """

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp names it so
    ) -> aiohttp.connector.Connection:
        """A connection to send on."""
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


class _Reset(aiohttp.ClientError):
    """The connection broke before an answer."""


async def _sent_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    # aiohttp repeats idempotent requests by itself, PUT and DELETE among them; but a repeated
    # conditional PUT refuses what the first one stored. Another class of error prevents it.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Reset(str(error)) from error


class _Answer(Upstream):
    """An answer over aiohttp, which reuses connections on which all was sent and read."""

    def __init__(self, response: ClientResponse, upload: Upload) -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._upload = upload

    async def read(self, limit: int) -> bytes:
        """The whole body."""
        data = bytearray()
        try:
            async for piece in self.stream():
                data += piece
                if len(data) > limit:
                    raise EntityTooLarge(f"more than {limit} bytes can't be held whole")
        finally:
            await self.close()
        return bytes(data)

    def stream(self) -> Body:
        """The body as it comes."""
        return _Stream(self._response, self)

    async def close(self) -> None:
        """Nothing; the request's body is not read from here on."""
        # Both do nothing more to a connection that has already gone back to the pool.
        self._response.close()
        await self._upload.quiet()


class _Stream:
    """The body of an answer. A class: a generator that never ran would not close."""

    def __init__(self, response: ClientResponse, answer: _Answer) -> None:
        self._pieces = response.content.iter_any()
        self._answer = answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            await self._answer.close()
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            await self._answer.close()
            raise BrokenUpstream(f"the backend broke its answer off: {error}") from error

    async def aclose(self) -> None:
        """Nothing; an answer that was not read to its end is cut off."""
        await self._answer.close()


def _check(name: str, value: str) -> None:
    if not FORBIDDEN.isdisjoint(name) or not FORBIDDEN.isdisjoint(value):
        raise InvalidArgument(f"the header {name!r} holds a line break or NUL")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"the header {name!r} is not UTF-8") from None
