"""Signature V4 written once more, so that a test can sign at any time and then tamper."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from tests.acceptance.harness import KEYS, REGION, Key

UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one key, at one time, for one host."""

    host: str
    key: Key = KEYS["write"]
    when: datetime = field(default_factory=lambda: datetime.now(UTC))
    region: str = REGION
    service: str = "s3"

    @property
    def time(self) -> str:
        """The value of X-Amz-Date."""
        return self.when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self) -> str:
        """The credential's scope."""
        return f"{self.time[:8]}/{self.region}/{self.service}/aws4_request"

    def headers(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        payload: str = UNSIGNED,
    ) -> dict[str, str]:
        """All headers of this request, `Authorization` among them."""
        signed = {name.lower(): value for name, value in (headers or {}).items()} | {
            "host": self.host,
            "x-amz-date": self.time,
            "x-amz-content-sha256": payload,
        }
        path, _, query = target.partition("?")
        signature = self._signature(method, path, query, signed, payload)
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key.access_key_id}/{self.scope}, "
            f"SignedHeaders={';'.join(sorted(signed))}, Signature={signature}"
        )
        return signed

    def presigned(
        self,
        method: str,
        target: str,
        expires: int = 300,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """The target with a signature in its query; `headers` must be sent as they are."""
        signed = {name.lower(): value for name, value in (headers or {}).items()}
        signed["host"] = self.host
        path, _, query = target.partition("?")
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.key.access_key_id}/{self.scope}",
            "X-Amz-Date": self.time,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        pairs = [f"{name}={quote(value, safe='')}" for name, value in parameters.items()]
        whole = "&".join([*([query] if query else []), *pairs])
        signature = self._signature(method, path, whole, signed, UNSIGNED)
        return f"{path}?{whole}&X-Amz-Signature={signature}"

    def _signature(
        self, method: str, path: str, query: str, headers: Mapping[str, str], payload: str
    ) -> str:
        pairs = [each if "=" in each else f"{each}=" for each in query.split("&") if each]
        pairs.sort(key=lambda pair: pair.split("=", 1))
        canonical = "\n".join(
            [
                method,
                path,
                "&".join(pairs),
                *(f"{name}:{_folded(headers[name])}" for name in sorted(headers)),
                "",
                ";".join(sorted(headers)),
                payload,
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.time}\n{self.scope}\n{digest}"
        secret = f"AWS4{self.key.secret_access_key}".encode()
        for part in (*self.scope.split("/"), text):
            secret = hmac.digest(secret, part.encode(), "sha256")
        return secret.hex()


def _folded(value: str) -> str:
    return re.sub(r"[ \t]+", " ", value.strip(" \t"))
