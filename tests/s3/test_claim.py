"""What a request claims, read from header or query, and what is refused there."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    GatewayError,
    InvalidArgument,
    InvalidRequest,
)
from gateway.s3.address import Query
from gateway.s3.canonical import EMPTY_SHA256
from gateway.s3.claim import parse_claim
from tests.s3.oracle import refusals

SIGNATURE = "ab" * 32
SCOPE = "20240229/us-east-1/s3/aws4_request"
HEADER = (
    f"AWS4-HMAC-SHA256 Credential=KEY/{SCOPE}, SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"
)
FIELDS = {
    "Authorization": HEADER,
    "x-amz-date": "20240229T123456Z",
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
}
QUERY = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": f"KEY/{SCOPE}",
    "X-Amz-Date": "20240229T123456Z",
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": SIGNATURE,
}


def headers(changes: Mapping[str, str | None]) -> CIMultiDict[str]:
    made = CIMultiDict(FIELDS)
    for name, value in changes.items():
        made.pop(name, None)
        if value is not None:
            made[name] = value
    return made


def query(changes: Mapping[str, str | None]) -> Query:
    pairs = {**QUERY, **changes}
    return Query(tuple((name, value) for name, value in pairs.items() if value is not None))


def test_header_claim_has_all_parts() -> None:
    claim = parse_claim(headers({}), Query())
    assert claim is not None
    assert (claim.access_key_id, claim.date, claim.region) == ("KEY", "20240229", "us-east-1")
    assert claim.scope == SCOPE
    assert claim.signed_headers == ("host", "x-amz-date")
    assert claim.timestamp.isoformat() == "2024-02-29T12:34:56+00:00"
    assert claim.expires is None
    assert not claim.presigned
    assert SIGNATURE not in repr(claim)


def test_presigned_claim_has_all_parts() -> None:
    claim = parse_claim(CIMultiDict(), query({}))
    assert claim is not None
    assert (claim.expires, claim.presigned, claim.payload_hash) == (60, True, "UNSIGNED-PAYLOAD")
    declared = parse_claim(CIMultiDict({"x-amz-content-sha256": "ab" * 32}), query({}))
    assert declared is not None
    assert declared.payload_hash == "ab" * 32


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({"Date": "Thu, 29 Feb 2024 12:34:56 GMT"}, "2024-02-29T12:34:56+00:00"),
        ({"Date": "Thu, 29 Feb 2024 14:34:56 +0200"}, "2024-02-29T12:34:56+00:00"),
        ({"Date": "20240229T123456Z"}, "2024-02-29T12:34:56+00:00"),
    ],
)
def test_date_header_serves_where_x_amz_date_is_not(changes: dict[str, str], day: str) -> None:
    claim = parse_claim(headers({"x-amz-date": None, **changes}), Query())
    assert claim is not None
    assert claim.timestamp.isoformat() == day


@pytest.mark.parametrize("length", [None, "0"])
def test_without_a_body_its_hash_may_be_left_out(length: str | None) -> None:
    claim = parse_claim(headers({"x-amz-content-sha256": None, "Content-Length": length}), Query())
    assert claim is not None
    assert claim.payload_hash == EMPTY_SHA256


def test_unsigned_and_bearer_requests_claim_nothing() -> None:
    assert parse_claim(CIMultiDict(), Query.parse("list-type=2")) is None
    assert parse_claim(CIMultiDict({"Authorization": "Bearer abc"}), Query()) is None


def test_key_id_may_hold_slashes_and_fields_need_no_spaces() -> None:
    text = f"AWS4-HMAC-SHA256 Credential=a/b/{SCOPE},SignedHeaders=host,Signature={SIGNATURE}"
    claim = parse_claim(headers({"Authorization": text}), Query())
    assert claim is not None
    assert claim.access_key_id == "a/b"


def test_signature_may_stand_anywhere_among_the_fields() -> None:
    text = f"AWS4-HMAC-SHA256 Signature={SIGNATURE} , Credential=KEY/{SCOPE},SignedHeaders=host"
    claim = parse_claim(headers({"Authorization": text}), Query())
    assert claim is not None
    assert (claim.signature, claim.signed_headers) == (SIGNATURE, ("host",))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"Authorization": "AWS KEY:c2ln"}, InvalidRequest),
        ({"Authorization": HEADER.replace("HMAC-SHA256", "ECDSA-P256-SHA256")}, InvalidRequest),
        ({"Authorization": "Basic abc"}, InvalidArgument),
        ({"Authorization": "AWS4-HMAC-SHA256"}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER + ", Extra=1"}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER + f", Signature={SIGNATURE}"}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER + ","}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("Signature=", "=")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("Sign", "ASign")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("20240229", "20240228")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("/s3/", "/sts/")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("aws4_", "aws5_")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("KEY/", "")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("us-east-1", "")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("host;", "host;host;")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("host;", "Host;")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("host;", "host;;")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER.replace("abab", "abAB")}, AuthorizationHeaderMalformed),
        ({"Authorization": HEADER[:-1]}, AuthorizationHeaderMalformed),
        ({"x-amz-content-sha256": None, "Content-Length": "1"}, InvalidRequest),
        ({"x-amz-content-sha256": None, "Transfer-Encoding": "chunked"}, InvalidRequest),
        ({"x-amz-date": None}, AccessDenied),
        ({"x-amz-date": "20240230T123456Z"}, AccessDenied),
        ({"x-amz-date": "20240229T126056Z"}, AccessDenied),
        ({"x-amz-date": "Thu, 29 Feb 2024 12:34:56 GMT"}, AccessDenied),
        ({"x-amz-date": None, "Date": "yesterday"}, AccessDenied),
    ],
)
def test_header_that_is_no_signature_v4_is_refused(
    changes: dict[str, str | None], error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        parse_claim(headers(changes), Query())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"}, InvalidRequest),
        ({"X-Amz-Algorithm": "AWS4-HMAC-SHA1"}, AuthorizationQueryParametersError),
        *(({name: None}, AuthorizationQueryParametersError) for name in QUERY),
        *(({name: ""}, AuthorizationQueryParametersError) for name in QUERY),
        ({"X-Amz-Date": "2024-02-29"}, AuthorizationQueryParametersError),
        ({"X-Amz-Expires": "0"}, AuthorizationQueryParametersError),
        ({"X-Amz-Expires": "-1"}, AuthorizationQueryParametersError),
        ({"X-Amz-Expires": "604801"}, AuthorizationQueryParametersError),
        ({"X-Amz-Expires": "9" * 5000}, AuthorizationQueryParametersError),
        ({"X-Amz-Expires": "1e3"}, AuthorizationQueryParametersError),
        ({"X-Amz-Credential": "KEY"}, AuthorizationQueryParametersError),
        ({"x-amz-signature": SIGNATURE}, AuthorizationQueryParametersError),
        ({"x-amz-date": "20240229T123456Z"}, AuthorizationQueryParametersError),
    ],
)
def test_query_that_is_no_presigned_signature_v4_is_refused(
    changes: dict[str, str | None], error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        parse_claim(CIMultiDict(), query(changes))


def test_signature_v2_in_the_query_is_refused() -> None:
    old = Query.parse("AWSAccessKeyId=KEY&Signature=c2ln&Expires=1")
    with pytest.raises(InvalidRequest, match="Signature V2"):
        parse_claim(CIMultiDict(), old)


@pytest.mark.parametrize("authorization", [HEADER, "Bearer abc", "Basic abc"])
def test_two_kinds_of_credentials_are_refused(authorization: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_claim(headers({"Authorization": authorization}), query({}))


def test_two_authorization_headers_are_refused() -> None:
    doubled = headers({})
    doubled.add("Authorization", HEADER)
    with pytest.raises(InvalidArgument):
        parse_claim(doubled, Query())


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_header_is_read_or_refused(authorization: str, date: str) -> None:
    for text in (authorization, f"AWS4-HMAC-SHA256 {authorization}"):
        with refusals(400, 403):
            parse_claim(headers({"Authorization": text, "x-amz-date": None, "Date": date}), Query())


@given(st.dictionaries(st.sampled_from(sorted(QUERY)), st.text(max_size=40)))
def test_any_query_is_read_or_refused(changes: dict[str, str]) -> None:
    with refusals(400, 403):
        parse_claim(CIMultiDict(), query(changes))
