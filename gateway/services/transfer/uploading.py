"""Carry a request's body on: decoded, checked while it streams, framed for the backend."""

from base64 import b64encode
from dataclasses import dataclass, field, replace
from hashlib import md5, sha256

from multidict import CIMultiDict

from gateway.errors import InvalidPath
from gateway.s3.address import KeyRules
from gateway.s3.chunked import Trailers, encode_unsigned_trailer, encoded_length
from gateway.s3.deletion import DeleteEntry, parse_delete, render_delete
from gateway.s3.exchange import Verified
from gateway.s3.integrity import checked
from gateway.s3.message import Body
from gateway.s3.payload import Form
from gateway.services.transfer.payloads import read_payload

DELETE_BYTES = 8 << 20
UNSIGNED = "UNSIGNED-PAYLOAD"
AWS_CHUNKED = "aws-chunked"


@dataclass(frozen=True, slots=True)
class Upload:
    """A body for the backend: its length in bytes, its x-amz-content-sha256, and headers.

    The headers take the place of those of the request; `drop` goes from them.
    """

    body: bytes | Body = field(repr=False)
    length: int
    payload_hash: str
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    drop: frozenset[str] = frozenset()


async def streamed(verified: Verified, *, backend_checks: bool) -> Upload:
    """The request's own body, which ends only if everything declared of it is true.

    A hash is not computed here where the backend checks it. Checksums that come as trailers
    go on as trailers. Raises what `checked` raises, for a body of which no byte is right.
    """
    payload, request = verified.payload, verified.request
    hashed = payload.form is Form.HASHED
    declared = payload
    if hashed and backend_checks:
        declared = replace(payload, form=Form.UNSIGNED, sha256="")
    chunks = None if verified.signature is None else verified.signature.chunks
    trailers = Trailers()
    body = await checked(request.body, declared, chunks, trailers)
    if payload.trailers:
        return _trailing(verified, body, trailers)
    if not payload.length:
        # Nothing is left to send, and bytes can be sent again where a stream can't.
        return Upload(b"", 0, payload.sha256 if hashed else UNSIGNED)
    return Upload(body, payload.length, payload.sha256 if hashed else UNSIGNED)


def replaced(verified: Verified, body: bytes) -> Upload:
    """A body of the gateway's own in place of the request's: what described that one goes."""
    digest = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    stale = {"content-md5", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm"}
    stale.update(name.lower() for name, _ in verified.payload.checksums)
    stale.update(name.lower() for name in verified.payload.trailers)
    # Some operations demand one of the digests.
    return Upload(
        body,
        len(body),
        sha256(body).hexdigest(),
        CIMultiDict({"Content-MD5": digest}),
        frozenset(stale),
    )


async def deletions(verified: Verified, body: bytes | None, prefix: str, rules: KeyRules) -> Upload:
    """The body of a DeleteObjects in the backend's names; InvalidPath for private keys."""
    document = await read_payload(verified, DELETE_BYTES) if body is None else body
    request = parse_delete(document)
    entries = tuple(_deletion(entry, prefix, rules) for entry in request.entries)
    if entries != request.entries:
        return replaced(verified, render_delete(replace(request, entries=entries)))
    if body is not None or verified.payload.form.chunked:
        return replaced(verified, document)
    return Upload(document, len(document), sha256(document).hexdigest())


def _deletion(entry: DeleteEntry, prefix: str, rules: KeyRules) -> DeleteEntry:
    key = prefix + rules.fold(entry.key)
    if rules.is_private(key):
        raise InvalidPath(f"{entry.key!r} is a key that the backend keeps for itself")
    return replace(entry, key=key)


def _trailing(verified: Verified, body: Body, trailers: Trailers) -> Upload:
    payload = verified.payload
    headers = CIMultiDict(
        {
            "x-amz-decoded-content-length": str(payload.length),
            "x-amz-trailer": ",".join(payload.trailers),
        }
    )
    encoding = verified.request.headers.get("Content-Encoding", "")
    if AWS_CHUNKED in encoding.lower():
        headers["Content-Encoding"] = encoding
    return Upload(
        encode_unsigned_trailer(body, payload.length, payload.trailers, trailers),
        encoded_length(payload.length, payload.trailers),
        Form.UNSIGNED_CHUNKS_TRAILER.value,
        headers,
    )
