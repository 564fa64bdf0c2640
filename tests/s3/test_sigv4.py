"""What botocore signs is accepted; what anybody changed afterwards is not."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import (
    AccessDenied,
    GatewayError,
    InvalidAccessKeyId,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from gateway.s3 import canonical
from gateway.s3.address import Query, parse_path
from gateway.s3.claim import Claim
from gateway.s3.message import Request
from gateway.s3.sigv4 import verify
from tests.s3.oracle import (
    ENDPOINT,
    SECRET,
    arrived,
    claim_of,
    client,
    sent,
    signed,
    verified,
)

CLIENT = client(signature_version="s3v4")
KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(
    lambda key: len(key.encode()) <= 1024
)
VALUES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30)


def with_headers(request: Request, headers: Iterable[tuple[str, str]]) -> Request:
    return replace(request, headers=CIMultiDictProxy(CIMultiDict(headers)))


def changed(request: Request, **headers: str | None) -> Request:
    """The request with headers set or (None) taken away after it was signed."""
    fields = CIMultiDict(request.headers)
    for field, value in headers.items():
        name = field.replace("_", "-")
        fields.pop(name, None)
        if value is not None:
            fields[name] = value
    return with_headers(request, fields.items())


@settings(max_examples=60, deadline=None)
@given(KEYS)
def test_any_key_that_botocore_signs_is_verified_and_is_the_key_acted_on(key: str) -> None:
    request = sent(CLIENT, "get_object", Bucket="my-bucket", Key=key)
    proof = verified(request)
    assert parse_path(proof.path).key == key
    assert parse_path(proof.path).bucket == "my-bucket"


@settings(max_examples=40, deadline=None)
@given(KEYS, KEYS, st.integers(1, 604_800))
def test_any_url_that_botocore_presigns_is_verified(key: str, kind: str, expires: int) -> None:
    url = CLIENT.generate_presigned_url(
        "get_object",
        Params={"Bucket": "my-bucket", "Key": key, "ResponseContentType": kind},
        ExpiresIn=expires,
    )
    request = arrived("GET", url[len(ENDPOINT) :], {"Host": ENDPOINT[7:]})
    assert parse_path(verified(request).path).key == key
    assert claim_of(request).expires == expires
    assert Query.parse(request.query).first("response-content-type") == kind


@settings(max_examples=40, deadline=None)
@given(KEYS, KEYS, st.integers(0, 1000))
def test_any_listing_that_botocore_signs_is_verified(prefix: str, after: str, size: int) -> None:
    request = sent(
        CLIENT,
        "list_objects_v2",
        Bucket="my-bucket",
        Prefix=prefix,
        StartAfter=after,
        MaxKeys=size,
    )
    verified(request)
    query = Query.parse(request.query)
    assert (query.first("prefix"), query.first("start-after")) == (prefix, after)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text("abc-1", min_size=1, max_size=5), VALUES, max_size=3), KEYS)
def test_any_metadata_that_botocore_signs_is_verified(meta: dict[str, str], kind: str) -> None:
    ascii_kind = kind.encode("ascii", "ignore").decode() or "text/plain"
    request = sent(
        CLIENT,
        "put_object",
        Bucket="my-bucket",
        Key="a b",
        Body=b"body",
        Metadata=meta,
        ContentType=ascii_kind,
    )
    verified(request)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("copy_object", {"CopySource": {"Bucket": "other", "Key": "a b+ä?"}}),
        ("delete_object", {"VersionId": "a+b/="}),
        ("put_object_tagging", {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        ("upload_part", {"PartNumber": 3, "UploadId": "x/y+z==", "Body": b"part"}),
        ("create_multipart_upload", {}),
        ("get_object_attributes", {"ObjectAttributes": ["ETag", "ObjectSize"]}),
    ],
)
def test_every_kind_of_call_of_botocore_is_verified(
    operation: str, arguments: dict[str, object]
) -> None:
    request = sent(CLIENT, operation, Bucket="my-bucket", Key="~a/ü+%41 .txt", **arguments)
    assert parse_path(verified(request).path).key == "~a/ü+%41 .txt"


@pytest.mark.parametrize(
    "target",
    [
        "/b/k?acl",
        "/b/k?acl=",
        "/b?a=2&a=1&a",
        "/b?a=1&a=1",
        "/b?a-=1&a=2",
        "/b/a//b/../c/./d",
        "/b/%7Ek",
        "/b/a%2Fb",
        "/b/a+b?prefix=a+b",
        "/b/%2525?x=%252F",
    ],
)
def test_raw_spellings_are_verified_as_they_were_signed(target: str) -> None:
    for request in (signed("GET", target), signed("GET", target, expires=60)):
        assert verified(request).path == target.partition("?")[0]


@pytest.mark.parametrize(
    ("sent_as", "signed_as"),
    [
        ("/b/a%7eb", "/b/a~b"),
        ("/b/%c3%a4", "/b/%C3%A4"),
        ("/b/a b", "/b/a%20b"),
        ("/b/a+b", "/b/a%2Bb"),
        ("/b/%61", "/b/a"),
        ("/b?prefix=a/b", "/b?prefix=a%2Fb"),
        ("/b?x=%7e&acl", "/b?acl=&x=~"),
    ],
)
def test_other_spelling_of_the_same_escapes_is_verified(sent_as: str, signed_as: str) -> None:
    request = signed("GET", signed_as)
    path, _, query = sent_as.partition("?")
    proof = verified(replace(request, path=path, query=query))
    assert proof.path == signed_as.partition("?")[0]
    assert parse_path(proof.path) == parse_path(path)


@pytest.mark.parametrize(
    ("sent_as", "signed_as"),
    [
        ("/b/secret/../public/x", "/b/public/x"),
        ("/b/public%2Fx", "/b/public/x"),
        ("/b/public/x", "/b/public%2Fx"),
        ("/b//x", "/b/x"),
        ("/b/./x", "/b/x"),
        ("/b/a+b", "/b/a%20b"),
        ("/b/a%20b", "/b/a+b"),
        ("/b/a%2520b", "/b/a%20b"),
        ("/b/a%20b", "/b/a%2520b"),
        ("/b/x/", "/b/x"),
        ("/b?prefix=a+b", "/b?prefix=a%20b"),
        ("/b?a=1&a=2", "/b?a=1"),
        ("/b?a=1", "/b?a=1&a=1"),
        ("/b?acl", "/b"),
        ("/b?versionId=2", "/b?versionId=1"),
    ],
)
def test_spelling_that_means_something_else_is_refused(sent_as: str, signed_as: str) -> None:
    path, _, query = sent_as.partition("?")
    with pytest.raises(SignatureDoesNotMatch):
        verified(replace(signed("GET", signed_as), path=path, query=query))


@given(st.text("ab/.%2Ff+ ", max_size=14), st.text("ab/.%2Ff+ ", max_size=14))
@settings(max_examples=300, deadline=None)
def test_path_that_verifies_means_what_was_signed(one: str, other: str) -> None:
    request = replace(signed("GET", f"/b/{one}"), path=f"/b/{other}")
    try:
        proof = verified(request)
        address = parse_path(proof.path)
    except GatewayError:
        return
    assert address == parse_path(f"/b/{other}")
    assert address == parse_path(f"/b/{one}")


@pytest.mark.parametrize(
    "value", ["plain", "  two  spaces ", "a,  b", "tab\tinside", "ünïcödé", "-", "a" * 5000]
)
def test_header_values_are_trimmed_and_folded(value: str) -> None:
    request = signed("GET", "/b/k", {"x-amz-meta-v": value})
    verified(request)
    verified(changed(request, x_amz_meta_v=f"  {value}  "))


def test_headers_of_one_name_are_joined() -> None:
    request = signed("GET", "/b/k", {"x-amz-meta-v": "a,b"})
    fields = CIMultiDict(request.headers)
    fields.pop("x-amz-meta-v")
    fields.add("X-Amz-Meta-V", "a ")
    fields.add("x-amz-meta-v", " b")
    verified(with_headers(request, fields.items()))


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "auto", "garage"])
def test_any_region_is_accepted_and_verified_with(region: str) -> None:
    request = signed("GET", "/b/k", region=region)
    assert verified(request).claim.region == region
    swapped = request.headers["Authorization"].replace(region, "other")
    with pytest.raises(SignatureDoesNotMatch):
        verified(changed(request, Authorization=swapped))


@pytest.mark.parametrize(
    "request_",
    [
        replace(signed("GET", "/b/k"), method="DELETE"),
        replace(signed("GET", "/b/k"), path="/b/l"),
        changed(signed("GET", "/b/k", {"Range": "bytes=0-1"}), Range="bytes=0-9"),
        changed(signed("GET", "/b/k", {"Range": "bytes=0-1"}), Range=None),
        changed(signed("GET", "/b/k", {"x-amz-meta-a": "1"}), x_amz_meta_a="2"),
        changed(signed("PUT", "/b/k", body=b"x"), x_amz_content_sha256="UNSIGNED-PAYLOAD"),
        changed(signed("GET", "/b/k"), Host="elsewhere.test"),
        replace(signed("GET", "/b/k", expires=60), method="PUT"),
        changed(signed("GET", "/b/k", expires=60), Host="elsewhere.test"),
        signed("GET", "/b/k", secret="another"),
        signed("GET", "/b/k", expires=60, secret="another"),
    ],
)
def test_tampered_request_is_refused(request_: Request) -> None:
    with pytest.raises(SignatureDoesNotMatch):
        verified(request_)


def test_tampered_url_is_refused() -> None:
    request = signed("GET", "/b/k?response-x=1", expires=60)
    for query in (
        request.query.replace("X-Amz-Expires=60", "X-Amz-Expires=604800"),
        request.query.replace("us-east-1", "us-west-2"),
        request.query.replace("response-x=1", "response-x=2"),
        request.query.replace("response-x=1&", ""),
        request.query + "&versionId=1",
    ):
        assert query != request.query
        with pytest.raises(SignatureDoesNotMatch):
            verified(replace(request, query=query))


@pytest.mark.parametrize("expires", [None, 60])
@pytest.mark.parametrize(
    "header", ["x-amz-copy-source", "X-Amz-Acl", "x-amz-tagging", "x-amz-meta-a", "x-amz-unknown"]
)
def test_amz_header_that_is_not_signed_is_refused(header: str, expires: int | None) -> None:
    request = signed("PUT", "/b/k", expires=expires)
    added = with_headers(request, [*request.headers.items(), (header, "v")])
    with pytest.raises(AccessDenied) as caught:
        verified(added)
    assert caught.value.details == {"HeadersNotSigned": header.lower()}


def test_host_has_to_be_signed() -> None:
    request = signed("GET", "/b/k")
    claim = claim_of(request)
    rest = tuple(name for name in claim.signed_headers if name != "host")
    with pytest.raises(AccessDenied) as caught:
        verify(replace(claim, signed_headers=rest), SECRET, request, claim.timestamp)
    assert caught.value.details == {"HeadersNotSigned": "host"}


@pytest.mark.parametrize("expires", [None, 60])
def test_unknown_key_is_told_from_a_wrong_signature_only_at_the_end(expires: int | None) -> None:
    request = signed("GET", "/b/k", expires=expires)
    with pytest.raises(InvalidAccessKeyId):
        verified(request, None)
    claim = claim_of(request)
    with pytest.raises(RequestTimeTooSkewed if expires is None else AccessDenied):
        verify(claim, None, request, claim.timestamp + timedelta(days=1))


def test_request_signed_with_the_stand_in_for_unknown_keys_is_refused() -> None:
    with pytest.raises(InvalidAccessKeyId):
        verified(signed("GET", "/b/k", secret="no key has this secret"), None)


def at(request: Request, seconds: float) -> Claim:
    claim = claim_of(request)
    now = claim.timestamp + timedelta(seconds=seconds)
    return verify(claim, SECRET, request, now).claim


def test_header_signature_may_be_fifteen_minutes_off() -> None:
    request = signed("GET", "/b/k")
    for seconds in (-900, 0, 900):
        assert at(request, seconds) == claim_of(request)
    for seconds in (-901, 901):
        with pytest.raises(RequestTimeTooSkewed) as caught:
            at(request, seconds)
        assert caught.value.details["MaxAllowedSkewMilliseconds"] == 900_000


def test_presigned_url_lives_from_fifteen_minutes_before_its_time_to_its_expiry() -> None:
    request = signed("GET", "/b/k", expires=60)
    for seconds in (-900, 0, 60):
        assert at(request, seconds) == claim_of(request)
    with pytest.raises(AccessDenied, match="not valid yet"):
        at(request, -901)
    with pytest.raises(AccessDenied, match="has expired"):
        at(request, 60.5)


@pytest.mark.parametrize(
    ("name", "signed_value", "arrived_value"),
    [
        ("Accept-Encoding", "identity", "gzip, br"),
        ("Accept-Encoding", "gzip", None),
        ("Accept-Encoding", "identity", "identity"),
        ("Accept-Encoding", "zstd", "zstd"),
    ],
)
def test_headers_that_balancers_change_may_have_changed(
    name: str, signed_value: str, arrived_value: str | None
) -> None:
    request = signed("GET", "/b/k", {name: signed_value})
    verified(changed(request, **{name.replace("-", "_"): arrived_value}))


def test_expect_that_was_taken_off_is_put_back() -> None:
    request = signed_with_expect()
    assert "Expect" not in request.headers
    verified(request)


def signed_with_expect() -> Request:
    """A request whose Expect was signed, which botocore never does, and then taken off."""
    request = signed("PUT", "/b/k")
    names = ("expect", *claim_of(request).signed_headers)
    values = {"expect": "100-continue"} | {
        name: request.headers[name] for name in claim_of(request).signed_headers
    }
    text = canonical.canonical_request(
        "PUT", "/b/k", "", [(name, values[name]) for name in names], claim_of(request).payload_hash
    )
    stamp = request.headers["x-amz-date"]
    scope = claim_of(request).scope
    key = canonical.signing_key(SECRET, stamp[:8], "us-east-1")
    signature = canonical.sign(key, canonical.string_to_sign(stamp, scope, text))
    old = request.headers["Authorization"]
    credential = old.split(" ", 1)[1].split(",")[0]
    return changed(
        request,
        Authorization=f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={';'.join(names)}, "
        f"Signature={signature}",
    )


def test_changed_user_agent_is_refused_only_where_it_was_signed() -> None:
    request = signed("GET", "/b/k", {"User-Agent": "one"})
    assert "user-agent" not in claim_of(request).signed_headers
    verified(changed(request, User_Agent="two"))


@pytest.mark.parametrize(
    ("host", "hosts", "proved"),
    [
        ("inner:8080", ("gateway.test:9000",), "gateway.test:9000"),
        ("inner:8080", ("other.test", "gateway.test:9000"), "gateway.test:9000"),
        ("gateway.test:9000", (), "gateway.test:9000"),
    ],
)
def test_host_may_be_any_that_the_client_may_have_meant(
    host: str, hosts: tuple[str, ...], proved: str
) -> None:
    request = changed(signed("GET", "/b/k"), Host=host)
    claim = claim_of(request)
    assert verify(claim, SECRET, request, claim.timestamp, hosts=hosts).host == proved
    if hosts:
        with pytest.raises(SignatureDoesNotMatch):
            verify(claim, SECRET, request, claim.timestamp)


def test_port_that_a_balancer_added_is_tried_without() -> None:
    request = signed("GET", "/b/k")
    claim = claim_of(request)
    added = changed(request, Host="gateway.test:9000:443")
    assert verify(claim, SECRET, added, claim.timestamp).host == "gateway.test:9000"


def test_mismatch_shows_what_was_signed_without_secrets() -> None:
    headers = {
        "x-amz-security-token": "TOKEN-1",
        "x-amz-server-side-encryption-customer-key": "KEY-2",
        "X-Forwarded-For": "10.1.2.3",
        "Cookie": "COOKIE-3",
        "x-amz-meta-a": "shown",
    }
    request = signed("PUT", "/b/k?acl", headers, secret="another")
    with pytest.raises(SignatureDoesNotMatch) as caught:
        verified(request)
    details = caught.value.details
    shown = str(details["CanonicalRequest"])
    for hidden in ("TOKEN-1", "KEY-2", "10.1.2.3", "COOKIE-3"):
        assert hidden not in str(details)
        assert hidden not in str(caught.value)
    assert shown.startswith("PUT\n/b/k\nacl=\n")
    assert "x-amz-meta-a:shown\n" in shown
    assert "host:gateway.test:9000\n" in shown
    assert str(details["StringToSign"]).startswith("AWS4-HMAC-SHA256\n")
    assert details["SignatureProvided"] == claim_of(request).signature


def test_mismatch_of_a_url_hides_its_token_and_key() -> None:
    target = "/b/k?X-Amz-Security-Token=TOKEN-1&x-amz-server-side-encryption-customer-key=KEY-2"
    with pytest.raises(SignatureDoesNotMatch) as caught:
        verified(signed("GET", target, expires=60, secret="another"))
    shown = str(caught.value.details["CanonicalRequest"])
    assert "TOKEN-1" not in shown
    assert "KEY-2" not in shown
    assert "X-Amz-Credential=" in shown


def test_proof_shows_no_secret() -> None:
    proof = verified(signed("GET", "/b/k"))
    for secret in (SECRET, proof.claim.signature, proof.chunks.key.hex(), repr(proof.chunks.key)):
        assert secret not in repr(proof)
    assert proof.chunks.seed == proof.claim.signature
    assert proof.chunks.scope == proof.claim.scope
