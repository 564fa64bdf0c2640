"""What the gateway signs for the backend, with botocore and the verifier as judges."""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.errors import InvalidArgument
from gateway.s3.address import Address, Query, encode_path
from gateway.s3.canonical import UNSIGNED_PAYLOAD, sign
from gateway.s3.signer import Signer, presign
from gateway.s3.sigv4 import verify
from tests.s3.oracle import KEY_ID, SECRET, arrived, claim_of, now, verified

SIGNER = Signer(KEY_ID, SECRET, "us-east-1", now())
HOST = "backend.test:8333"
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


def signature_of(request: AWSRequest, credentials: Credentials, stamp: str) -> str:
    """The signature that botocore makes at a time of our choice, over an unsigned payload."""
    oracle = S3SigV4Auth(credentials, "s3", "eu-west-1")
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    request.headers["X-Amz-Content-SHA256"] = UNSIGNED_PAYLOAD
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    text = oracle.string_to_sign(request, oracle.canonical_request(request))
    return str(oracle.signature(text, request))


@settings(max_examples=60, deadline=None)
@given(
    key=TEXT.filter(bool),
    pairs=st.lists(st.tuples(TEXT, TEXT), max_size=4),
    token=st.booleans(),
)
def test_signature_is_the_one_that_botocore_makes(
    key: str, pairs: list[tuple[str, str]], *, token: bool
) -> None:
    session_token = "a-token" if token else None
    path, query = encode_path(Address("bucket", key)), Query(tuple(pairs)).encode()
    headers = CIMultiDict({"x-amz-meta-a": " b  c ", "content-type": "text/plain"})
    moment = datetime(2024, 2, 29, 12, 34, 56, tzinfo=UTC)
    signer = Signer(KEY_ID, SECRET, "eu-west-1", moment, session_token)
    added = signer.sign("PUT", HOST, path, query, headers, UNSIGNED_PAYLOAD)

    mark = "?" if query else ""
    request = AWSRequest("PUT", f"http://{HOST}{path}{mark}{query}", headers=dict(headers))
    credentials = Credentials(KEY_ID, SECRET, session_token)
    signature = signature_of(request, credentials, "20240229T123456Z")
    assert added["Authorization"].endswith(f"Signature={signature}")
    assert ("x-amz-security-token" in added) is token


@settings(max_examples=60, deadline=None)
@given(TEXT.filter(bool), st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_what_the_signer_signs_the_verifier_accepts(key: str, pairs: list[tuple[str, str]]) -> None:
    path, query = encode_path(Address("bucket", key)), Query(tuple(pairs)).encode()
    added = SIGNER.sign("GET", HOST, path, query, {"range": "bytes=0-1"}, UNSIGNED_PAYLOAD)
    request = arrived("GET", f"{path}?{query}", {"Range": "bytes=0-1", **added})
    assert verified(request).path == path


@settings(max_examples=60, deadline=None)
@given(TEXT.filter(bool), st.lists(st.tuples(TEXT, TEXT), max_size=4), st.integers(1, 604_800))
def test_what_is_presigned_the_verifier_accepts(
    key: str, pairs: list[tuple[str, str]], expires: int
) -> None:
    path = encode_path(Address("bucket", key))
    query = presign("PUT", HOST, path, Query(tuple(pairs)), KEY_ID, SECRET, "auto", now(), expires)
    request = arrived("PUT", f"{path}?{query}", {"Host": HOST})
    claim = claim_of(request)
    assert claim.expires == expires
    assert verify(claim, SECRET, request, now()).host == HOST


@given(st.binary(max_size=130), st.text())
def test_signing_is_hmac_with_sha256(key: bytes, text: str) -> None:
    assert sign(key, text) == hmac.new(key, text.encode(), sha256).hexdigest()


def test_headers_that_a_connection_may_change_are_not_signed() -> None:
    headers = {"Content-Length": "3", "User-Agent": "x", "Expect": "100-continue", "a": "b"}
    added = SIGNER.sign("PUT", HOST, "/b/k", "", headers, UNSIGNED_PAYLOAD)
    assert "SignedHeaders=a;host;x-amz-content-sha256;x-amz-date," in added["Authorization"]


def test_signing_headers_of_the_client_are_replaced() -> None:
    stale = {"x-amz-date": "19700101T000000Z", "Host": "evil.test", "Authorization": "AWS a:b"}
    added = SIGNER.sign("GET", HOST, "/b/k", "", stale, UNSIGNED_PAYLOAD)
    assert added["Host"] == HOST
    assert added["x-amz-date"] != "19700101T000000Z"
    verified(arrived("GET", "/b/k", added))


def test_several_headers_of_one_name_are_signed_joined() -> None:
    doubled = CIMultiDict([("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2")])
    added = SIGNER.sign("GET", HOST, "/b/k", "", doubled, UNSIGNED_PAYLOAD)
    verified(arrived("GET", "/b/k", [*doubled.items(), *added.items()]))


@pytest.mark.parametrize("value", ["a\r\nx-amz-acl: public-read", "a\n", "\0", "a\rb"])
def test_header_that_would_be_two_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument):
        SIGNER.sign("PUT", HOST, "/b/k", "", {"x-amz-meta-a": value}, UNSIGNED_PAYLOAD)


def test_signer_shows_no_secret() -> None:
    signer = Signer(KEY_ID, SECRET, "us-east-1", now(), "a-token")
    assert SECRET not in repr(signer)
    assert "a-token" not in repr(signer)
