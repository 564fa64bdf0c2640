"""Names in the backend's documents become the workspace's, and nothing else changes."""

from time import process_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedXML
from gateway.s3.listing import Entry, Listing, ListingKind, parse_listing, render_listing
from gateway.s3.translation import Names, Translator, translate
from tests.s3.framing import split
from tests.s3.oracle import refusals

NAMES = Names("shown", "backend-bucket", "team a/ä/", "http://gw.test/shown/k")
DECLARED = b'<?xml version="1.0" encoding="UTF-8"?>\n'
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            (
                "<ListBucketResult><Name>backend-bucket</Name><Prefix>team a/ä/x</Prefix><Marker/>"
                "<NextMarker>team a/ä/z</NextMarker><Contents><Key>team a/ä/x&amp;y</Key>"
                "<ETag>&#34;e&#34;</ETag></Contents><CommonPrefixes><Prefix>team a/ä/d/</Prefix>"
                "</CommonPrefixes></ListBucketResult>"
            ),
            (
                "<ListBucketResult><Name>shown</Name><Prefix>x</Prefix><Marker/>"
                "<NextMarker>z</NextMarker><Contents><Key>x&amp;y</Key>"
                "<ETag>&#34;e&#34;</ETag></Contents><CommonPrefixes><Prefix>d/</Prefix>"
                "</CommonPrefixes></ListBucketResult>"
            ),
        ),
        (
            (
                "<ListBucketResult><Contents><Key>team+a/%C3%A4/x+y</Key></Contents><Contents><Key>"
                "team%20a%2F%c3%a4%2Fx</Key></Contents></ListBucketResult>"
            ),
            (
                "<ListBucketResult><Contents><Key>x+y</Key></Contents><Contents><Key>"
                "x</Key></Contents></ListBucketResult>"
            ),
        ),
        (
            (
                "<ListVersionsResult><Name>backend-bucket</Name><KeyMarker>team a/ä/k</KeyMarker>"
                "<Version><Key>team a/ä/k</Key></Version><DeleteMarker><Key>team a/ä/k</Key>"
                "</DeleteMarker></ListVersionsResult>"
            ),
            (
                "<ListVersionsResult><Name>shown</Name><KeyMarker>k</KeyMarker>"
                "<Version><Key>k</Key></Version><DeleteMarker><Key>k</Key>"
                "</DeleteMarker></ListVersionsResult>"
            ),
        ),
        (
            (
                "<ListMultipartUploadsResult><Bucket>backend-bucket</Bucket><Upload>"
                "<Key>team a/ä/k</Key></Upload></ListMultipartUploadsResult>"
            ),
            (
                "<ListMultipartUploadsResult><Bucket>shown</Bucket><Upload>"
                "<Key>k</Key></Upload></ListMultipartUploadsResult>"
            ),
        ),
        (
            (
                "<ListPartsResult><Bucket>backend-bucket</Bucket>"
                "<Key>team a/ä/k</Key>"
                "<UploadId>team a/ä/</UploadId></ListPartsResult>"
            ),
            (
                "<ListPartsResult><Bucket>shown</Bucket><Key>k</Key>"
                "<UploadId>team a/ä/</UploadId></ListPartsResult>"
            ),
        ),
        (
            (
                "<InitiateMultipartUploadResult><Bucket>backend-bucket</Bucket>"
                "<Key>team a/ä/k</Key>"
                "</InitiateMultipartUploadResult>"
            ),
            (
                "<InitiateMultipartUploadResult><Bucket>shown</Bucket><Key>k</Key>"
                "</InitiateMultipartUploadResult>"
            ),
        ),
        (
            (
                "<CompleteMultipartUploadResult><Location>http://10.0.0.1/backend-bucket/x</Location>"
                "<Bucket>backend-bucket</Bucket><Key>team a/ä/k</Key>"
                "</CompleteMultipartUploadResult>"
            ),
            (
                "<CompleteMultipartUploadResult><Location>http://gw.test/shown/k</Location>"
                "<Bucket>shown</Bucket><Key>k</Key></CompleteMultipartUploadResult>"
            ),
        ),
        (
            (
                "<DeleteResult><Deleted><Key>team a/ä/k</Key></Deleted><Error><Key>team a/ä/l</Key>"
                "</Error></DeleteResult>"
            ),
            (
                "<DeleteResult><Deleted><Key>k</Key></Deleted><Error><Key>l</Key>"
                "</Error></DeleteResult>"
            ),
        ),
        (
            (
                "<Error><Code>NoSuchKey</Code><Key>team a/ä/k</Key><BucketName>backend-bucket"
                "</BucketName><Resource>/backend-bucket/team%20a/%C3%A4/k</Resource></Error>"
            ),
            (
                "<Error><Code>NoSuchKey</Code><Key>k</Key><BucketName>shown"
                "</BucketName><Resource>/shown/k</Resource></Error>"
            ),
        ),
        (
            "<Error><Resource>/backend-bucket</Resource></Error>",
            "<Error><Resource>/shown</Resource></Error>",
        ),
        (
            "<Error><Resource>backend-bucket/other</Resource></Error>",
            "<Error><Resource>shown/</Resource></Error>",
        ),
        (
            "<ListBucketResult><Contents><Key>elsewhere/secret</Key></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key></Key></Contents></ListBucketResult>",
        ),
        (
            (
                "<Tagging><TagSet><Tag><Key>team a/ä/k</Key><Value>backend-bucket</Value></Tag>"
                "</TagSet></Tagging>"
            ),
            (
                "<Tagging><TagSet><Tag><Key>team a/ä/k</Key><Value>backend-bucket</Value></Tag>"
                "</TagSet></Tagging>"
            ),
        ),
        (
            (
                "<s:ListPartsResult xmlns:s='x'><s:Key ><![CDATA[team a/ä/<k>]]></s:Key>"
                "<!-- team a/ä/ --></s:ListPartsResult>"
            ),
            "<s:ListPartsResult xmlns:s='x'><s:Key ><![CDATA[team a/ä/<k>]]></s:Key>"
            "<!-- team a/ä/ --></s:ListPartsResult>".replace(
                "<![CDATA[team a/ä/<k>]]>", "&lt;k&gt;"
            ),
        ),
    ],
)
def test_names_of_every_document_are_translated(before: str, after: str) -> None:
    for head in (b"", DECLARED, b"  \n", b"\xef\xbb\xbf"):
        assert translate(head + before.encode(), NAMES) == head + after.encode()


@given(
    st.lists(st.tuples(TEXT, st.booleans()), max_size=5),
    st.lists(st.integers(0, 3000), max_size=12),
    st.sampled_from(["", "team/", "team a/ä/", "100%/"]),
    st.sampled_from([None, quote, quote_plus]),
)
def test_listing_is_translated_however_it_arrives(
    names: list[tuple[str, bool]], cuts: list[int], prefix: str, spell: object
) -> None:
    spelled = spell if callable(spell) else str

    def listing(bucket: str, start: str) -> bytes:
        keys = tuple(spelled(start + name) for name, folder in names if not folder)
        folders = tuple(spelled(start + name) for name, folder in names if folder)
        entries = tuple(Entry(key, "2024-02-29T12:34:56Z") for key in keys)
        return render_listing(
            Listing(ListingKind.OBJECTS_V2, bucket, entries=entries, common_prefixes=folders)
        )

    translator = Translator(Names("shown", "hidden", prefix))
    raw = listing("hidden", prefix)
    out = [translator.feed(piece) for piece in split(raw, cuts)]
    assert parse_listing(b"".join([*out, translator.close()])) == parse_listing(
        listing("shown", "")
    )


@given(st.lists(st.integers(0, 3000), max_size=12), TEXT)
def test_document_without_names_comes_out_byte_for_byte(cuts: list[int], text: str) -> None:
    body = (
        DECLARED
        + (
            f"<A x='1'>\r\n<!-- {quote(text)} --><Key>{quote(text)}</Key> <B/>&#x41;&amp;"
            f"<![CDATA[ <x> ]]><?pi x?></A>\n\n"
        ).encode()
    )
    translator = Translator(NAMES)
    out = [translator.feed(piece) for piece in split(body, cuts)]
    assert b"".join([*out, translator.close()]) == body


def test_white_space_that_keeps_an_answer_alive_passes_at_once() -> None:
    translator = Translator(NAMES)
    assert translator.feed(b"\n ") == b"\n "
    assert translator.feed(b"\n") == b"\n"
    rest = translator.feed(DECLARED) + translator.feed(b" \n") + translator.feed(b"  ")
    rest += translator.feed(b"<CopyObjectResult/>") + translator.close()
    assert rest == DECLARED + b" \n  <CopyObjectResult/>"


def test_most_of_a_long_listing_comes_out_while_it_comes_in() -> None:
    entries = tuple(Entry(f"team a/ä/{number}", "t") for number in range(1000))
    raw = render_listing(Listing(ListingKind.OBJECTS_V2, "backend-bucket", entries=entries))
    translator = Translator(NAMES)
    out = translator.feed(raw[: len(raw) // 2])
    assert len(out) > len(raw) // 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"<html><p></html>",
        b"<Error><Key>",
        b"plain text",
        b'<?xml version="1.0" encoding="ISO-8859-1"?><Error/>',
        "<Error/>".encode("utf-16"),
        b'<!DOCTYPE a [<!ENTITY x "y">]><Error><Key>&x;</Key></Error>',
        b"<a>" * 20 + b"</a>" * 20,
    ],
)
def test_what_is_no_document_of_s3_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        translate(body, NAMES)


@given(st.binary(max_size=120), st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_are_translated_or_refused(body: bytes, cuts: list[int]) -> None:
    for data in (body, b"<Error><Key>" + body + b"</Key></Error>"):
        translator = Translator(NAMES)
        with refusals(400):
            for piece in split(data, cuts):
                translator.feed(piece)
            translator.close()


def test_time_is_linear_in_the_document() -> None:
    def seconds(count: int) -> float:
        entries = tuple(Entry(f"team a/ä/{number}", "t") for number in range(count))
        raw = render_listing(Listing(ListingKind.OBJECTS_V2, "backend-bucket", entries=entries))
        start = process_time()
        translate(raw, NAMES)
        return process_time() - start

    seconds(100)
    assert min(seconds(8000) for _ in range(3)) < min(seconds(1000) for _ in range(3)) * 8 * 4


def test_equal_names_need_no_translation() -> None:
    assert Names("b", "b").equal
    assert not Names("b", "c").equal
    assert not Names("b", "b", "p/").equal
    assert not Names("b", "b", location="http://gw.test/b/k").equal
