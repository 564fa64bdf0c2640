"""The document of CreateBucket: what it says, and nothing that readers take in different ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedXML, NotImplementedByGateway
from gateway.s3.creation import Creation, parse_creation, render_creation
from tests.s3.oracle import refusals

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@pytest.mark.parametrize(
    ("body", "creation"),
    [
        ("", Creation()),
        (" \n", Creation()),
        (f"<CreateBucketConfiguration {NAMESPACE}/>", Creation()),
        (
            (
                f"<CreateBucketConfiguration {NAMESPACE}><LocationConstraint> eu-west-1\n"
                "</LocationConstraint></CreateBucketConfiguration>"
            ),
            Creation("eu-west-1"),
        ),
        (
            (
                "<s:CreateBucketConfiguration xmlns:s='x'><s:Tags><s:Tag><s:Key>k</s:Key>"
                "<s:Value>a&amp;b</s:Value></s:Tag></s:Tags></s:CreateBucketConfiguration>"
            ),
            Creation(tags=(("k", "a&b"),)),
        ),
    ],
)
def test_what_is_asked_for_is_read_and_written_anew(body: str, creation: Creation) -> None:
    assert parse_creation(body.encode()) == creation
    assert parse_creation(render_creation(creation)) == creation


def test_where_nothing_is_asked_for_nothing_is_said() -> None:
    assert render_creation(Creation()) == render_creation(Creation("us-east-1")) == b""


@pytest.mark.parametrize(
    "inner",
    [
        "<LocationConstraint>a</LocationConstraint><LocationConstraint>b</LocationConstraint>",
        "<LocationConstraint><a/></LocationConstraint>",
        "<Region>a</Region>",
    ],
)
def test_what_it_never_holds_is_refused(inner: str) -> None:
    with pytest.raises(MalformedXML):
        parse_creation(f"<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>".encode())
    with pytest.raises(MalformedXML):
        parse_creation(f"<Other>{inner}</Other>".encode())


@pytest.mark.parametrize("inner", ["<Location/>", "<Bucket/>"])
def test_directory_buckets_are_no_place_for_a_workspace(inner: str) -> None:
    with pytest.raises(NotImplementedByGateway):
        parse_creation(f"<CreateBucketConfiguration>{inner}</CreateBucketConfiguration>".encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with refusals(400, 501):
        parse_creation(body)
