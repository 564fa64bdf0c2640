"""Signature V2 and V4A, as real clients make them: refused, saying what to use instead."""

from collections.abc import Callable

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.crt.auth import CrtS3SigV4AsymAuth, CrtS3SigV4AsymQueryAuth
from botocore.exceptions import ClientError

from tests.acceptance.harness import KEYS, REGION, WORKSPACE, Gateway, Response, s3_client
from tests.acceptance.signer import Signer
from tests.acceptance.silence import TARGET, code

CREDENTIALS = Credentials(KEYS["write"].access_key_id, KEYS["write"].secret_access_key)
SIGNED: dict[str, Callable[[AWSRequest], None]] = {
    "V2": lambda request: HmacV1Auth(CREDENTIALS).add_auth(request),
    "V2 query": lambda request: HmacV1QueryAuth(CREDENTIALS).add_auth(request),
    "V4A": lambda request: CrtS3SigV4AsymAuth(CREDENTIALS, "s3", REGION).add_auth(request),
    "V4A query": lambda request: CrtS3SigV4AsymQueryAuth(CREDENTIALS, "s3", REGION).add_auth(
        request
    ),
}


def is_refused(answer: Response) -> bool:
    """Whether the answer says that Signature V4 is what to use."""
    return (answer.status, code(answer)) == (400, "InvalidRequest") and (
        b"Please use AWS4-HMAC-SHA256" in answer.body
    )


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_signatures_are_refused(tapped: Gateway, kind: str, method: str) -> None:
    request = AWSRequest(method, tapped.url + TARGET)
    SIGNED[kind](request)
    target = str(request.url).removeprefix(tapped.url)
    answer = tapped.request(method, target, dict(request.headers.items()), b"")
    assert is_refused(answer), answer


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("end", ["", "-TRAILER"])
def test_chunks_of_signature_v4a_are_refused(tapped: Gateway, signer: Signer, end: str) -> None:
    payload = f"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD{end}"
    headers = signer.headers("PUT", TARGET, {"x-amz-decoded-content-length": "4"}, payload)
    assert is_refused(tapped.request("PUT", TARGET, headers, b"data"))


@pytest.mark.usefixtures("silence")
def test_boto3_is_told_what_to_configure(tapped: Gateway) -> None:
    client = s3_client(tapped.url, KEYS["write"], signature_version="s3")
    with pytest.raises(ClientError, match="s3v4") as refusal:
        client.put_object(Bucket=WORKSPACE, Key="key", Body=b"data")
    assert refusal.value.response["Error"]["Code"] == "InvalidRequest"
    url = client.generate_presigned_url("get_object", {"Bucket": WORKSPACE, "Key": "key"})
    answer = tapped.request("GET", url.removeprefix(tapped.url))
    assert is_refused(answer)
    assert b"s3v4" in answer.body
