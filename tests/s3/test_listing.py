"""Listings: what backends write is read, and what is written clients read."""

from dataclasses import replace

import botocore.session
import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedXML
from gateway.s3.listing import (
    Entry,
    Listing,
    ListingKind,
    Owner,
    parse_listing,
    render_listing,
)

NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
)
TIMES = st.just("2024-02-29T12:34:56.000Z")
OWNERS = st.one_of(st.none(), st.builds(Owner, NAMES, NAMES))
ENTRIES = st.builds(
    Entry,
    key=NAMES,
    last_modified=TIMES,
    etag=st.just('"abc"'),
    size=st.integers(0, 1 << 62),
    storage_class=st.just("STANDARD"),
    owner=OWNERS,
    checksum_algorithms=st.sampled_from([(), ("CRC32",), ("CRC32", "SHA256")]),
    checksum_type=st.sampled_from([None, "FULL_OBJECT"]),
)
VERSIONS = st.builds(replace, ENTRIES, version_id=st.just("v1"), is_latest=st.booleans())
MARKERS = st.builds(
    Entry,
    key=NAMES,
    last_modified=TIMES,
    owner=OWNERS,
    version_id=st.just("v2"),
    is_latest=st.booleans(),
    delete_marker=st.just(value=True),
)
MAYBE = st.one_of(st.none(), NAMES)
COMMON = {
    "name": st.just("bucket"),
    "prefix": NAMES,
    "max_keys": st.integers(0, 1000),
    "truncated": st.booleans(),
    "delimiter": MAYBE,
    "url_encoded": st.booleans(),
    "common_prefixes": st.lists(NAMES, max_size=3).map(tuple),
}
LISTINGS = st.one_of(
    st.builds(
        Listing,
        kind=st.just(ListingKind.OBJECTS),
        marker=NAMES,
        next_marker=MAYBE,
        entries=st.lists(ENTRIES, max_size=3).map(tuple),
        **COMMON,
    ),
    st.builds(
        Listing,
        kind=st.just(ListingKind.OBJECTS_V2),
        start_after=MAYBE,
        token=MAYBE,
        next_token=MAYBE,
        entries=st.lists(ENTRIES, max_size=3).map(tuple),
        **COMMON,
    ),
    st.builds(
        Listing,
        kind=st.just(ListingKind.VERSIONS),
        marker=NAMES,
        next_marker=MAYBE,
        version_marker=NAMES,
        next_version_marker=MAYBE,
        entries=st.lists(st.one_of(VERSIONS, MARKERS), max_size=3).map(tuple),
        **COMMON,
    ),
)


@given(LISTINGS)
def test_page_comes_back_from_its_document(listing: Listing) -> None:
    assert parse_listing(render_listing(listing)) == listing


MODEL = botocore.session.get_session().get_service_model("s3")


def as_botocore(listing: Listing) -> dict[str, object]:
    """What botocore reads of a page, before it decodes names."""
    shape = MODEL.operation_model(listing.kind.value).output_shape
    response = {"status_code": 200, "headers": {}, "body": render_listing(listing)}
    parsed = create_parser("rest-xml").parse(response, shape)
    assert isinstance(parsed, dict)
    return parsed


def test_botocore_reads_what_is_written() -> None:
    entry = Entry("a b/ä+", "2024-02-29T12:34:56.000Z", '"e"', 7, owner=Owner("id", "name"))
    page = Listing(
        ListingKind.OBJECTS_V2,
        "bucket",
        prefix="a b/",
        max_keys=2,
        truncated=True,
        next_token="t",
        url_encoded=True,
        entries=(entry,),
        common_prefixes=("a b/c/",),
    )
    parsed = as_botocore(page)
    assert parsed["KeyCount"] == 2
    assert parsed["EncodingType"] == "url"
    assert parsed["Prefix"] == "a%20b/"
    assert parsed["NextContinuationToken"] == "t"
    assert parsed["CommonPrefixes"] == [{"Prefix": "a%20b/c/"}]
    contents = parsed["Contents"]
    assert isinstance(contents, list)
    assert (contents[0]["Key"], contents[0]["Size"]) == ("a%20b/%C3%A4%2B", 7)
    assert contents[0]["Owner"] == {"ID": "id", "DisplayName": "name"}


def test_botocore_reads_versions_and_delete_markers() -> None:
    version = Entry("k", "2024-02-29T12:34:56.000Z", '"e"', 7, version_id="v1")
    marker = Entry(
        "k", "2024-02-29T12:34:57.000Z", version_id="v2", is_latest=True, delete_marker=True
    )
    parsed = as_botocore(Listing(ListingKind.VERSIONS, "b", entries=(marker, version)))
    assert [item["VersionId"] for item in parsed["Versions"]] == ["v1"]  # type: ignore[attr-defined]
    assert [item["IsLatest"] for item in parsed["DeleteMarkers"]] == [True]  # type: ignore[attr-defined]


def test_page_of_seaweedfs_is_read() -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult '
        b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bkt</Name><Prefix>p</Prefix>'
        b"<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>p/q+r%2Bs</Key>"
        b"<ETag>&#34;9dd4&#34;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass>"
        b"<LastModified>2026-11-22T20:46:07Z</LastModified></Contents>"
        b"<EncodingType>url</EncodingType><KeyCount>1</KeyCount></ListBucketResult>"
    )
    listing = parse_listing(body)
    assert listing.kind is ListingKind.OBJECTS_V2
    assert listing.url_encoded
    assert listing.entries == (Entry("p/q r+s", "2026-11-22T20:46:07Z", '"9dd4"', 1),)


@pytest.mark.parametrize(
    "body",
    [
        b"<Other/>",
        b"<ListBucketResult><MaxKeys>many</MaxKeys></ListBucketResult>",
        b"<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><EncodingType>url</EncodingType><Prefix>%ff</Prefix></ListBucketResult>",
        b"<!DOCTYPE a><ListBucketResult/>",
    ],
)
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse_listing(body)
