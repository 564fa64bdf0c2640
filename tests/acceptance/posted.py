"""Uploads by HTML form, signed as a page's server would (S3: POST Object)."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from tests.acceptance.harness import REGION, Gateway, Key, Response

BOUNDARY = "what-browsers-put-between-fields"


def fields_of(key: Key, bucket: str, name: str) -> dict[str, str]:
    """The fields of a form with which `key` lets somebody upload one object."""
    now = datetime.now(UTC)
    scope = f"{now:%Y%m%d}/{REGION}/s3/aws4_request"
    fields = {
        "key": name,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{key.access_key_id}/{scope}",
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    conditions = [{"bucket": bucket}, *({field: value} for field, value in fields.items())]
    expiration = f"{now + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S.000Z}"
    document = json.dumps({"expiration": expiration, "conditions": conditions})
    policy = base64.b64encode(document.encode()).decode()
    signing = f"AWS4{key.secret_access_key}".encode()
    for part in scope.split("/"):
        signing = hmac.digest(signing, part.encode(), hashlib.sha256)
    signature = hmac.digest(signing, policy.encode(), hashlib.sha256).hex()
    return fields | {"policy": policy, "x-amz-signature": signature}


def form_of(key: Key | None, bucket: str, name: str, data: bytes) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a form that uploads `data`; unsigned where `key` is None."""
    fields = {"key": name} if key is None else fields_of(key, bucket, name)
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    ]
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body = "".join([*parts, file]).encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def post_form(gateway: Gateway, key: Key | None, bucket: str, name: str, data: bytes) -> Response:
    """The answer to a form that uploads `data`; unsigned where `key` is None."""
    body, headers = form_of(key, bucket, name, data)
    return gateway.request("POST", f"/{bucket}", headers, body)
