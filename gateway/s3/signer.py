"""AWS Signature Version 4, made: for requests to the backend, and for the gateway's URLs."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.errors import InvalidArgument
from gateway.s3.address import Query
from gateway.s3.canonical import (
    ALGORITHM,
    UNSIGNED_PAYLOAD,
    amz_date,
    canonical_request,
    credential_scope,
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


class Signer:
    """Credentials of the backend at one moment, and what all their signatures of then share."""

    __slots__ = ("_begins", "_key", "_moment", "_scope", "_timestamp")

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: str,
        region: str,
        now: datetime,
        session_token: str | None = None,
    ) -> None:
        self._timestamp = timestamp = amz_date(now)
        day = timestamp[:8]
        self._scope = credential_scope(day, region)
        self._key = signing_key(secret_access_key, day, region)
        self._begins = f"{ALGORITHM} Credential={access_key_id}/{self._scope}, SignedHeaders="
        self._moment = [("x-amz-date", timestamp)]
        if session_token is not None:
            self._moment.append(("x-amz-security-token", session_token))

    def sign(
        self,
        method: str,
        host: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        payload_hash: str,
    ) -> dict[str, str]:
        """The headers to set: Host, Authorization, x-amz-date, x-amz-content-sha256, the token.

        `path` and `query` are encoded, as they go on the wire (`encode_path`,
        `Query.encode()`). `headers` are signed, but for those that a connection may change
        (Content-Length, Expect, User-Agent, …); several of one name are joined. InvalidArgument
        where a header holds CR, LF or NUL.
        """
        added = [("x-amz-content-sha256", payload_hash), *self._moment]
        signed = [("host", host), *added]  # in their order
        if headers:
            signed = _canonical_headers(headers, signed)
        request = canonical_request(method, path, query, signed, payload_hash)
        signature = sign(self._key, string_to_sign(self._timestamp, self._scope, request))
        names = ";".join([name for name, _ in signed])
        authorization = f"{self._begins}{names}, Signature={signature}"
        return {"Host": host, "Authorization": authorization, **dict(added)}

    def chunks(self, signed: Mapping[str, str]) -> ChunkSigning:
        """What signs the chunks of a request that `sign` gave the headers `signed`."""
        signature = signed["Authorization"].rpartition("Signature=")[2]
        return ChunkSigning(self._key, self._timestamp, self._scope, signature)


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
    headers: Mapping[str, str], added: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    values = {name: [value] for name, value in added}
    for name, value in headers.items():
        if not _FORBIDDEN.isdisjoint(value):
            raise InvalidArgument("A header can't hold a line break or NUL.", ArgumentName=name)
        lower = name.lower()
        if lower not in _NOT_SIGNED:
            values.setdefault(lower, []).append(value)
    return [(name, header_value(values[name])) for name in sorted(values)]
