"""The backend: requests signed with its credentials, and sent over pooled connections."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urlsplit

from gateway.config import Backend
from gateway.errors import ServiceUnavailable
from gateway.light import light
from gateway.s3.address import Address, encode_path
from gateway.s3.message import Note
from gateway.s3.signer import Signer
from gateway.storage.buckets import Buckets
from gateway.storage.credentials import BackendCredentials, CredentialsSource, chosen
from gateway.storage.objects import Objects
from gateway.storage.parts import Parts
from gateway.storage.upload import Carriage, Upload, carriage_of
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
from gateway.storage.wire.answer import Reset, exchange
from gateway.storage.wire.head import request_head
from gateway.storage.wire.pool import NotConnected, Pool

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

SILENT = frozenset(("GET", "HEAD"))

REPEATED = frozenset(
    ("if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range")
)
"""The headers that many send alike, and that hold no secret."""

SIGNED_SECONDS = 5
"""For how long requests are signed with one time: backends take minutes for the same."""

MOST_KEPT = 1_024
"""Of how many requests without a body the head is kept, while they are signed with its time."""

LONGEST_KEPT = 2_048

_Pairs = tuple[tuple[str, str], ...]
_About = tuple[str, str, str, _Pairs, _Pairs]


@light
@dataclass(frozen=True, slots=True)
class Written:
    """A request as it goes: whom to connect to, its head as `signer` signed it, and its body."""

    signer: Signer
    host: str
    head: bytes = field(repr=False)
    upload: Upload


WRITTEN: Note[Written] = Note()


class Bucket(Objects, Parts, Buckets):
    """The backend client of one process: an async context manager around its connections."""

    def __init__(self, backend: Backend, credentials: CredentialsSource | None = None) -> None:
        self.region = backend.region
        self._credentials = chosen(backend) if credentials is None else credentials
        self._endpoint = urlsplit(backend.endpoint_url.rstrip("/"))
        self._virtual = backend.addressing_style == "virtual"
        self.payload_signing = backend.payload_signing
        self._pool = Pool(self._endpoint.scheme)
        self._open = False
        self._signing: tuple[int, BackendCredentials, Signer] | None = None
        # By what is asked for.
        self._made: dict[_About, Written] = {}

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open = False
        self._pool.close()

    async def send(self, request: Outgoing) -> Upstream:
        """The backend's answer, its body not yet read, whatever its status.

        ServiceUnavailable when there is no connection within 5 s, when it breaks before the
        answer's headers, or when nothing moves for 60 s. A body that is a stream is sent once;
        what the stream raises comes back as it was raised. IncompleteBody when it has not
        exactly its length. InvalidArgument when a header holds a line break or NUL.
        """
        if not self._open:
            raise RuntimeError("the bucket is not open")
        again = request.method in SILENT and not request.body
        while True:
            key = self._credentials.fixed or await self._credentials.current()
            written = self._signed(request, key)
            connection = self._pool.kept(written.host)
            if connection is None:
                try:
                    connection = await self._pool.connect(written.host)
                except NotConnected as error:
                    raise ServiceUnavailable("the backend does not answer; try again") from error
            try:
                return await exchange(
                    connection,
                    request.method,
                    written.head,
                    written.upload,
                    eager=not request.key,  # only objects are tapped
                )
            except Reset as error:
                # The pool may hand out a connection that the backend is just closing.
                if not again:
                    raise ServiceUnavailable(
                        "the backend broke the connection; try again"
                    ) from error
                again = False

    def _signed(self, request: Outgoing, key: BackendCredentials) -> Written:
        """How a request goes; of what many ask for, made once in some seconds."""
        signer = self._signer_of(key)
        known = request.notes.get(WRITTEN)
        if known is not None and known.signer is signer:
            return known
        carriage = carriage_of(request, sign_chunks=self.payload_signing == "chunks")
        if request.method not in SILENT or carriage.length:
            return self._written(request, carriage, signer)
        headers = tuple(request.headers.items())
        if not all(map(_is_repeated, headers)):
            return self._written(request, carriage, signer)
        about = (request.method, request.bucket, request.key, request.query.pairs, headers)
        known = self._made.get(about)
        if known is None or known.signer is not signer:
            known = self._written(request, carriage, signer)
            if len(known.head) <= LONGEST_KEPT:
                self._made.pop(about, None)
                self._made[about] = known
                if len(self._made) > MOST_KEPT:
                    del self._made[next(iter(self._made))]
        request.notes[WRITTEN] = known
        return known

    def _signer_of(self, key: BackendCredentials) -> Signer:
        """What signs with these credentials now: the same each time, for some seconds."""
        turn = int(time.time() // SIGNED_SECONDS)
        made = self._signing
        if made is None or made[0] != turn or (made[1] is not key and made[1] != key):
            now = datetime.fromtimestamp(turn * SIGNED_SECONDS, UTC)
            own, secret, token = key.access_key_id, key.secret_access_key, key.token
            made = self._signing = turn, key, Signer(own, secret, self.region, now, token)
        return made[2]

    def _written(self, request: Outgoing, carriage: Carriage, signer: Signer) -> Written:
        host = self._endpoint.netloc
        if self._virtual and request.bucket:
            host = f"{request.bucket}.{host}"
            path = encode_path(Address("", request.key))
        else:
            path = encode_path(Address(request.bucket, request.key))
        path = self._endpoint.path + path
        query = request.query.encode()
        headers = request.headers
        if carriage.headers:
            headers = headers.copy()
            headers.update(carriage.headers)
        signed = signer.sign(request.method, host, path, query, headers, carriage.payload_hash)
        lines = list(signed.items())
        if headers:
            lines += [header for header in headers.items() if header[0] not in signed]
        if carriage.length or request.method in ("PUT", "POST"):
            lines.append(("Content-Length", str(carriage.length)))
        target = f"{path}?{query}" if query else path
        chunks = signer.chunks(signed) if carriage.signed else None
        head = request_head(request.method, target, lines)
        return Written(signer, host, head, Upload(request, carriage, chunks))


def _is_repeated(header: tuple[str, str]) -> bool:
    return header[0].lower() in REPEATED
