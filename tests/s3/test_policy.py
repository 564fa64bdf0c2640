"""POST policies: what is covered and holds passes, all else is refused with S3's code."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    AccessDenied,
    EntityTooLarge,
    EntityTooSmall,
    GatewayError,
    InvalidAccessKeyId,
    InvalidArgument,
    InvalidPolicyDocument,
    InvalidRequest,
    SignatureDoesNotMatch,
)
from gateway.s3.claim import parse_form_claim
from gateway.s3.policy import Condition, LengthRange, Policy, parse_policy
from gateway.s3.sigv4 import verify_policy
from tests.s3.oracle import KEY_ID, SECRET, refusals

NOW = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
LATER = "2024-02-29T12:00:00.001Z"

# "Example: Browser-Based Upload using HTTP POST" of the S3 API Reference.
EXAMPLE = (
    "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7"
    "ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91"
    "c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3Qi"
    "OiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwi"
    "fSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRh"
    "LXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVT"
    "MjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNy"
    "ZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9"
    "LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAi"
    "MjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
)
SIGNED = {
    "policy": EXAMPLE,
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": f"{KEY_ID}/20151229/us-east-1/s3/aws4_request",
    "x-amz-date": "20151229T000000Z",
    "x-amz-signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
}
SIGNED_AT = datetime(2015, 12, 29, tzinfo=UTC)


def encoded(document: object) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    return b64encode(text.encode()).decode()


def policy(*conditions: object, expiration: object = LATER) -> Policy:
    return parse_policy(encoded({"expiration": expiration, "conditions": conditions}))


def allows(fields: dict[str, str], *conditions: object) -> bool:
    try:
        policy(*conditions).check(fields, NOW)
    except AccessDenied as error:
        assert error.message.startswith("Invalid according to Policy: ")  # noqa: PT017
        return False
    return True


def verify(fields: dict[str, str], secret: str | None = SECRET, now: datetime = SIGNED_AT) -> None:
    claim = parse_form_claim(fields)
    assert claim is not None
    verify_policy(claim, secret, fields["policy"], now)


def test_the_specification_s_example_is_verified_and_read() -> None:
    verify(SIGNED)
    read = parse_policy(EXAMPLE)
    assert read.expiration == datetime(2015, 12, 30, 12, tzinfo=UTC)
    assert Condition("key", "user/user1/", prefix=True) in read.conditions
    fields = {
        "bucket": "sigv4examplebucket",
        "key": "user/user1/photo.jpg",
        "acl": "public-read",
        "success_action_redirect": (
            "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"
        ),
        "content-type": "image/jpeg",
        "x-amz-meta-uuid": "14365123651274",
        "x-amz-server-side-encryption": "AES256",
        "x-amz-meta-tag": "",
    } | SIGNED
    read.check(fields, SIGNED_AT)
    for name in fields.keys() - {"policy", "x-amz-signature", "x-amz-meta-tag"}:
        with pytest.raises(AccessDenied):
            read.check(fields | {name: "other"}, SIGNED_AT)


def test_a_wrong_signature_and_an_unknown_key_are_refused() -> None:
    with pytest.raises(SignatureDoesNotMatch):
        verify(SIGNED | {"x-amz-signature": "0" * 64})
    with pytest.raises(SignatureDoesNotMatch):
        verify(SIGNED | {"policy": encoded({"expiration": LATER, "conditions": []})})
    with pytest.raises(SignatureDoesNotMatch):
        verify(SIGNED, SECRET + "x")
    with pytest.raises(SignatureDoesNotMatch):
        verify(SIGNED | {"x-amz-credential": f"{KEY_ID}/20151229/eu-west-1/s3/aws4_request"})
    with pytest.raises(InvalidAccessKeyId):
        verify(SIGNED, None)


def test_a_form_may_be_old_but_not_from_the_future() -> None:
    verify(SIGNED, now=SIGNED_AT + timedelta(days=300))
    verify(SIGNED, now=SIGNED_AT - timedelta(minutes=14))
    with pytest.raises(AccessDenied, match="not valid yet"):
        verify(SIGNED, now=SIGNED_AT - timedelta(minutes=16))


@pytest.mark.parametrize("name", sorted(SIGNED))
def test_a_form_that_is_signed_in_part_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match=name):
        parse_form_claim({key: value for key, value in SIGNED.items() if key != name})
    with pytest.raises(InvalidArgument, match=name):
        parse_form_claim(SIGNED | {name: ""})


def test_a_form_without_credentials_claims_nothing() -> None:
    assert parse_form_claim({"key": "a"}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-algorithm", "AWS4-HMAC-SHA1"),
        ("x-amz-credential", f"{KEY_ID}/20151229/us-east-1/ec2/aws4_request"),
        ("x-amz-credential", f"{KEY_ID}/20151228/us-east-1/s3/aws4_request"),
        ("x-amz-credential", f"{KEY_ID}/20151229/us-east-1/s3/aws5_request"),
        ("x-amz-credential", KEY_ID),
        ("x-amz-date", "2015-12-29"),
        ("x-amz-date", "20151332T000000Z"),
        ("x-amz-signature", "8AFDBF"),
    ],
)
def test_what_can_t_be_read_of_a_signature_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_form_claim(SIGNED | {name: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"awsaccesskeyid": KEY_ID, "policy": EXAMPLE, "signature": "x"},
        SIGNED | {"signature": "x"},
        SIGNED | {"x-amz-algorithm": "AWS4-ECDSA-P256-SHA256"},
    ],
)
def test_other_signatures_are_refused_by_name(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=r"Signature V(2|4A) is not supported"):
        parse_form_claim(fields)


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ({"acl": "private"}, "private", True),
        ({"acl": "private"}, "Private", False),
        ({"ACL": "private"}, "private", True),
        (["eq", "$acl", "private"], "private", True),
        (["eq", "$acl", "private"], "privat", False),
        (["EQ", "$AcL", "private"], "private", True),
        (["starts-with", "$acl", "pri"], "private", True),
        (["starts-with", "$acl", "pri"], "pr", False),
        (["Starts-With", "$acl", ""], "anything", True),
        (["starts-with", "$acl", "${filename}"], "x", False),
    ],
)
def test_conditions_hold_or_not(condition: object, value: str, holds: bool) -> None:  # noqa: FBT001
    assert allows({"acl": value}, condition) is holds


def test_every_condition_of_a_field_must_hold() -> None:
    both = (["starts-with", "$key", "a/"], ["starts-with", "$key", "a/b/"])
    assert allows({"key": "a/b/c"}, *both)
    assert not allows({"key": "a/c"}, *both)
    assert not allows({"key": "a/c"}, *reversed(both))
    assert not allows({"key": "a"}, {"key": "a", "acl": "private"})
    # A JSON object that says one name twice means both.
    text = f'{{"expiration": "{LATER}", "conditions": [{{"key": "a", "key": "b"}}]}}'
    with pytest.raises(AccessDenied):
        parse_policy(encoded(text)).check({"key": "b"}, NOW)


def test_a_field_that_is_absent_is_empty() -> None:
    assert allows({}, ["starts-with", "$acl", ""])
    assert allows({}, {"acl": ""})
    assert not allows({}, {"acl": "private"})


def test_each_type_of_a_list_must_hold() -> None:
    images = ["starts-with", "$Content-Type", "image/"]
    assert allows({"content-type": "image/png, image/gif"}, images)
    assert not allows({"content-type": "image/png,text/html"}, images)
    assert not allows({"x-amz-meta-a": "image/png,text/html"}, {"x-amz-meta-a": "image/png"})


@pytest.mark.parametrize(
    "name",
    ["bucket", "success_action_status", "x-amz-algorithm", "x-amz-credential", "x-amz-date"],
)
def test_some_fields_are_never_left_open(name: str) -> None:
    assert allows({name: "value"}, {name: "value"})
    assert not allows({name: "value"}, ["starts-with", f"${name}", ""])


def test_every_field_needs_a_condition() -> None:
    key = {"key": "a"}
    free = {"policy": "…", "x-amz-signature": "…", "file": "…", "x-ignore-submit": "Go"}
    assert allows(key | free, key)
    for name in ("acl", "bucket", "x-amz-meta-a", "x-amz-date", "submit", "x-amz-checksum-crc32"):
        assert not allows(key | {name: "value"}, key)
        assert allows(key | {name: "value"}, key, {name: "value"})
    with pytest.raises(AccessDenied, match="Extra input fields: acl, submit"):
        policy(key).check(key | {"acl": "private", "submit": "Go"}, NOW)


def test_a_refusal_names_the_condition() -> None:
    with pytest.raises(AccessDenied) as caught:
        policy(["starts-with", "$key", 'ü"']).check({"key": "a"}, NOW)
    assert caught.value.message == (
        'Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "ü\\""]'
    )


def test_a_policy_ends() -> None:
    policy().check({}, NOW)
    for moment in (NOW + timedelta(milliseconds=1), NOW + timedelta(days=1)):
        with pytest.raises(AccessDenied, match="Policy expired"):
            policy().check({}, moment)


@pytest.mark.parametrize(
    "expiration",
    ["2024-02-29T12:00:01Z", "2024-02-29T12:00:00.000001Z", "2024-02-29T13:00:01+01:00"],
)
def test_times_are_read_as_clients_write_them(expiration: str) -> None:
    policy(expiration=expiration).check({}, NOW)


@pytest.mark.parametrize(
    "expiration",
    [
        "",
        "tomorrow",
        "2024-02-29",
        "2024-02-29T12:00:01",
        "2024-02-30T12:00:01Z",
        "2024-02-29 12:00:01Z",
        "20240229T120001Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        1709208001,
        None,
    ],
)
def test_what_is_no_time_is_refused(expiration: object) -> None:
    with pytest.raises(InvalidPolicyDocument):
        policy(expiration=expiration)


@pytest.mark.parametrize(
    "text",
    [
        "%%%",
        "ü",
        "eyJ",
        encoded(""),
        encoded("[1, 2"),
        encoded("[]"),
        encoded('"text"'),
        encoded({"conditions": []}),
        encoded({"expiration": LATER}),
        encoded({"EXPIRATION": LATER, "conditions": []}),
        encoded({"expiration": LATER, "CONDITIONS": []}),
        encoded({"expiration": LATER, "conditions": {}}),
        encoded(f'{{"expiration": "{LATER}", "conditions": [], "conditions": []}}'),
        encoded('{"expiration": NaN, "conditions": []}'),
        encoded("[" * 15_000),
        encoded('{"a":' * 3_000),
        encoded("9" * 5_000),
        b64encode(b'{"expiration": "\xff", "conditions": []}').decode(),
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidPolicyDocument):
        parse_policy(text)


@pytest.mark.parametrize(
    "condition",
    [
        None,
        "acl",
        1,
        [],
        {},
        {"acl": 1},
        {"acl": ["private"]},
        ["eq", "acl", "private"],
        ["eq", "$acl"],
        ["eq", "$acl", 1],
        ["eq", "$acl", "a", "b"],
        ["in", "$acl", "a"],
        ["content-length-range", 0],
        ["content-length-range", -1, 0],
        ["content-length-range", 0, 1.5],
        ["content-length-range", 0, True],
        ["content-length-range", "", "1"],
        ["content-length-range", 0, 10**30],
    ],
)
def test_what_is_no_condition_is_refused(condition: object) -> None:
    with pytest.raises(InvalidPolicyDocument):
        policy(condition)


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda data: b64encode(data).decode()))
def test_no_text_raises_anything_else(text: str) -> None:
    with refusals(400):
        parse_policy(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(JSON)
def test_no_conditions_raise_anything_else(conditions: object) -> None:
    try:
        parse_policy(encoded({"expiration": LATER, "conditions": conditions}))
    except GatewayError as error:
        assert isinstance(error, InvalidPolicyDocument)  # noqa: PT017


def test_base64_may_be_broken_into_lines_and_s3_s_own_escapes_are_known() -> None:
    text = r'{"expiration": "LATER", "conditions": [["eq", "$key", "\$a\\$\v\u00fc\/"]]}'
    text = text.replace("LATER", LATER)
    wrapped = "\r\n".join(encoded(text)[start : start + 20] for start in range(0, 200, 20))
    assert parse_policy(wrapped).conditions == (Condition("key", "$a\\$\vü/"),)


def test_sizes_are_judged_by_every_range() -> None:
    ranged = policy(["content-length-range", 2, 10], ["Content-Length-Range", "0", "5"])
    assert ranged.lengths == (LengthRange(2, 10), LengthRange(0, 5))
    for size in (2, 5):
        ranged.check_length(size)
    with pytest.raises(EntityTooSmall) as small:
        ranged.check_length(1)
    assert small.value.details == {"ProposedSize": 1, "MinSizeAllowed": 2}
    with pytest.raises(EntityTooLarge) as large:
        ranged.check_length(6)
    assert large.value.details == {"ProposedSize": 6, "MaxSizeAllowed": 5}
    policy().check_length(1 << 40)
