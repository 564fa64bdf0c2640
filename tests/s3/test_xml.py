"""S3's small documents, and documents that mean harm."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Detail, MalformedXML
from gateway.s3.xml import (
    document,
    element,
    escape,
    names_output_location,
    parse,
    render_buckets,
    render_copy,
    render_error,
    wrap,
)
from tests.s3.oracle import refusals

MOMENT = datetime(2024, 2, 29, 12, 34, 56, 789_999, tzinfo=UTC)
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>'


def test_error_document_has_the_elements_of_s3() -> None:
    details: dict[str, Detail] = {
        "Key": "a<b",
        "Size": 3,
        "Flag": True,
        "None": None,
        "Violations": [{"pointer": "/a", "message": "wrong"}, "plain"],
        "1 odd name": {"x": 1.5},
    }
    body = render_error(
        "NoSuchKey", "Not & there.", resource="/b/ä", request_id="id-1", details=details
    )
    assert body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>NoSuchKey</Code><Message>Not &amp; there.</Message>"
        "<Key>a&lt;b</Key><Size>3</Size><Flag>true</Flag>"
        "<Violations><Item><pointer>/a</pointer><message>wrong</message></Item>"
        "<Item>plain</Item></Violations><_1_odd_name><x>1.5</x></_1_odd_name>"
        "<Resource>/b/ä</Resource><RequestId>id-1</RequestId></Error>"
    )


def test_buckets_are_listed_with_their_times() -> None:
    body = render_buckets("alice", [("one", MOMENT), ("two", MOMENT)], token="next")
    root = parse(body)
    assert root.tag == "ListAllMyBucketsResult"
    assert [item.findtext("Name") for item in root.iterfind("Buckets/Bucket")] == ["one", "two"]
    assert root.findtext("Buckets/Bucket/CreationDate") == "2024-02-29T12:34:56.789Z"
    assert root.findtext("Owner/DisplayName") == "alice"
    assert root.findtext("ContinuationToken") == "next"
    assert b"<Prefix>" not in body
    assert b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' in body


def test_copy_result_has_etag_and_time() -> None:
    root = parse(render_copy('"abc"', MOMENT))
    assert root.tag == "CopyObjectResult"
    assert root.findtext("ETag") == '"abc"'
    assert root.findtext("LastModified") == "2024-02-29T12:34:56.789Z"


@given(st.text())
def test_any_text_comes_back_or_is_replaced_where_xml_cannot_hold_it(text: str) -> None:
    found = parse(document("Root", element("Text", text))).findtext("Text")
    assert found is not None
    assert len(found) == len(text)
    for one, other in zip(found, text, strict=True):
        assert one in (other, "\ufffd")
        if other.isprintable():
            assert one == other


def test_escape_leaves_ordinary_text_alone() -> None:
    assert escape("plain/ä") == "plain/ä"
    assert escape('<&>"\r\n\t\0\ud800') == "&lt;&amp;&gt;&quot;&#13;\n\t\ufffd\ufffd"


def test_elements_of_none_are_left_out() -> None:
    assert wrap("A", element("B", None), element("C", ""), element("D", 1)) == (
        "<A><C></C><D>1</D></A>"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&undefined;</a>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b'<?xml version="1.0" encoding="hex"?><a/>',
        b"\xff\xfe\x00",
        b"<a>\xff</a>",
        b"<a>\x00</a>",
        LAUGHS,
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<!DOCTYPE a><a/>",
        b"<a>" + b"<b/>" * 200_000 + b"</a>",
        b"<a>" + b" " * (1 << 22) + b"</a>",
    ],
)
def test_document_that_is_wrong_or_means_harm_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse(body)


def test_namespaces_are_taken_off() -> None:
    root = parse(b'<s:Delete xmlns:s="http://x/"><s:Quiet>true</s:Quiet></s:Delete>')
    assert (root.tag, root.findtext("Quiet")) == ("Delete", "true")


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    for data in (body, b"<a>" + body + b"</a>", b"<?xml " + body):
        with refusals(400):
            parse(data)


def test_restore_that_writes_elsewhere_is_seen() -> None:
    where = b"<OutputLocation><S3><BucketName>x</BucketName></S3></OutputLocation>"
    assert names_output_location(b"<RestoreRequest>" + where + b"</RestoreRequest>")
    assert not names_output_location(b"<RestoreRequest><Days>1</Days></RestoreRequest>")
    assert not names_output_location(b" \n")
    with pytest.raises(MalformedXML):
        names_output_location(b"<RestoreRequest>")
