"""Who a client is: nobody, the bearer of a token, or the holder of an access key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TypeAlias

from gateway.client.errors import InvalidArgument
from gateway.s3.canonical import (
    ALGORITHM,
    amz_date,
    canonical_request,
    credential_scope,
    sign,
    signing_key,
    string_to_sign,
)

REGION = "us-east-1"  # any name will do: it is only signed


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody: reads what is public."""

    def headers(self, host: str, path: str, body: bytes, now: datetime) -> Mapping[str, str]:
        """No headers."""
        del host, path, body, now
        return {}


@dataclass(frozen=True, slots=True)
class Token:
    """The bearer of a token, which never goes into a URL."""

    token: str = field(repr=False)

    def headers(self, host: str, path: str, body: bytes, now: datetime) -> Mapping[str, str]:
        """The headers that show the token."""
        del host, path, body, now
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Key:
    """The holder of an access key: its secret stays here."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    def headers(self, host: str, path: str, body: bytes, now: datetime) -> Mapping[str, str]:
        """The headers that sign a POST of `body`: Signature V4, with the body's hash."""
        timestamp, digest = amz_date(now), sha256(body).hexdigest()
        day = timestamp[:8]
        signed = [("host", host), ("x-amz-content-sha256", digest), ("x-amz-date", timestamp)]
        request = canonical_request("POST", path, "", signed, digest)
        scope = credential_scope(day, REGION)
        key = signing_key(self.secret_access_key, day, REGION)
        signature = sign(key, string_to_sign(timestamp, scope, request))
        return {
            "x-amz-content-sha256": digest,
            "x-amz-date": timestamp,
            "Authorization": f"{ALGORITHM} Credential={self.access_key_id}/{scope}, "
            f"SignedHeaders={';'.join(name for name, _ in signed)}, Signature={signature}",
        }


Credentials: TypeAlias = Anonymous | Token | Key


def credentials(
    token: str | None, access_key_id: str | None, secret_access_key: str | None
) -> Credentials:
    """What was given: a token, or a key's id with its secret, or nothing; InvalidArgument."""
    if token is not None:
        if access_key_id is not None or secret_access_key is not None:
            raise InvalidArgument("give a token or an access key, not both")
        return Token(token)
    if access_key_id is not None and secret_access_key is not None:
        return Key(access_key_id, secret_access_key)
    if access_key_id is not None or secret_access_key is not None:
        raise InvalidArgument("an access key is its id and its secret: one of them is missing")
    return Anonymous()
