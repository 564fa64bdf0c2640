"""DeleteObjects: requests and results, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import KeyTooLong, MalformedXML
from gateway.s3.deletion import (
    Deleted,
    DeleteEntry,
    DeleteFailure,
    DeleteRequest,
    DeleteResult,
    parse_delete,
    parse_delete_result,
    render_delete,
    render_delete_result,
)
from tests.s3.oracle import client, sent

XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=30
)
NAMES = XML_TEXT.filter(bool)
MAYBE = st.one_of(st.none(), NAMES)


async def test_what_botocore_sends_is_read() -> None:
    request = sent(
        client(),
        "delete_objects",
        Bucket="b",
        Delete={
            "Objects": [{"Key": " a&<\r\n ", "VersionId": "v1"}, {"Key": "ä", "ETag": '"e"'}],
            "Quiet": True,
        },
    )
    body = b"".join([block async for block in request.body])
    assert parse_delete(body) == DeleteRequest(
        (DeleteEntry(" a&<\r\n ", "v1"), DeleteEntry("ä", etag='"e"')), quiet=True
    )


@given(
    entries=st.lists(
        st.builds(DeleteEntry, NAMES, MAYBE, MAYBE, MAYBE, MAYBE), min_size=1, max_size=4
    ),
    quiet=st.booleans(),
)
def test_request_comes_back_from_its_document(entries: list[DeleteEntry], *, quiet: bool) -> None:
    request = DeleteRequest(tuple(entries), quiet)
    assert parse_delete(render_delete(request)) == request


@given(
    st.lists(st.builds(Deleted, NAMES, MAYBE, st.booleans(), MAYBE), max_size=3),
    st.lists(st.builds(DeleteFailure, NAMES, MAYBE, XML_TEXT, XML_TEXT), max_size=3),
)
def test_result_comes_back_from_its_document(
    deleted: list[Deleted], failures: list[DeleteFailure]
) -> None:
    result = DeleteResult(tuple(deleted), tuple(failures))
    assert parse_delete_result(render_delete_result(result)) == result


@pytest.mark.parametrize("count", [0, 1, 1001])
def test_any_number_of_entries_is_read(count: int) -> None:
    body = b"<Delete>" + b"<Object><Key>k</Key></Object>" * count + b"</Delete>"
    assert len(parse_delete(body).entries) == count


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Other><Object><Key>k</Key></Object></Other>",
        b"<Delete><Object></Object></Delete>",
        b"<Delete><Object><Key></Key></Object></Delete>",
        b"<!DOCTYPE x><Delete><Object><Key>k</Key></Object></Delete>",
        b"<Delete><x:Object xmlns:x='u'><Key>k</Key></x:Object></Delete>",
        b"<Delete><Object><Key>k</Key><x:Key xmlns:x='u'>l</x:Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>",
        b"<Delete><Object><Key>k<b>l</b>m</Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Object><Key>l</Key></Object></Object></Delete>",
        b"<Delete><Quiet>true</Quiet><Quiet>false</Quiet></Delete>",
    ],
)
def test_what_is_no_delete_document_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse_delete(body)


def test_key_of_an_entry_is_no_longer_than_any() -> None:
    with pytest.raises(KeyTooLong):
        parse_delete(b"<Delete><Object><Key>" + b"k" * 1025 + b"</Key></Object></Delete>")


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(MalformedXML):
        parse_delete_result(b"<Delete></Delete>")
