"""Requests as they go on the wire, signed beforehand: wrk can't sign."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.acceptance.backends import REGION
from tests.acceptance.keys import Key

CHUNK = 64 * 1024
EMPTY = hashlib.sha256(b"").hexdigest()


class Payload(Enum):
    """What a PUT says of its body: nothing, its SHA-256, or a signature for each chunk."""

    UNSIGNED = "UNSIGNED-PAYLOAD"
    HASH = "hash"
    CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request before it is signed; `target` is the path with its query, encoded."""

    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: Payload = Payload.UNSIGNED

    def signed(self, url: str, key: Key) -> bytes:
        """The bytes of the request, with a Signature V4 in its headers, good for 15 minutes."""
        headers = dict(self.headers)
        if self.payload is Payload.CHUNKS:
            headers["Content-Encoding"] = "aws-chunked"
            headers["x-amz-decoded-content-length"] = str(len(self.body))
        request = AWSRequest(self.method, url + self.target, headers=headers)
        declared = self.payload.value
        if self.payload is Payload.HASH:
            declared = hashlib.sha256(self.body).hexdigest()
        auth = _Auth(key, declared)
        auth.add_auth(request)
        body = auth.chunks(request, self.body) if self.payload is Payload.CHUNKS else self.body
        return self._bytes(url, dict(request.headers.items()), body)

    def headers_for(self, url: str, key: Key) -> Mapping[str, str]:
        """The headers of the request with its signature, for clients that write it themselves."""
        request = AWSRequest(self.method, url + self.target, headers=dict(self.headers))
        _Auth(key, self.payload.value).add_auth(request)
        return dict(request.headers.items())

    def plain(self, url: str) -> bytes:
        """The bytes of the request without a signature, or with the one in its target."""
        return self._bytes(url, self.headers, self.body)

    def _bytes(self, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or self.method in {"PUT", "POST"}:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


class _Auth(S3SigV4Auth):  # type: ignore[misc] # botocore comes without types
    """botocore's own signature, over a payload hash that is given."""

    def __init__(self, key: Key, declared: str) -> None:
        super().__init__(Credentials(key.access_key_id, key.secret_access_key), "s3", REGION)
        self._declared = declared

    def payload(self, request: AWSRequest) -> str:
        """The payload hash."""
        del request
        return self._declared

    def chunks(self, request: AWSRequest, body: bytes) -> bytes:
        """The body in signed chunks, each of which signs the one before it."""
        signature = request.headers["Authorization"].rpartition("Signature=")[2]
        parts = []
        for start in [*range(0, len(body), CHUNK), len(body)]:
            chunk = body[start : start + CHUNK]
            to_sign = "\n".join(
                [
                    "AWS4-HMAC-SHA256-PAYLOAD",
                    request.context["timestamp"],
                    self.credential_scope(request),
                    signature,
                    EMPTY,
                    hashlib.sha256(chunk).hexdigest(),
                ]
            )
            signature = self.signature(to_sign, request)
            parts += [b"%x;chunk-signature=%b\r\n" % (len(chunk), signature.encode()), chunk]
            parts.append(b"\r\n")
        return b"".join(parts)
