"""What a request declares about its body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.errors import (
    InvalidArgument,
    InvalidDigest,
    InvalidRequest,
    MissingContentLength,
)
from gateway.s3.payload import Form, Payload, content_encoding, parse_payload
from tests.s3.oracle import refusals

HASH = "AB" * 32
STREAMING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def test_hash_is_kept_in_lower_case() -> None:
    payload = parse_payload(CIMultiDict(), HASH, 3)
    assert payload == Payload(Form.HASHED, 3, HASH.lower())
    assert not payload.form.chunked


def test_header_counts_where_nothing_was_signed() -> None:
    declared = parse_payload(CIMultiDict({"x-amz-content-sha256": HASH}), None, 3)
    assert declared.form is Form.HASHED
    assert parse_payload(CIMultiDict(), None, 3) == Payload(Form.UNSIGNED, 3)


@pytest.mark.parametrize(
    ("value", "signed", "trailing"),
    [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", True, False),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", True, True),
        (STREAMING, False, True),
    ],
)
def test_streaming_forms_count_decoded_bytes(value: str, *, signed: bool, trailing: bool) -> None:
    headers = CIMultiDict({"x-amz-decoded-content-length": "5000000000000"})
    payload = parse_payload(headers, value, 5_000_001_000_000)
    assert payload.length == 5_000_000_000_000
    assert (payload.form.chunked, payload.form.signed_chunks, payload.form.trailing) == (
        True,
        signed,
        trailing,
    )


def test_checksums_and_trailers_are_found_in_any_case() -> None:
    headers = CIMultiDict(
        {
            "X-Amz-Decoded-Content-Length": "1",
            "X-Amz-Checksum-CRC32": " AAAAAA== ",
            "x-amz-checksum-algorithm": "CRC32",
            "x-amz-trailer": "X-Amz-Checksum-Sha256",
            "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==",
        }
    )
    payload = parse_payload(headers, STREAMING, 9)
    assert payload.checksums == (("x-amz-checksum-crc32", "AAAAAA=="),)
    assert payload.trailers == ("x-amz-checksum-sha256",)
    assert payload.content_md5 == bytes.fromhex("d41d8cd98f00b204e9800998ecf8427e")


def test_request_without_length_has_no_body_unless_it_is_chunked() -> None:
    assert parse_payload(CIMultiDict(), None, None).length == 0
    with pytest.raises(MissingContentLength):
        parse_payload(CIMultiDict({"Transfer-Encoding": "chunked"}), None, None)


@pytest.mark.parametrize("length", [None, "", "-1", "1.5", "0x10", "9" * 20, "\u0661"])
def test_decoded_length_has_to_be_a_number(length: str | None) -> None:
    headers = CIMultiDict({} if length is None else {"x-amz-decoded-content-length": length})
    with pytest.raises(MissingContentLength):
        parse_payload(headers, STREAMING, 10)


def test_two_decoded_lengths_are_refused() -> None:
    headers = CIMultiDict([("x-amz-decoded-content-length", "1")] * 2)
    with pytest.raises(MissingContentLength):
        parse_payload(headers, STREAMING, 10)


@pytest.mark.parametrize(
    "value", ["", "UNSIGNED", "ab", "zz" * 32, HASH + "00", "STREAMING-AWS4-HMAC-SHA256-EVENTS"]
)
def test_any_other_payload_hash_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_payload(CIMultiDict(), value, 1)


def test_payload_of_signature_v4a_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="V4A"):
        parse_payload(CIMultiDict(), "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 1)


@pytest.mark.parametrize("value", ["", "AAAA", "1B2M2Y8AsgTpgAmY7PhCf!==", "ä"])
def test_content_md5_that_is_no_digest_is_refused(value: str) -> None:
    with pytest.raises(InvalidDigest):
        parse_payload(CIMultiDict({"Content-MD5": value}), None, 1)


def test_checksum_of_an_unknown_algorithm_is_refused_where_it_would_be_passed_over() -> None:
    with pytest.raises(InvalidRequest, match="algorithm"):
        parse_payload(CIMultiDict({"X-Amz-Checksum-SHA3": "AAAA"}), None, 1)
    others = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-mode": "ENABLED"}
    known = CIMultiDict({**others, "x-amz-checksum-type": "COMPOSITE"})
    assert parse_payload(known, None, 1).checksums == ()


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("x-amz-meta-a", STREAMING),
        ("content-type", STREAMING),
        ("x-amz-checksum-crc32,x-amz-checksum-crc32", STREAMING),
        ("x-amz-checksum-crc32", "UNSIGNED-PAYLOAD"),
        ("x-amz-checksum-crc32", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    ],
)
def test_trailer_that_is_no_checksum_or_has_no_place_is_refused(value: str, form: str) -> None:
    headers = CIMultiDict({"x-amz-trailer": value, "x-amz-decoded-content-length": "1"})
    with pytest.raises(InvalidRequest):
        parse_payload(headers, form, 10)


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        (None, None),
        ("aws-chunked", None),
        ("AWS-Chunked", None),
        ("gzip", "gzip"),
        ("aws-chunked,gzip", "gzip"),
        ("gzip, aws-chunked , br", "gzip,br"),
        ("", None),
    ],
)
def test_only_the_token_aws_chunked_is_taken_off(value: str | None, rest: str | None) -> None:
    assert content_encoding(value) == rest


@given(
    st.dictionaries(
        st.sampled_from(
            ["Content-MD5", "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-checksum-md5"]
        ),
        st.text(max_size=30),
    ),
    st.one_of(st.none(), st.text(max_size=30), st.sampled_from([form.value for form in Form])),
)
def test_any_declaration_is_read_or_refused(headers: dict[str, str], value: str | None) -> None:
    with refusals(400, 411):
        parse_payload(CIMultiDict(headers), value, 7)
