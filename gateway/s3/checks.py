"""What was declared of a body, and whether it agrees with the bytes that came."""

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import md5, sha256

from gateway.errors import BadDigest, InvalidRequest, XAmzContentSHA256Mismatch
from gateway.s3.digests import CHECKSUMS, Digest
from gateway.s3.payload import Form, Payload, is_checksum


@dataclass(frozen=True, slots=True)
class BackendChecks:
    """What a backend was seen to check of a body, where the declaration goes on as it came.

    `payload_hash` is x-amz-content-sha256 in hex. `headers` and `trailers` are the names of the
    checksums that it computes when they are declared there.
    """

    payload_hash: bool = False
    content_md5: bool = False
    headers: tuple[str, ...] = ()
    trailers: tuple[str, ...] = ()


NOTHING = BackendChecks()
"""What is known of a backend that nobody has tried."""


class Checks:
    """The running digests of one body, and what they have to come to."""

    def __init__(self, payload: Payload, elsewhere: BackendChecks) -> None:
        self._payload = payload
        hashed = payload.form is Form.HASHED and not elsewhere.payload_hash
        self._sha256 = sha256() if hashed else None
        summed = payload.content_md5 is not None and not elsewhere.content_md5
        self._md5 = md5(usedforsecurity=False) if summed else None
        self._headers: tuple[tuple[str, str], ...] = ()
        self._trailers: tuple[str, ...] = ()
        self._checksums: dict[str, Digest] = {}
        if payload.checksums or payload.trailers:
            self._sum(payload, elsewhere)
        running = (self._sha256, self._md5, *self._checksums.values())
        self._running: list[Digest] = [digest for digest in running if digest is not None]

    def _sum(self, payload: Payload, elsewhere: BackendChecks) -> None:
        self._headers = tuple(
            (name, value) for name, value in payload.checksums if name not in elsewhere.headers
        )
        self._trailers = tuple(name for name in payload.trailers if name not in elsewhere.trailers)
        for name, value in self._headers:
            if not is_checksum(name, value):
                raise InvalidRequest(f"Value for {name} header is invalid.")
        names = {name for name, _ in self._headers}.union(self._trailers)
        self._checksums = {name: CHECKSUMS[name]() for name in names}

    @property
    def none(self) -> bool:
        """Whether nothing is computed of the body."""
        return not self._running

    def update(self, blocks: Sequence[bytes | memoryview]) -> None:
        """Take the next blocks of the body in."""
        if self._running:
            for block in blocks:
                for digest in self._running:
                    digest.update(block)

    def verify(self, trailers: Mapping[str, str]) -> None:
        """Nothing, if all that was declared agrees with the body that came."""
        payload = self._payload
        if self._sha256 and not hmac.compare_digest(self._sha256.hexdigest(), payload.sha256):
            raise XAmzContentSHA256Mismatch(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                ClientComputedContentSHA256=payload.sha256,
                S3ComputedContentSHA256=self._sha256.hexdigest(),
            )
        if self._md5 and self._md5.digest() != payload.content_md5:
            raise BadDigest("The Content-MD5 you specified did not match what we received.")
        computed = {
            name: b64encode(sum_.digest()).decode() for name, sum_ in self._checksums.items()
        }
        for name, value in self._declared(trailers):
            if computed[name] != value:
                algorithm = name.removeprefix("x-amz-checksum-").upper()
                raise BadDigest(
                    f"The {algorithm} you specified did not match the calculated checksum."
                )

    def _declared(self, trailers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        yield from self._headers
        for name in self._trailers:
            yield name, trailers[name]
