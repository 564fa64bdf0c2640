"""Names in the backend's documents become the workspace's, and nothing else changes."""

from collections.abc import Iterable
from time import process_time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedXML
from gateway.s3.listing import Entry, Listing, ListingKind, parse_listing, render_listing
from gateway.s3.naming import Names, rename_arns
from gateway.s3.translation import MAX_ENTRY, Translator, translate
from tests.s3.framing import split
from tests.s3.oracle import refusals

NAMES = Names("shown", "backend-bucket", "team a/ä/", "http://gw.test/shown/", "k")
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
            (
                "<ListBucketResult><KeyCount>9</KeyCount> <Contents><Size>1</Size><Key>elsewhere/k"
                "</Key></Contents >\n<Contents><Key>team a/ä/k</Key></Contents><Contents><Key>"
                "team%20a/%C3%A4/</Key></Contents><CommonPrefixes><Prefix>team b/</Prefix>"
                "</CommonPrefixes><KeyCount>4</KeyCount></ListBucketResult>"
            ),
            (
                "<ListBucketResult><KeyCount>9</KeyCount> "
                "\n<Contents><Key>k</Key></Contents>"
                "<KeyCount>1</KeyCount></ListBucketResult>"
            ),
        ),
        (
            (
                "<ListPartsResponse><Bucket>backend-bucket</Bucket><Key>team a/ä/k</Key>"
                "</ListPartsResponse>"
            ),
            "<ListPartsResponse><Bucket>shown</Bucket><Key>k</Key></ListPartsResponse>",
        ),
        (
            (
                "<Error><Message>no s3:GetObject on arn:aws:s3:::backend-bucket/team a/ä/k, "
                "arn:aws-cn:s3:::backend-bucket, arn:aws:s3:::backend-bucket-2</Message></Error>"
            ),
            (
                "<Error><Message>no s3:GetObject on arn:aws:s3:::shown/k, "
                "arn:aws-cn:s3:::shown, arn:aws:s3:::backend-bucket-2</Message></Error>"
            ),
        ),
        (
            (
                "<BucketLoggingStatus><LoggingEnabled><TargetBucket>backend-bucket</TargetBucket>"
                "<TargetPrefix>backend-bucket</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"
            ),
            (
                "<BucketLoggingStatus><LoggingEnabled><TargetBucket>shown</TargetBucket>"
                "<TargetPrefix>backend-bucket</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"
            ),
        ),
        (
            "<R><Rule><Destination><Bucket>arn:aws:s3:::backend-bucket</Bucket></Destination></Rule></R>",
            "<R><Rule><Destination><Bucket>arn:aws:s3:::shown</Bucket></Destination></Rule></R>",
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

    # What is nothing but the prefix has no name in the workspace.
    names = [each for each in names if each[0] or not prefix]

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


@given(
    st.lists(st.tuples(TEXT, st.booleans()), max_size=6),
    st.lists(st.integers(0, 3000), max_size=12),
)
def test_entries_that_are_hidden_are_left_out_however_they_arrive(
    names: list[tuple[str, bool]], cuts: list[int]
) -> None:
    hidden = {name for name, hides in names if hides}

    def listing(keys: Iterable[str]) -> bytes:
        entries = tuple(Entry(quote(f"team a/{key}"), "2024-02-29T12:34:56Z") for key in keys)
        return render_listing(Listing(ListingKind.OBJECTS, "hidden", entries=entries))

    translator = Translator(Names("shown", "hidden", "team a/"), hidden.__contains__, encoded=True)
    pieces = split(listing(name for name, _ in names), cuts)
    out = b"".join([*(translator.feed(piece) for piece in pieces), translator.close()])
    # A key that is nothing but the prefix has no name in the workspace.
    shown = [name for name, _ in names if name and name not in hidden]
    assert [entry.key for entry in parse_listing(out).entries] == [quote(name) for name in shown]
    assert b"team" not in out


def test_a_marker_that_is_hidden_is_one_just_behind_it() -> None:
    document = (
        b"<ListBucketResult><Marker>p/a.x/b</Marker><NextMarker>p/a.x/</NextMarker>"
        b"<Contents><Key>p/a.x/</Key></Contents></ListBucketResult>"
    )
    names = Names("w", "b", "p/")
    assert translate(document, names, lambda key: key.startswith("a.x")) == (
        b"<ListBucketResult><Marker>a.x/b</Marker><NextMarker>a.x!</NextMarker></ListBucketResult>"
    )


def test_what_is_not_known_yet_waits() -> None:
    translator = Translator(NAMES)
    assert translator.feed(b"<ListBucketResult><Name>x</Name><Contents>") == (
        b"<ListBucketResult><Name>x</Name>"
    )
    assert translator.feed(b"<ETag>others</ETag><Key>team b/k") == b""
    assert translator.feed(b"</Key></Contents>") == b""
    assert translator.feed(b"<IsTruncated>") == b"<IsTruncated>"


def test_an_entry_that_never_ends_is_refused() -> None:
    translator = Translator(NAMES)
    translator.feed(b"<ListBucketResult><Contents>")
    translator.feed(b"<E/>" * (MAX_ENTRY // 4 - 100))
    with pytest.raises(MalformedXML):
        translator.feed(b"<E/>" * 100)


POLICY = (
    '{"Statement": [{"Resource": ["arn:aws:s3:::%s", "arn:aws:s3:::%s/a*", "arn:aws:s3:::%s\\/b"], '
    '"Sid": "backend-bucket"}]}'
)


def test_policies_name_the_workspace_s_bucket_both_ways() -> None:
    names = Names("shown", "backend-bucket")
    told = rename_arns(names, POLICY % (("backend-bucket",) * 3))
    assert told == POLICY % (("shown",) * 3)
    assert rename_arns(names.reversed, told) == POLICY % (("backend-bucket",) * 3)


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


@pytest.mark.parametrize(
    "spelled", ["it&#39;s", "&quot;&#34;&#x9;&#xA;", "&amp;&lt;ä&#128025;", "]&gt;"]
)
@pytest.mark.parametrize("prefix", ["team a/ä/", "team+a%2F%C3%A4/", "te&#97;m a/&#xE4;/"])
def test_what_stays_of_a_name_is_spelled_as_it_came(prefix: str, spelled: str) -> None:
    document = "<Error><Key>{0}{2}</Key><Resource>/{1}/{0}{2}</Resource></Error>"
    came = document.format(prefix, "backend-bucket", spelled)
    assert translate(came.encode(), NAMES).decode() == document.format("", "shown", spelled)


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
    assert not Names("b", "b", place="http://gw.test/b/").equal
