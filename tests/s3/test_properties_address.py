"""Addresses, copy sources and lifted headers: any input has one meaning, or is refused."""

import re
from urllib.parse import quote, unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.errors import InvalidArgument, InvalidURI, KeyTooLong
from gateway.s3.address import (
    SEAWEEDFS_RULES,
    Address,
    Query,
    encode_copy_source,
    encode_path,
    parse_copy_source,
    parse_path,
    virtual_host,
)
from gateway.s3.canonical import header_value, normal_path, normal_query, raw_query
from gateway.s3.hoisting import lift_headers
from tests.s3.oracle import refusals
from tests.s3.raw_signing import named

RAW = st.lists(
    st.sampled_from(
        [
            *(bytes((byte,)) for byte in range(1, 256)),
            *(b"/", b"//", b"..", b"%2F", b"%5c", b"%00", b"%C3%A4", b"%ff", b"%", b"%4", b"%zz"),
            *(b"?", b"?versionId=", b"&", b"=", b"+", b"%3F", b"%0D%0A", b"versionId", b"a" * 500),
        ]
    ),
    max_size=20,
).map(b"".join)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
BREAKS = re.compile("[\r\n\0]")


def as_text(data: bytes) -> str:
    """Bytes as aiohttp reads them."""
    return data.decode("utf-8", "surrogateescape")


@given(RAW, st.none() | st.just("bucket"))
@example(b"bucket/" + b"a" * 1025, None)
def test_path_names_what_its_bytes_spell_or_nothing(raw: bytes, bucket: str | None) -> None:
    meant = named(b"/" + raw) if bucket is None else named(b"/bucket/" + raw)
    try:
        address = parse_path(as_text(b"/" + raw), bucket)
    except (InvalidURI, KeyTooLong):
        assert meant is None or "\0" in "".join(meant) or len(meant[1].encode()) > 1024
        return
    assert (address.bucket, address.key) == meant
    assert parse_path(encode_path(Address("b", address.key))).key == address.key


@given(RAW, RAW)
def test_copy_source_names_what_it_spells_or_nothing(path: bytes, version: bytes) -> None:
    for raw in (path, path + b"?versionId=" + version):
        try:
            address, version_id = parse_copy_source(as_text(raw))
        except (InvalidArgument, KeyTooLong):
            continue
        spelled, _, query = raw.partition(b"?")
        assert f"{address.bucket}/{address.key}".encode() == unquote_to_bytes(spelled).removeprefix(
            b"/"
        )
        assert "/" not in address.bucket
        assert version_id is None or version_id.encode() == unquote_to_bytes(
            query.removeprefix(b"versionId=")
        )
        assert version_id is None or not BREAKS.search(version_id)
        assert parse_copy_source(encode_copy_source(address, version_id)) == (address, version_id)


@given(NAMES.filter(lambda name: name and "/" not in name), NAMES.filter(bool), NAMES)
def test_copy_source_comes_back_from_any_client_s_spelling(
    bucket: str, key: str, version: str
) -> None:
    version_id = version if version and version.isprintable() and "&" not in version else None
    with refusals(400):
        for safe in ("/", "", "/~!*'()"):
            spelled = f"{quote(bucket, safe='')}/{quote(key, safe=safe)}"
            if version_id:
                spelled += f"?versionId={quote(version_id, safe='')}"
            for source in (spelled, "/" + spelled):
                assert parse_copy_source(source) == (Address(bucket, key), version_id)


@given(RAW)
def test_what_is_written_to_the_backend_is_one_line_of_ascii(raw: bytes) -> None:
    with refusals(400):
        assert _is_line(encode_path(parse_path(as_text(b"/" + raw))))
    with refusals(400):
        assert _is_line(Query.parse(as_text(raw)).encode())
    with refusals(400):
        assert _is_line(encode_copy_source(*parse_copy_source(as_text(raw))))
    pairs = as_text(raw).split("&")
    for spelled in (normal_path(as_text(raw)), normal_query(pairs)):
        assert spelled is None or _is_line(spelled)


def _is_line(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


@given(st.lists(st.text(max_size=10), max_size=6))
def test_canonical_forms_take_any_text(pieces: list[str]) -> None:
    raw_query(pieces)
    value = header_value(pieces)
    assert header_value([value]) == value
    with refusals(400):
        virtual_host("".join(pieces), "s3.example.org")
    for piece in pieces:
        assert SEAWEEDFS_RULES.is_private(piece) == SEAWEEDFS_RULES.is_private(
            SEAWEEDFS_RULES.fold(piece)
        )


@given(NAMES, NAMES, NAMES)
def test_virtual_host_and_path_style_name_the_same(bucket: str, key: str, port: str) -> None:
    path = parse_path
    with refusals(400):
        address = path("/" + quote(key, safe="/"), bucket)
        assert address == Address(bucket, key)
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", bucket) and not bucket.endswith("."):
        host = f"{bucket}.s3.example.org" + (f":{port}" if port.isdigit() else "")
        assert virtual_host(host, "s3.example.org") == bucket


HEADERS = st.sampled_from(["x-amz-acl", "X-Amz-Meta-A", "x-amz-copy-source", "x-amz-tagging"])


@given(
    st.lists(
        st.tuples(HEADERS, st.text(max_size=8) | st.sampled_from(["\r\nX: y", "\0"])), max_size=4
    )
)
def test_lifted_headers_are_single_lines_and_come_once(pairs: list[tuple[str, str]]) -> None:
    query = Query((*pairs, ("X-Amz-Signature", "ab")))
    try:
        rest, headers = lift_headers(query, CIMultiDict({"x-amz-acl": "private"}))
    except InvalidArgument:
        return
    assert rest == Query((("X-Amz-Signature", "ab"),))
    assert len(headers) == len(pairs) + 1
    assert not any(BREAKS.search(value) for value in headers.values())
    assert len({name.lower() for name in headers}) == len(headers)
