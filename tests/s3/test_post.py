"""Uploads by HTML form: which PUT the fields ask for, and what is answered."""

from collections.abc import Mapping

import pytest
from multidict import CIMultiDict

from gateway.errors import InvalidArgument, KeyTooLong, MalformedXML
from gateway.s3.address import Address, Query
from gateway.s3.form import FormHead, FormReader
from gateway.s3.message import Reply
from gateway.s3.operation import identify
from gateway.s3.post import (
    Posted,
    address_of,
    answer_form,
    expand,
    put_headers,
    wanted_redirect,
    wanted_status,
)
from tests.s3.oracle import body_of

REQUEST = {"Host": "gateway.test", "X-Forwarded-Proto": "https", "Authorization": "secret"}
ADDRESS = Address("b", "a/ü b.csv")
URL = "https://gateway.test/b/a/%C3%BC%20b.csv"
PUT = Reply(200, CIMultiDict({"ETag": '"5d"', "x-amz-version-id": "v1", "Content-Length": "0"}))


def head(
    fields: Mapping[str, str], filename: str = "", content_type: str | None = None
) -> FormHead:
    return FormHead(fields, filename, content_type, 0)


def headers(fields: Mapping[str, str], told: FormHead | None = None) -> dict[str, str]:
    taken = put_headers(fields, told or head(fields), REQUEST)
    return {name: value for name, value in taken.items() if name not in REQUEST}


def answered(fields: Mapping[str, str]) -> Reply:
    reader = FormReader(body_of([]), "multipart/form-data; boundary=b")
    posted = Posted(reader, 0, None, wanted_status(fields), wanted_redirect(fields))
    return answer_form(posted, ADDRESS, URL, PUT)


def test_fields_become_the_headers_that_a_put_takes_and_no_others() -> None:
    taken = {
        "cache-control": "no-store",
        "content-disposition": "attachment",
        "content-encoding": "gzip",
        "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==",
        "content-type": "text/csv",
        "expires": "Wed, 21 Oct 2037 07:28:00 GMT",
        "x-amz-checksum-sha256": "…",
        "x-amz-meta-download-weight": "0.5",
        "x-amz-server-side-encryption": "AES256",
        "x-amz-storage-class": "STANDARD",
        "x-amz-tagging": "a=b",
        "x-amz-website-redirect-location": "/x",
    }
    left = {
        "authorization": "x",
        "cookie": "x",
        "content-length": "1",
        "host": "elsewhere",
        "key": "a",
        "policy": "x",
        "redirect": "x",
        "transfer-encoding": "chunked",
        "x-amz-algorithm": "x",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-copy-source": "/other/secret",
        "x-amz-credential": "x",
        "x-amz-date": "x",
        "x-amz-decoded-content-length": "1",
        "x-amz-meta-": "no name",
        "x-amz-meta-a b": "no name",
        "x-amz-meta-a:b": "no name",
        "x-amz-security-token": "x",
        "x-amz-signature": "x",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "x-forwarded-proto": "gopher",
        "x-minio-source-etag": "x",
    }
    assert headers(taken | left) == taken
    kept = put_headers(left, head(left), REQUEST)
    assert dict(kept) == {"Host": "gateway.test", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(("acl", "dangerous"), [("private", False), ("public-read", True)])
@pytest.mark.parametrize("name", ["acl", "x-amz-acl"])
def test_an_acl_is_as_dangerous_as_a_put_s(name: str, acl: str, dangerous: bool) -> None:  # noqa: FBT001
    taken = put_headers({name: acl}, head({}), {})
    assert taken["x-amz-acl"] == acl
    assert identify("PUT", ADDRESS, Query(), taken).dangerous is dangerous


def test_two_acls_are_both_looked_at() -> None:
    taken = put_headers({"x-amz-acl": "private", "acl": "public-read"}, head({}), {})
    assert identify("PUT", ADDRESS, Query(), taken).dangerous


def test_a_type_comes_from_a_field_or_from_the_file() -> None:
    typed = head({}, "a.html", "text/html")
    assert headers({"content-type": "text/csv"}, typed) == {"content-type": "text/csv"}
    assert headers({}, typed) == {"content-type": "text/html"}
    assert headers({}, head({}, "a.html")) == {"content-type": "application/octet-stream"}
    assert headers({}, head({})) == {}


def test_tags_come_as_a_document() -> None:
    document = (
        '<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\r\n<TagSet>'
        "<Tag><Key>a b</Key><Value>&amp;ü</Value></Tag><Tag><Key>c</Key><Value/></Tag>"
        "</TagSet></Tagging>"
    )
    assert headers({"tagging": document}) == {"x-amz-tagging": "a%20b=%26%C3%BC&c="}
    for bad in ("a=b", "<Tag><Key>a</Key></Tag>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        with pytest.raises(MalformedXML):
            headers({"tagging": bad})


def test_the_file_s_name_stands_in_every_field() -> None:
    told = head({"key": "u/${filename}", "x-amz-meta-a": "${filename}${filename}"}, "C:\\d\\a.csv")
    assert expand(told, "b") == {"key": "u/a.csv", "x-amz-meta-a": "a.csva.csv", "bucket": "b"}
    assert expand(head({"key": "u/${filename}"}), "b")["key"] == "u/"
    assert expand(head({"bucket": "other"}), "b") == {"bucket": "b"}


@pytest.mark.parametrize("character", ["\r", "\n", "\0"])
@pytest.mark.parametrize("name", ["key", "acl", "content-type", "x-amz-meta-a", "redirect", "x"])
def test_no_field_holds_a_line_break(name: str, character: str) -> None:
    with pytest.raises(InvalidArgument):
        expand(head({name: f"a{character}X-Amz-Acl: public-read"}), "b")


def test_what_is_not_utf8_is_no_field() -> None:
    with pytest.raises(InvalidArgument):
        expand(head({"key": "${filename}"}, "\udcf6.csv"), "b")
    assert expand(head({"key": "a"}, "\udcf6.csv"), "b")["key"] == "a"


@pytest.mark.parametrize("key", ["a", "a/b", "/a", "a//b", "a%2Fb", "ü ?#+&", "..", "a/"])
def test_a_key_is_taken_as_it_is(key: str) -> None:
    assert address_of({"bucket": "b", "key": key}) == Address("b", key)


def test_a_key_is_there_and_not_too_long() -> None:
    for fields in ({}, {"key": ""}):
        with pytest.raises(InvalidArgument, match="'key'"):
            address_of({"bucket": "b"} | fields)
    with pytest.raises(KeyTooLong):
        address_of({"bucket": "b", "key": "ü" * 513})


@pytest.mark.parametrize(
    ("wanted", "status"), [("", 204), ("200", 200), ("201", 201), ("204", 204), ("404", 204)]
)
def test_a_form_says_which_status_it_wants(wanted: str, status: int) -> None:
    reply = answered({"success_action_status": wanted})
    assert reply.status == status
    assert reply.headers["Location"] == URL
    assert (reply.headers["ETag"], reply.headers["x-amz-version-id"]) == ('"5d"', "v1")
    assert "Content-Length" not in reply.headers
    assert bool(reply.body) is (status == 201)


def test_201_has_a_document() -> None:
    reply = answered({"success_action_status": "201"})
    assert reply.headers["Content-Type"] == "application/xml"
    assert (
        reply.body
        == (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<PostResponse><Location>{URL}</Location><Bucket>b</Bucket><Key>a/ü b.csv</Key>"
            "<ETag>&quot;5d&quot;</ETag></PostResponse>"
        ).encode()
    )


QUERY = "bucket=b&key=a%2F%C3%BC%20b.csv&etag=%225d%22"


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("http://a.test", f"http://a.test?{QUERY}"),
        ("https://a.test/b?c=d#e", f"https://a.test/b?c=d&{QUERY}#e"),
        ("http://a.test/ü b%20c", f"http://a.test/%C3%BC%20b%20c?{QUERY}"),
    ],
)
def test_a_form_says_where_to_go_on(wanted: str, location: str) -> None:
    for fields in (
        {"success_action_redirect": wanted},
        {"redirect": wanted},
        {"success_action_redirect": wanted, "redirect": "http://other.test"},
        {"success_action_redirect": wanted, "success_action_status": "201"},
    ):
        reply = answered(fields)
        assert (reply.status, reply.headers["Location"], reply.body) == (303, location, b"")


@pytest.mark.parametrize("wanted", ["", "a.html", "//a.test", "javascript:alert(1)", "http://[a"])
def test_what_is_no_web_address_is_passed_over(wanted: str) -> None:
    assert answered({"success_action_redirect": wanted}).status == 204
