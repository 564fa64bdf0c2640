"""Signature V4 over raw bytes: what the gateway's own code and botocore's have no part in."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

SCOPE = "20240229/us-east-1/s3/aws4_request"
TIME = "20240229T123456Z"
UNSIGNED = "UNSIGNED-PAYLOAD"


def signature(secret: str, canonical: bytes, time: str = TIME, scope: str = SCOPE) -> str:
    """The signature of these bytes of a canonical request, in hex."""
    key = f"AWS4{secret}".encode()
    digest = hashlib.sha256(canonical).hexdigest()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def signed_headers(
    secret: str,
    key_id: str,
    method: str,
    target: bytes,
    headers: Mapping[str, str],
    time: str = TIME,
    scope: str = SCOPE,
) -> dict[str, str]:
    """Headers that sign `target` as it is spelled, its query sorted; lower-case names."""
    path, _, query = target.partition(b"?")
    pairs = sorted(pair.partition(b"=")[::2] for pair in query.split(b"&") if pair)
    fields = {**headers, "x-amz-date": time, "x-amz-content-sha256": UNSIGNED}
    canonical = b"\n".join(
        [
            method.encode(),
            path,
            b"&".join(b"%s=%s" % pair for pair in pairs),
            *(f"{name}:{fields[name]}".encode() for name in sorted(fields)),
            b"",
            ";".join(sorted(fields)).encode(),
            UNSIGNED.encode(),
        ]
    )
    made = signature(secret, canonical, time, scope)
    fields["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, "
        f"SignedHeaders={';'.join(sorted(name for name in fields))}, Signature={made}"
    )
    return fields


def named(path: bytes) -> tuple[str, str] | None:
    """Bucket and key that a raw path spells: None where it can't be read.

    Split at the second raw slash, decoded once; nothing else.
    """
    if not path.startswith(b"/") or re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        return None
    bucket, _, key = path[1:].partition(b"/")
    try:
        return unquote_to_bytes(bucket).decode(), unquote_to_bytes(key).decode()
    except UnicodeDecodeError:
        return None
