"""Carry a request's body on: decoded, checked while it streams, its trailers kept."""

from base64 import b64encode
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import md5, sha256

from multidict import CIMultiDict

from gateway.errors import InvalidPath
from gateway.light import light
from gateway.s3.address import KeyRules
from gateway.s3.checks import NOTHING, BackendChecks
from gateway.s3.deletion import DeleteEntry, parse_delete, render_delete
from gateway.s3.digests import checksum
from gateway.s3.exchange import Verified
from gateway.s3.framing import Trailers
from gateway.s3.integrity import checked, checked_whole
from gateway.s3.message import Body
from gateway.s3.payload import Form
from gateway.services.transfer.payloads import body_payload, read_payload

DELETE_BYTES = 8 << 20
IGNORED_BYTES = 1 << 16
UNSIGNED = "UNSIGNED-PAYLOAD"
WHOLE_BYTES = 1 << 16
"""Up to this size a body is taken whole: its request to the backend is one piece then."""
# What the probe has tried; other bodies are small documents, cheap to check here.
TRIED = frozenset({"PutObject", "UploadPart"})
# A header that promises a checksum.
ALGORITHM = "x-amz-sdk-checksum-algorithm"


@light
@dataclass(frozen=True, slots=True)
class Upload:
    """A body for the backend: its length in bytes, its x-amz-content-sha256, and headers.

    With no `payload_hash`, who sends it makes one.
    `trailers` come after it, with their values when it has ended. The headers take the place of
    those of the request; `drop` goes from them.
    """

    body: bytes | Body = field(repr=False)
    length: int
    payload_hash: str | None = None
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    drop: frozenset[str] = frozenset()
    trailers: Trailers | None = None


ABSENT = Upload(b"", 0)


async def streamed(
    verified: Verified, checks: BackendChecks = NOTHING, *, takes_trailers: bool = True
) -> Upload:
    """The request's own body, which ends only if everything declared of it is true.

    A small one has been read, whole, unless trailers follow it. What the backend was seen to check
    is not computed here. Checksums that come as trailers go on as trailers, where the backend takes
    some. Raises what `checked` raises, for a body of which no byte is right.
    """
    request, payload = verified.request, body_payload(verified)
    trailing = takes_trailers and bool(payload.trailers)
    if verified.operation.name not in TRIED:
        checks = NOTHING
    elif payload.trailers and not trailing:
        checks = _without_trailers(checks)
    chunks = None if verified.signature is None else verified.signature.chunks
    if trailing:
        trailers = Trailers(payload.trailers)
        body = await checked(request.body, payload, chunks, trailers, elsewhere=checks)
        return Upload(body, payload.length, UNSIGNED, trailers=trailers)
    read = checked_whole if payload.length <= WHOLE_BYTES else checked
    decoded = await read(request.body, payload, chunks, elsewhere=checks)
    sent = payload.sha256 if payload.form is Form.HASHED else UNSIGNED
    drop = frozenset({ALGORITHM} if payload.trailers else ())
    return Upload(decoded, payload.length, sent, drop=drop)


@lru_cache(8)
def _without_trailers(checks: BackendChecks) -> BackendChecks:
    return replace(checks, trailers=())


async def ignored(verified: Verified) -> Upload:
    """No body, for an operation that takes none; one that came is checked and left behind.

    EntityTooLarge for one that is more than a slip.
    """
    if not verified.payload.absent:
        await read_payload(verified, IGNORED_BYTES)
    return ABSENT


async def replaced(verified: Verified, body: bytes) -> Upload:
    """A body of the gateway's own in place of the request's: what described that one is renewed."""
    payload = body_payload(verified)
    names = (*(name for name, _ in payload.checksums), *payload.trailers)
    headers = CIMultiDict({name: checksum(name, body) for name in names})
    # Some operations demand one of the digests.
    headers["Content-MD5"] = b64encode(md5(body, usedforsecurity=False).digest()).decode()
    drop = frozenset(
        {"x-amz-checksum-algorithm"} if names else {"x-amz-checksum-algorithm", ALGORITHM}
    )
    return Upload(body, len(body), sha256(body).hexdigest(), headers, drop)


async def deletions(verified: Verified, body: bytes | None, prefix: str, rules: KeyRules) -> Upload:
    """The body of a DeleteObjects in the backend's names; InvalidPath for private keys.

    Always written anew: what was read and allowed is what the backend reads.
    """
    document = await read_payload(verified, DELETE_BYTES) if body is None else body
    request = parse_delete(document)
    entries = tuple(_deletion(entry, prefix, rules) for entry in request.entries)
    return await replaced(verified, render_delete(replace(request, entries=entries)))


def _deletion(entry: DeleteEntry, prefix: str, rules: KeyRules) -> DeleteEntry:
    key = prefix + rules.fold(entry.key)
    if rules.is_private(key):
        raise InvalidPath(f"{entry.key!r} is a key that the backend keeps for itself")
    return replace(entry, key=key)
