"""Signatures: what botocore can sign is accepted, and what is accepted is what was signed."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import GatewayError, SignatureDoesNotMatch
from gateway.s3.address import Query, parse_path, virtual_host
from gateway.s3.claim import parse_claim
from gateway.s3.message import Request
from gateway.s3.sigv4 import verify
from tests.s3.oracle import (
    ENDPOINT,
    KEY_ID,
    SECRET,
    arrived,
    claim_of,
    client,
    sent,
    split_url,
    verified,
)
from tests.s3.raw_signing import TIME, named, signed_headers

HOST = urlsplit(ENDPOINT).netloc
DOMAIN = "gateway.test"
NOW = datetime.strptime(TIME, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
PATH_STYLE = client(signature_version="s3v4")
VIRTUAL = client("virtual", signature_version="s3v4")

# What clients have stumbled over, between whatever else there is.
PIECES = st.sampled_from(
    [
        *"aZ0-._~/ +%&=?#;:@!$'()*,[]{}|^`<>\"\\",
        *("//", "..", "/../", "/./", "%2F", "%2f", "%25", "%zz", "..//", " /", "/ "),
        *("\t", "\x01", "\x7f", "\x85", "\xa0", "ä", "a\u0308", "\u200b", "\ufeff", "\uffff"),
        *("😀", "\U0001d54a", "中文", "\u202e"),
    ]
)
KEYS = (
    st.lists(PIECES | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
    .map("".join)
    .filter(lambda key: len(key.encode()) <= 1024 and "\0" not in key)
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
VALUES = st.lists(
    st.sampled_from([" ", "  ", "\t", ",", ";", "=", '"', "a", "b", "ä", "😀", ":", "%20"]),
    max_size=12,
).map("".join)
PAIRS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "a-", "A", "ä", "x y", "+"]), KEYS), max_size=5
)


@settings(max_examples=80, deadline=None)
@given(KEYS, st.sampled_from(["get_object", "put_object", "delete_object", "head_object"]))
def test_key_in_any_spelling_is_accepted_in_path_style(key: str, operation: str) -> None:
    request = sent(PATH_STYLE, operation, Bucket="my-bucket", Key=key)
    address = parse_path(verified(request).path)
    assert (address.bucket, address.key) == ("my-bucket", key)


@settings(max_examples=80, deadline=None)
@given(KEYS, st.none() | st.integers(1, 604_800))
def test_key_in_any_spelling_is_accepted_in_virtual_host_style(
    key: str, expires: int | None
) -> None:
    if expires is None:
        request = sent(VIRTUAL, "get_object", Bucket="my-bucket", Key=key)
    else:
        wanted = {"Bucket": "my-bucket", "Key": key}
        host, target = split_url(
            VIRTUAL.generate_presigned_url("get_object", Params=wanted, ExpiresIn=expires)
        )
        request = arrived("GET", target, {"Host": host})
    proof = verified(request)
    address = parse_path(proof.path, virtual_host(proof.host, DOMAIN))
    assert (address.bucket, address.key) == ("my-bucket", key)


@settings(max_examples=150, deadline=None)
@given(PAIRS, st.dictionaries(NAMES, VALUES, max_size=4), st.none() | st.just(60))
def test_any_query_and_header_that_botocore_signs_is_accepted(
    pairs: list[tuple[str, str]], headers: dict[str, str], expires: int | None
) -> None:
    encoded = Query(tuple(pairs)).encode()
    target = f"/my-bucket/key{'?' if encoded else ''}{encoded}"
    fields = {f"x-amz-meta-{name}": value for name, value in headers.items()}
    request = AWSRequest("GET", ENDPOINT + target, headers=fields)
    credentials = Credentials(KEY_ID, SECRET)
    if expires is None:
        S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    else:
        S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=expires).add_auth(request)
    on_the_wire = [("Host", HOST), *request.headers.items()]
    come = arrived("GET", request.url.removeprefix(ENDPOINT), on_the_wire)
    verified(come)
    read = [pair for pair in Query.parse(come.query).pairs if not pair[0].startswith("X-Amz-")]
    # Of parameters of one name, botocore's URLs keep one.
    assert sorted(read) == sorted(pairs) if expires is None else set(read) <= set(pairs)


# Paths, byte by byte as somebody may write them.
RAW = st.lists(
    st.sampled_from(
        [
            *(bytes((byte,)) for byte in b"abZ09-._~/+;:@!$'()*,=&|^`<>\"\\[]{}"),
            *(b"//", b"/./", b"/../", b"..", b"%2F", b"%2f", b"%5C", b"%5c", b"%2E", b"%2e%2E"),
            *(b"%3F", b"%3f", b"%23", b"%3B", b";v=1", b"%25", b"%252F", b"%20", b"%2B", b"%00"),
            *(b"%7E", b"%7e", b"%41", b"%C3%A4", b"%c3%a4", b"%C3", b"%FF", b"\xff", b"\xc3\xa4"),
            *(b"%0D%0A", b"%zz", b"%", b"%4", b" "),
        ]
    ),
    max_size=14,
).map(b"".join)
NORMAL = st.lists(
    st.sampled_from([b"a", b"~", b"/", b"%20", b"%2F", b"%252F", b"%C3%A4"]), max_size=3
).map(b"".join)
ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


@st.composite
def respelled(draw: st.DrawFn, path: bytes) -> bytes:
    """The path with its escapes written another way: their case, and what needs none."""

    def other(match: re.Match[bytes]) -> bytes:
        byte = int(match[1], 16)
        choices = [match[0], match[0].upper(), match[0].lower()]
        if byte in UNRESERVED:
            choices.append(bytes((byte,)))
        return draw(st.sampled_from(choices))

    def escaped(match: re.Match[bytes]) -> bytes:
        return draw(st.sampled_from([match[0], b"%%%02X" % match[0][0], b"%%%02x" % match[0][0]]))

    spelled = ESCAPE.sub(other, path)
    return re.sub(rb"(?<!%)(?<!%.)[^%/?]", escaped, spelled)


# What some server takes for the same.
CONFUSED = (
    *((b"/", other) for other in (b"//", b"%2F", b"/./", b"/x/../", b"%5C", b"\\", b"%2f/")),
    *((b"%20", other) for other in (b"+", b"%2B", b"%2520", b"%C2%A0")),
    *((b"", other) for other in (b"/", b";v=1", b"%00", b"%20", b".", b"%3F", b"%23", b"/..")),
    *((b"a", other) for other in (b"A", b"%2561", b"%E0%81%A1", b"%C1%A1")),
    *((b"%25", b"%"), (b"%C3%A4", b"a%CC%88"), (b"%FF", b"%C3%BF"), (b"%3F", b"?")),
)


@st.composite
def signed_and_sent(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A raw path that was signed, and one that is sent with its signature."""
    parts = draw(st.sampled_from([NORMAL, NORMAL, RAW]))
    before, after = b"/my-bucket/" + draw(parts), draw(parts)
    kind = draw(st.sampled_from(["same", "respelled", "confused", "taken apart"]))
    if kind in ("same", "respelled"):
        path = before + after
        return path, path if kind == "same" else draw(respelled(path))
    one, other = draw(st.sampled_from(CONFUSED))
    paths = before + one + after, before + other + after
    return paths if kind == "confused" else paths[::-1]


def as_text(data: bytes) -> str:
    """Bytes as aiohttp reads them."""
    return data.decode("utf-8", "surrogateescape")


def check_key(signed: bytes, came: bytes) -> None:
    """AssertionError where a request acts on another key than was signed, or than it says."""
    headers = signed_headers(SECRET, KEY_ID, "GET", signed, {"host": HOST})
    request = arrived("GET", "/", headers)
    request = replace(request, path=as_text(came.partition(b"?")[0]))
    claim = claim_of(request)
    try:
        proof = verify(claim, SECRET, request, NOW)
    except SignatureDoesNotMatch:
        assert named(signed) is None or signed != came
        return
    try:
        address = parse_path(proof.path)
    except GatewayError:
        # Unreadable, too long or with a NUL: nothing is acted on.
        meant = named(signed)
        assert meant is None or "\0" in meant[1] or len(meant[1].encode()) > 1024
        return
    assert (address.bucket, address.key) == named(signed)
    assert (address.bucket, address.key) == named(came)


@settings(max_examples=600, deadline=None)
@given(signed_and_sent())
def test_key_acted_on_is_the_key_that_was_signed(paths: tuple[bytes, bytes]) -> None:
    check_key(*paths)


@pytest.mark.parametrize("pair", CONFUSED)
def test_what_some_server_confuses_is_told_apart(pair: tuple[bytes, bytes]) -> None:
    one, other = (b"/my-bucket/x%20" + part + b"y/z" for part in pair)
    check_key(one, other)
    check_key(other, one)


@settings(max_examples=200, deadline=None)
@given(RAW.map(lambda raw: raw.replace(b"/", b"&")), RAW.map(lambda raw: raw.replace(b"/", b"&")))
def test_query_acted_on_is_the_query_that_was_signed(signed: bytes, came: bytes) -> None:
    for other in (signed, came):
        headers = signed_headers(SECRET, KEY_ID, "GET", b"/b?" + signed, {"host": HOST})
        request = replace(arrived("GET", "/b", headers), query=as_text(other))
        try:
            read = Query.parse(request.query)
            claim = parse_claim(request.headers, read)
            assert claim is not None
            verify(claim, SECRET, request, NOW)
            meant = Query.parse(as_text(signed))
        except GatewayError:
            continue
        assert sorted(read.pairs) == sorted(meant.pairs)


HEADER_NAMES = st.sampled_from(
    ["Host", "Authorization", "X-Amz-Date", "Date", "x-amz-content-sha256", "Content-Length"]
) | NAMES.map(lambda name: f"x-amz-{name}")
QUERY_NAMES = st.sampled_from(
    [f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders")]
    + ["X-Amz-Signature", "X-Amz-Security-Token", "AWSAccessKeyId", "Signature", "a"]
)
PLAUSIBLE = st.sampled_from(
    [
        *("AWS4-HMAC-SHA256", TIME, "99991231T235959Z", "00010101T000000Z", "host", "60"),
        *("ab" * 32, "KEY/20240229/r/s3/aws4_request", "Thu, 29 Feb 2024 12:34:56 +9999"),
        *("Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "UNSIGNED-PAYLOAD"),
        "AWS4-HMAC-SHA256 Credential=K/20240229/r/s3/aws4_request,SignedHeaders=host;x-amz-date,"
        "Signature=" + "ab" * 32,
        "AWS4-HMAC-SHA256 Credential=K/00010101/r/s3/aws4_request,SignedHeaders=host,"
        "Signature=" + "ab" * 32,
    ]
)
ANY = PLAUSIBLE | st.text(max_size=30) | st.binary(max_size=30).map(as_text)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=40),
    st.lists(st.tuples(QUERY_NAMES, ANY), max_size=8),
    st.lists(st.tuples(HEADER_NAMES, ANY), max_size=8),
    st.lists(ANY, max_size=2),
)
def test_any_request_is_refused_in_the_gateway_s_own_words(
    path: bytes, pairs: list[tuple[str, str]], headers: list[tuple[str, str]], hosts: list[str]
) -> None:
    """Nobody can sign these: each is refused, and never with another error."""
    fields = CIMultiDict(headers)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    request = Request("GET", as_text(b"/" + path), query, CIMultiDictProxy(fields), nothing())
    try:
        claim = parse_claim(request.headers, Query.parse(request.query))
    except GatewayError:
        return
    if claim is not None:
        with pytest.raises(GatewayError):
            verify(claim, SECRET, request, NOW, hosts=hosts)


async def nothing() -> AsyncIterator[bytes]:
    """No body: it is never read."""
    yield b""
