"""AWS Signature Version 4, made: for requests to the backend, and for the gateway's URLs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.errors import InvalidArgument
from gateway.light import light
from gateway.s3.address import Query
from gateway.s3.canonical import (
    ALGORITHM,
    UNSIGNED_PAYLOAD,
    amz_date,
    canonical_request,
    credential_scope,
    folded,
    header_value,
    sign,
    signing_key,
    string_to_sign,
)
from gateway.s3.chunked import ChunkSigning

_NOT_SIGNED = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
    }
)
_FORBIDDEN = frozenset("\r\n\0")


@light
@dataclass(frozen=True, slots=True)
class Signer:
    """Credentials of the backend, and signatures made with them."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    session_token: str | None = field(default=None, repr=False)

    def sign(
        self,
        method: str,
        host: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        payload_hash: str,
        now: datetime,
    ) -> dict[str, str]:
        """The headers to set: Host, Authorization, x-amz-date, x-amz-content-sha256, the token.

        `path` and `query` are encoded, as they go on the wire (`encode_path`,
        `Query.encode()`). `headers` are signed, but for those that a connection may change
        (Content-Length, Expect, User-Agent, …); several of one name are joined. InvalidArgument
        where a header holds CR, LF or NUL.
        """
        timestamp = amz_date(now)
        added = {"Host": host, "x-amz-date": timestamp, "x-amz-content-sha256": payload_hash}
        if self.session_token is not None:
            added["x-amz-security-token"] = self.session_token
        signed = _canonical_headers(headers, added)
        scope = credential_scope(timestamp[:8], self.region)
        request = canonical_request(method, path, query, signed, payload_hash)
        key = signing_key(self.secret_access_key, timestamp[:8], self.region)
        signature = sign(key, string_to_sign(timestamp, scope, request))
        added["Authorization"] = (
            f"{ALGORITHM} Credential={self.access_key_id}/{scope}, "
            f"SignedHeaders={';'.join([name for name, _ in signed])}, Signature={signature}"
        )
        return added

    def chunks(self, signed: Mapping[str, str]) -> ChunkSigning:
        """What signs the chunks of a request that `sign` gave the headers `signed`."""
        timestamp = signed["x-amz-date"]
        day = timestamp[:8]
        return ChunkSigning(
            signing_key(self.secret_access_key, day, self.region),
            timestamp,
            credential_scope(day, self.region),
            signed["Authorization"].rpartition("Signature=")[2],
        )


def presign(  # noqa: PLR0913, PLR0917 - a URL has these parts
    method: str,
    host: str,
    path: str,
    query: Query,
    access_key_id: str,
    secret: str,
    region: str,
    now: datetime,
    expires: int,
) -> str:
    """The query string, without "?", of a presigned URL.

    `path` is encoded; `query` holds what is signed besides the signing parameters; `expires`
    is in seconds, from 1 to 604,800.
    """
    timestamp = amz_date(now)
    scope = credential_scope(timestamp[:8], region)
    signed = Query(
        (
            *query.pairs,
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{access_key_id}/{scope}"),
            ("X-Amz-Date", timestamp),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", "host"),
        )
    )
    encoded = signed.encode()
    request = canonical_request(method, path, encoded, [("host", host)], UNSIGNED_PAYLOAD)
    key = signing_key(secret, timestamp[:8], region)
    return f"{encoded}&X-Amz-Signature={sign(key, string_to_sign(timestamp, scope, request))}"


def _canonical_headers(
    headers: Mapping[str, str], added: Mapping[str, str]
) -> list[tuple[str, str]]:
    if not headers:
        return sorted([(name.lower(), folded(value)) for name, value in added.items()])
    values: dict[str, list[str]] = {name.lower(): [value] for name, value in added.items()}
    for name, value in headers.items():
        if not _FORBIDDEN.isdisjoint(value):
            raise InvalidArgument("A header can't hold a line break or NUL.", ArgumentName=name)
        lower = name.lower()
        if lower not in _NOT_SIGNED:
            values.setdefault(lower, []).append(value)
    return [(name, header_value(values[name])) for name in sorted(values)]
